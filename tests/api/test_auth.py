"""Who may call: sessions with CSRF, a person's tokens, an integration's keys. Doubt means no."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from kura.accounts.access import new_password
from kura.accounts.models import ApiToken, IntegrationKey, User
from kura.api import credentials
from tests.api.conftest import Api, a_key, by_key, by_session, by_token, nobody, problem
from tests.factories import a_user

ME = "/api/v1/auth/me"
LOGIN = "/api/v1/auth/login"
TOKENS = "/api/v1/auth/tokens"
PASSWORD = "a-long-password"


def a_browser() -> Api:
    api = nobody()
    api.get("/api/v1/auth/csrf")
    api.headers = {"X-CSRFToken": api.client.cookies["csrftoken"].value}
    return api


def test_a_browser_logs_in_and_out(therapist):
    api = a_browser()

    told = api.post(LOGIN, {"email": therapist.email.upper(), "password": PASSWORD}).json()

    assert told["user"]["role"] == "therapist"
    assert told["organisation"]["id"] == str(therapist.organization_id)
    assert "journeys:unblock" in told["scopes"]
    assert api.get(ME).json() == told
    api.headers = {"X-CSRFToken": api.client.cookies["csrftoken"].value}
    assert api.post("/api/v1/auth/logout").status_code == 204
    problem(api.get(ME), 401, "not_authenticated")


@pytest.mark.parametrize(
    ("email", "password"),
    [("nobody@example.org", PASSWORD), (None, "wrong"), ("inactive", PASSWORD)],
)
def test_a_wrong_log_in_is_one_answer_whoever_asks(organization, therapist, email, password):
    a_user(organization, "viewer", email="inactive@example.org", is_active=False)
    address = {None: therapist.email, "inactive": "inactive@example.org"}.get(email, email)

    response = a_browser().post(LOGIN, {"email": address, "password": password})

    told = problem(response, 401, "invalid_credentials")
    assert address not in str(told)


def test_an_unknown_address_is_hashed_for_like_a_known_one(therapist, monkeypatch):
    hashed = []
    monkeypatch.setattr(User, "set_password", lambda _self, raw: hashed.append(raw))

    a_browser().post(LOGIN, {"email": "nobody@example.org", "password": "x"})

    assert hashed == ["x"]


def test_platform_staff_has_no_practice_and_no_api(db):
    User.objects.create_superuser("root@example.org", PASSWORD)
    root = User.objects.get(email="root@example.org")

    credentials = {"email": root.email, "password": PASSWORD}
    problem(a_browser().post(LOGIN, credentials), 401, "invalid_credentials")
    problem(by_session(root).get(ME), 403, "permission_denied")
    problem(by_token(root).get(ME), 403, "permission_denied")


@pytest.mark.parametrize("path", [LOGIN, TOKENS, "/api/v1/auth/logout"])
def test_a_browser_writes_only_with_its_csrf_token(therapist, path):
    api = by_session(therapist)
    api.headers = {}

    problem(api.post(path, {}), 403, "csrf_failed")
    problem(api.post(path, {}, **{"X-CSRFToken": "a" * 64}), 403, "csrf_failed")


def test_a_token_needs_no_csrf_and_is_shown_once(therapist):
    made = by_session(therapist).post(TOKENS, {"name": "laptop"})

    told = made.json()
    assert made.status_code == 201
    assert told["token"].startswith("kj_")
    assert told["token"].startswith(told["prefix"])
    assert made.headers["Cache-Control"] == "no-store"
    api = Api(Authorization=f"Bearer {told['token']}")
    assert api.get(ME).json()["user"]["id"] == str(therapist.pk)
    [listed] = api.get(TOKENS).json()["results"]
    assert listed == {name: value for name, value in told.items() if name != "token"}
    assert not ApiToken.objects.filter(digest__contains=told["token"][3:]).exists()
    assert api.delete(f"{TOKENS}/{told['id']}").status_code == 204
    problem(api.get(ME), 401, "invalid_token")


def test_a_token_lasts_thirty_days_unless_asked(therapist):
    api = by_session(therapist)

    usual = api.post(TOKENS, {"name": "a"}).json()["expires_at"]
    short = api.post(TOKENS, {"name": "b", "expires_in_days": 1}).json()["expires_at"]

    now = timezone.now()
    days = [
        round((timezone.datetime.fromisoformat(moment) - now).total_seconds() / 86400)
        for moment in (usual, short)
    ]
    assert days == [30, 1]
    assert usual.endswith("Z")


@pytest.mark.parametrize(
    ("days", "status"),
    [(3.0, 201), (2.5, 400), ("3", 400), (True, 400), (None, 400), ([3], 400), (1e300, 400)],
)
def test_days_are_a_whole_number_as_json_has_it(therapist, days, status):
    made = by_session(therapist).post(TOKENS, {"name": "a", "expires_in_days": days})

    assert made.status_code == status


def test_an_expired_token_is_told_apart(therapist):
    api = by_token(therapist, expires_at=timezone.now())

    response = api.get(ME)

    problem(response, 401, "token_expired")
    assert response.headers["WWW-Authenticate"] == 'Bearer error="invalid_token"'


def test_a_token_has_no_more_than_it_was_made_with(therapist):
    api = by_token(therapist, scopes=["events:read", "templates:write"])

    assert api.get(ME).json()["scopes"] == ["events:read"]
    wider = api.post(TOKENS, {"name": "wide", "scopes": ["journeys:write"]})
    problem(wider, 400, "validation_error")
    assert api.post(TOKENS, {"name": "same"}).json()["scopes"] == ["events:read"]


def test_a_token_makes_none_that_outlasts_it(therapist):
    end = timezone.now() + timedelta(hours=5)
    api = by_token(therapist, expires_at=end)

    made = [
        api.post(TOKENS, {"name": str(asked), **asked}).json()
        for asked in ({}, {"expires_in_days": 365})
    ]
    again = Api(Authorization=f"Bearer {made[1]['token']}").post(TOKENS, {"name": "next"}).json()

    ends = [timezone.datetime.fromisoformat(one["expires_at"]) for one in (*made, again)]
    assert all(abs(one - end) < timedelta(seconds=1) for one in ends)
    assert all(one <= end for one in ends)


def test_a_colleagues_token_is_not_found(organization, therapist, viewer):
    token, _text = ApiToken.objects.make(user=viewer, name="theirs", expires_at=None)

    problem(by_token(therapist).delete(f"{TOKENS}/{token.pk}"), 404, "not_found")
    assert ApiToken.objects.filter(pk=token.pk).exists()


@pytest.mark.parametrize("change", [{"is_active": False}])
def test_who_is_switched_off_is_out_at_once(therapist, change):
    token, session = by_token(therapist), by_session(therapist)
    User.objects.filter(pk=therapist.pk).update(**change)

    problem(token.get(ME), 401, "invalid_token")
    problem(session.get(ME), 401, "not_authenticated")


def test_a_new_password_ends_the_persons_tokens_and_log_ins(therapist, viewer):
    token, session, colleague = by_token(therapist), by_session(therapist), by_token(viewer)

    new_password(user=therapist)

    problem(token.get(ME), 401, "invalid_token")
    problem(session.get(ME), 401, "not_authenticated")
    assert colleague.get(ME).status_code == 200


def test_a_hash_that_is_only_renewed_ends_no_token(therapist, settings):
    therapist.set_password("the same as ever")
    therapist.save()
    token = by_token(therapist)
    settings.PASSWORD_HASHERS = [
        "django.contrib.auth.hashers.ScryptPasswordHasher",
        *settings.PASSWORD_HASHERS,
    ]
    before = therapist.password

    assert therapist.check_password("the same as ever")

    assert User.objects.get(pk=therapist.pk).password != before
    assert token.get(ME).status_code == 200


@pytest.mark.parametrize(
    "header",
    ["Bearer", "Bearer ", "Bearer x", "Bearer kj_", "Bearer ki_", "Bearer ki_a.b", "Bearer kj_ñ",
     "Bearer " + "kj_" + "a" * 5000, "Bearer kj_a b"],
)  # fmt: skip
def test_a_token_that_is_none_is_invalid_even_beside_a_session(therapist, header):
    api = by_session(therapist)
    api.headers = {"Authorization": header}

    problem(api.get(ME), 401, "invalid_token")


def test_a_key_is_a_practices_own_with_its_scopes(organization):
    told = by_key(organization, "events:write", "journeys:unblock").get(ME).json()

    assert told["user"] is None
    assert told["integration"]["name"] == "clinic"
    assert told["organisation"]["id"] == str(organization.pk)
    assert told["scopes"] == ["events:write"]


def test_a_key_may_make_no_tokens(organization):
    problem(by_key(organization).post(TOKENS, {"name": "x"}), 403, "permission_denied")


def test_a_revoked_or_expired_key_is_refused(organization):
    key, text = a_key(organization)
    _old, old_text = a_key(organization, expiry_date=timezone.now() - timedelta(seconds=1))
    key.revoked = True
    key.save()

    problem(Api(Authorization=f"Bearer {text}").get(ME), 401, "invalid_token")
    problem(Api(Authorization=f"Bearer {old_text}").get(ME), 401, "token_expired")


def test_a_key_costs_one_statement(organization, django_assert_num_queries):
    api = by_key(organization)
    api.get(ME)

    with django_assert_num_queries(1):
        api.get(ME)


def test_a_token_knows_its_practices_settings(therapist, organization):
    organization.settings = {"require_if_match": True, "hours": [9, 17]}
    organization.save()
    _token, text = ApiToken.objects.make(user=therapist, name="test", expires_at=None)

    found = credentials.token(text, now=timezone.now())

    assert found.user.organization == organization
    assert found.user.organization.settings == organization.settings
    assert found.roles == ["therapist"]
    assert found.user.get_deferred_fields() == {"password"}


def test_a_key_is_kept_as_a_hash_and_notes_its_use_now_and_then(
    organization, django_assert_num_queries
):
    key, text = a_key(organization)
    api = Api(Authorization=f"Bearer {text}")

    api.get(ME)
    first = IntegrationKey.objects.get(pk=key.pk)
    api.get(ME)

    assert text[3:] not in first.hashed_key
    assert first.last_used_at is not None
    assert IntegrationKey.objects.get(pk=key.pk).last_used_at == first.last_used_at


@pytest.mark.parametrize(("way", "statements"), [(by_token, 1), (by_session, 4)])
def test_a_caller_costs_as_little_as_this(therapist, way, statements):
    """The token with person, practice, role and limit; or each of them and the session.

    `me` asks for the role once more.
    """
    api = way(therapist)
    api.get(ME)

    with CaptureQueriesContext(connection) as queries:
        api.get(ME)

    assert len(queries) == statements + 1, [query["sql"] for query in queries]
