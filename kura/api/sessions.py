"""Logging in from a browser, and who one is.

`/auth/csrf` sets the cookie whose value every write repeats in `X-CSRFToken`, the log-in too: else
another site could log somebody in as its own user. The answer to a wrong log-in is the same, and
takes as long, whether the address is known or not.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib.auth import authenticate, login, logout
from django.http import HttpRequest
from django.middleware.csrf import get_token
from django.utils.crypto import salted_hmac
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from kura.accounts.models import Organization, User
from kura.accounts.team import role_of
from kura.api.authentication import SessionAuthentication
from kura.api.callers import Caller
from kura.api.errors import CsrfFailed, InvalidCredentials
from kura.api.fields import Text
from kura.api.scopes import ANYBODY, PUBLIC, of_roles
from kura.api.serializers import Body
from kura.api.views import ApiView, no_content


class LogIn(Body):
    email = Text(max_length=254)
    password = Text(max_length=4096, trim_whitespace=False)


class Person(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    email = serializers.EmailField()
    display_name = serializers.CharField()
    language = serializers.CharField()
    role = serializers.CharField(allow_blank=True)


class Practice(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    name = serializers.CharField()
    slug = serializers.CharField()
    timezone = serializers.CharField()
    language = serializers.CharField()


class Integration(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    name = serializers.CharField()


class Me(serializers.Serializer[Any]):
    """Exactly one of `user` and `integration`."""

    user = Person(allow_null=True)
    integration = Integration(allow_null=True)
    organisation = Practice()
    scopes = serializers.ListField(child=serializers.CharField())


class CsrfView(ApiView):
    """Before a browser's log-in: the cookie `csrftoken`, to be repeated in `X-CSRFToken`."""

    authentication_classes = ()
    summaries = {"GET": "Set the CSRF cookie"}
    scopes = {"GET": PUBLIC}
    answers = {"GET": {204: None}}

    def get(self, request: Request) -> Response:
        get_token(request._request)
        return no_content()


class LoginView(ApiView):
    """Limited by network address and by e-mail address: neither guesses faster for the other."""

    authentication_classes = ()
    summaries = {"POST": "Log in"}
    scopes = {"POST": PUBLIC}
    bodies = {"POST": LogIn}
    answers = {"POST": {200: Me}}
    refusals = {"POST": (InvalidCredentials, CsrfFailed)}

    def limits(self) -> list[tuple[str, str]]:
        return [("login", _digest(address_of(self.request._request)))]

    def post(self, request: Request) -> Response:
        SessionAuthentication().enforce_csrf(request)
        given = self.body(LogIn)
        self.count("login", _digest(given["email"].lower()))
        user = self._known(email=given["email"], password=given["password"])
        login(request._request, user)
        return Response(told(_caller(user)))

    def _known(self, *, email: str, password: str) -> User:
        user = authenticate(self.request._request, username=email, password=password)
        if not isinstance(user, User) or user.organization is None:
            raise InvalidCredentials
        return user


def address_of(http: HttpRequest) -> str:
    """Where it comes from; behind our proxy, what the proxy says last."""
    told = http.headers.get("X-Forwarded-For", "")
    if settings.SECURE_PROXY_SSL_HEADER and told:
        return told.rpartition(",")[2].strip()
    return str(http.META.get("REMOTE_ADDR", ""))


def _digest(text: str) -> str:
    """Whom a log-in is counted for, without keeping an address."""
    return salted_hmac("kura.api.sessions", text).hexdigest()


class LogoutView(ApiView):
    """Ends the browser's session. A token stays until it is revoked or expires."""

    summaries = {"POST": "Log out"}
    scopes = {"POST": ANYBODY}
    answers = {"POST": {204: None}}
    users_only = True
    keeps_answers = False

    def post(self, request: Request) -> Response:
        logout(request._request)
        return no_content()


class MeView(ApiView):
    """The person or the integration, their practice, and the scopes they have."""

    summaries = {"GET": "Tell who is calling"}
    scopes = {"GET": ANYBODY}
    answers = {"GET": {200: Me}}

    def get(self, request: Request) -> Response:  # noqa: ARG002
        return Response(told(self.caller))


def told(caller: Caller) -> dict[str, Any]:
    return {
        "user": _person(caller.user) if caller.user else None,
        "integration": Integration(caller.integration).data if caller.integration else None,
        "organisation": _practice(caller.organization),
        "scopes": sorted(caller.scopes),
    }


def _person(user: User) -> dict[str, Any]:
    names = ("id", "email", "display_name", "language")
    return {name: getattr(user, name) for name in names} | {"role": role_of(user)}


def _practice(organization: Organization) -> dict[str, Any]:
    return dict(Practice(organization).data)


def _caller(user: User) -> Caller:
    if user.organization is None:
        raise InvalidCredentials
    roles = [group.name for group in user.groups.all()]
    return Caller(organization=user.organization, scopes=of_roles(roles), user=user)
