"""One permission for every view: the scope that it names for the method. No name, no entry."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rest_framework.exceptions import NotAuthenticated
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from kura.api import scopes
from kura.api.callers import Caller

if TYPE_CHECKING:
    from kura.api.views import ApiView


class HasScope(BasePermission):
    def has_permission(self, request: Request, view: ApiView) -> bool:  # type: ignore[override]
        method = "GET" if request.method == "HEAD" else str(request.method)
        needed = view.scopes.get(method)
        if needed == scopes.PUBLIC or _answers_anybody_else(view):
            return True
        if not isinstance(request.auth, Caller):
            raise NotAuthenticated
        if method not in view.allowed_methods:
            return True  # and is answered 405
        if view.users_only and request.auth.user is None:
            return False
        return needed == scopes.ANYBODY or (needed is not None and request.auth.may(needed))


def _answers_anybody_else(view: ApiView) -> bool:
    """All that the view can do is public: a method that it lacks is 405 for nobody too."""
    return set(view.scopes.values()) == {scopes.PUBLIC}
