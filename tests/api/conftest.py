"""A practice, and clients that call its API: by session, by token, by key, or as nobody."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from kura.accounts.models import ApiToken, IntegrationKey, Organization, User
from kura.api.scopes import INTEGRATION
from tests.factories import a_user


class Api:
    """Speaks JSON. `headers` go with every call."""

    def __init__(self, client: Client | None = None, **headers: str) -> None:
        self.client = client or Client(enforce_csrf_checks=True, raise_request_exception=False)
        self.headers = headers

    def call(self, method: str, path: str, body: Any = None, **headers: str):
        raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body)
        content_type = headers.pop("content_type", "application/json")
        return self.client.generic(
            method, path, raw, content_type=content_type, headers=self.headers | headers
        )

    def get(self, path: str, **headers: str):
        return self.call("GET", path, **headers)

    def post(self, path: str, body: Any = None, **headers: str):
        return self.call("POST", path, body, **headers)

    def delete(self, path: str, **headers: str):
        return self.call("DELETE", path, **headers)


def nobody() -> Api:
    return Api()


def by_token(user: User, **fields: Any) -> Api:
    fields = {"expires_at": None} | fields
    _token, text = ApiToken.objects.make(user=user, name="test", **fields)
    return Api(Authorization=f"Bearer {text}")


def by_key(organization: Organization, *scopes: str) -> Api:
    _key, text = a_key(organization, *scopes)
    return Api(Authorization=f"Bearer {text}")


def a_key(organization: Organization, *scopes: str, **fields: Any) -> tuple[IntegrationKey, str]:
    return IntegrationKey.objects.create_key(
        organization=organization, name="clinic", scopes=list(scopes or INTEGRATION), **fields
    )


def by_session(user: User) -> Api:
    """Logged in, with the CSRF token that every write needs."""
    api = Api()
    api.client.force_login(user)
    api.get("/api/v1/auth/csrf")
    api.headers = {"X-CSRFToken": api.client.cookies["csrftoken"].value}
    return api


def once_settled(patience: float = 60) -> None:
    """Waits until what was written so far is settled and stays so.

    A transaction of another database that ends while the server is asked counts as one of ours for
    that moment, so where many suites share a server a row may be told a moment later.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint")
        (written,) = cursor.fetchone()
        until = time.monotonic() + patience
        while time.monotonic() < until:
            cursor.execute("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint")
            if cursor.fetchone()[0] >= written:
                return
            time.sleep(0.01)
    raise AssertionError(f"A transaction was running for more than {patience} s.")


@pytest.fixture(autouse=True)
def plain_http(settings, tmp_path_factory) -> None:
    """As `dev.py run` serves: no redirect to TLS, no files to look for."""
    settings.STATIC_ROOT = str(tmp_path_factory.getbasetemp())
    settings.WHITENOISE_AUTOREFRESH = True  # else each client begins by reading what is there
    settings.STORAGES = settings.STORAGES | {
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    }
    settings.SECURE_SSL_REDIRECT = False
    settings.SESSION_COOKIE_SECURE = settings.CSRF_COOKIE_SECURE = False


@pytest.fixture
def manager(organization: Organization) -> User:
    return a_user(organization, "manager")


def problem(response, status: int, code: str) -> dict[str, Any]:
    """The answer is this problem, whole and well told."""
    told = response.json()
    assert (response.status_code, told["code"]) == (status, code), response.content
    assert response.headers["Content-Type"] == "application/problem+json"
    assert told["status"] == status
    assert told["type"].endswith(code)
    assert told["title"]
    assert told["request_id"] == response.headers["X-Request-ID"]
    return told
