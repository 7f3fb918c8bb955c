"""Each request sees its user's organization, in that person's language and the practice's clock."""

from __future__ import annotations

import zoneinfo
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

from django.http import HttpRequest, HttpResponse
from django.utils import timezone, translation

from kura import tenancy
from kura.accounts.models import User


class OwnOrganizationMiddleware:
    """Nobody logged in: no scope, so any tenant query fails. Platform staff: all organizations."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        user = request.user
        if not isinstance(user, User):
            return self.get_response(request)
        with as_seen_by(user):
            request.LANGUAGE_CODE = user.language
            response = self.get_response(request)
            response.headers["Content-Language"] = user.language
            return response


@contextmanager
def as_seen_by(user: User) -> Iterator[None]:
    """Everything inside is of this person's organization, clock and language."""
    with _scope_of(user), _clock_of(user), translation.override(user.language):
        yield


def _scope_of(user: User) -> AbstractContextManager[None]:
    if user.organization is not None:
        return tenancy.scope(user.organization)
    return tenancy.every_organization() if user.is_superuser else nullcontext()


def _clock_of(user: User) -> AbstractContextManager[None]:
    if user.organization is None:
        return nullcontext()
    return timezone.override(zoneinfo.ZoneInfo(user.organization.timezone))
