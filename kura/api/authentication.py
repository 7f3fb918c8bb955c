"""From a header or a cookie to a `Caller`. Whoever is inactive or has no practice is refused.

`Authorization: Bearer` decides alone when it is there; the session is only asked without it. A
token or key costs one statement, which also counts the request.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final, cast

from django.contrib.auth.models import AnonymousUser
from django.http import QueryDict
from django.utils import timezone
from django.utils.datastructures import MultiValueDict
from rest_framework import authentication
from rest_framework.exceptions import AuthenticationFailed, PermissionDenied
from rest_framework.request import Request

from kura.accounts.models import User
from kura.accounts.models.credentials import KEY_PREFIX, SEEN_EVERY, TOKEN_PREFIX
from kura.api import credentials, scopes
from kura.api.callers import Caller
from kura.api.errors import CsrfFailed
from kura.api.rates import Count

LONGEST: Final = 200  # characters of a token; ours have 67

Authenticated = tuple[User | AnonymousUser, Caller]


class BearerAuthentication(authentication.BaseAuthentication):
    """`kj_…` a person's token, `ki_…` an integration's key."""

    def authenticate(self, request: Request) -> Authenticated | None:
        scheme, _, text = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return None
        text = text.strip()
        if not text.isascii() or len(text) > LONGEST or "\x00" in text:
            raise AuthenticationFailed(code="invalid_token")
        if text.startswith(TOKEN_PREFIX):
            return _by_token(text)
        if text.startswith(KEY_PREFIX):
            return _by_key(text.removeprefix(KEY_PREFIX))
        raise AuthenticationFailed(code="invalid_token")

    def authenticate_header(self, request: Request) -> str:  # noqa: ARG002
        return "Bearer"


class SessionAuthentication(authentication.SessionAuthentication):
    """The log-in of a browser. A token in the X-CSRFToken header is required for every write."""

    def authenticate(self, request: Request) -> Authenticated | None:
        user = cast("Any", request._request).user
        if not isinstance(user, User) or not user.is_active:
            return None
        self.enforce_csrf(request)
        roles = user.groups.values_list("name", flat=True)
        return user, _person(user, scopes.of_roles(roles))

    def enforce_csrf(self, request: Request) -> None:
        """Without a look at the body: a form's field would be read before its size is known."""
        http = cast("Any", request._request)
        if not hasattr(http, "_post"):
            http._post, http._files = QueryDict(""), MultiValueDict()
        try:
            super().enforce_csrf(request)
        except PermissionDenied:
            raise CsrfFailed from None


def _by_token(text: str) -> Authenticated:
    token = credentials.token(text, now=timezone.now())
    if token is None:
        raise AuthenticationFailed(code="invalid_token")
    if not token.lasts:
        raise AuthenticationFailed(code="token_expired")
    allowed = scopes.of_roles(token.roles)
    if token.scopes is not None:
        allowed &= frozenset(token.scopes)
    return token.user, _person(token.user, allowed, token.count, token.ends_at)


def _person(
    user: User,
    allowed: frozenset[str],
    count: Count | None = None,
    ends_at: datetime | None = None,
) -> Caller:
    if user.organization is None:
        raise PermissionDenied
    return Caller(
        organization=user.organization, scopes=allowed, user=user, count=count, ends_at=ends_at
    )


def _by_key(text: str) -> Authenticated:
    now = timezone.now()
    key = credentials.key(text, now=now)
    if key is None:
        raise AuthenticationFailed(code="invalid_token")
    if not key.lasts:
        raise AuthenticationFailed(code="token_expired")
    integration = key.integration
    if integration.last_used_at is None or now - integration.last_used_at > SEEN_EVERY:
        integration.note_use()
    allowed = frozenset(integration.scopes) & scopes.INTEGRATION
    organization = integration.organization
    caller = Caller(
        organization=organization, scopes=allowed, integration=integration, count=key.count
    )
    return AnonymousUser(), caller
