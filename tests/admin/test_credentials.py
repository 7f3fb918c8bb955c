"""Integration keys and access tokens in the workplace: shown once, revoked for good, one's own."""

from __future__ import annotations

import logging
import re
from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.sessions.models import Session
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from django.utils.timezone import localdate

from kura.accounts.keys import make_key
from kura.accounts.models import ApiToken, IntegrationKey, User
from tests.admin import people
from tests.admin.conftest import logged_in
from tests.api.conftest import Api, problem

ME = "/api/v1/auth/me"
ADD_KEY = reverse("admin:accounts_integrationkey_add")
ADD_TOKEN = reverse("admin:accounts_apitoken_add")
KEYS = reverse("admin:accounts_integrationkey_changelist")
TOKENS = reverse("admin:accounts_apitoken_changelist")
SECRET = re.compile(r'id="new-secret"[^>]*>([^<]+)<')


def revoke_url(one: IntegrationKey | ApiToken) -> str:
    return reverse(f"admin:{one._meta.label_lower.replace('.', '_')}_revoke", args=[one.pk])


def key_fields(**more: object) -> dict[str, object]:
    return {"name": "Página web", "scopes": ["events:write"], "expires_on": ""} | more


def token_fields(**more: object) -> dict[str, object]:
    day = localdate() + timedelta(days=7)
    return {"name": "Portátil", "scopes": ["journeys:read"], "expires_on": day.isoformat()} | more


def secret_in(response: object) -> str:
    [text] = SECRET.findall(response.content.decode())  # type: ignore[attr-defined]
    return text


def api_of(text: str) -> Api:
    return Api(Authorization=f"Bearer {text}")


# --- keys -----------------------------------------------------------------------------------------


def test_a_manager_makes_a_key_that_works_with_its_scopes(ours):
    response = logged_in(ours.manager).post(
        ADD_KEY, key_fields(scopes=["events:write", "patients:read"])
    )

    told = api_of(secret_in(response)).get(ME).json()
    made = IntegrationKey.objects.get(name="Página web")
    assert told["scopes"] == ["events:write", "patients:read"]
    assert told["integration"] == {"id": str(made.pk), "name": "Página web"}
    assert (made.organization, made.created_by) == (ours.organization, ours.manager)
    assert made.expiry_date is None
    assert "no-store" in response["Cache-Control"]


@pytest.mark.parametrize("what", ["key", "token"])
def test_the_text_is_in_its_answer_and_nowhere_else(ours, what, caplog):
    caplog.set_level(logging.DEBUG)
    client = logged_in(ours.manager)
    url, fields = (ADD_KEY, key_fields()) if what == "key" else (ADD_TOKEN, token_fields())

    text = secret_in(client.post(url, fields))

    hidden = text.rpartition(".")[2] if what == "key" else text[15:]
    pages = [client.get(page).content.decode() for page in (KEYS, TOKENS, "/admin/")]
    assert all(hidden not in page for page in pages)
    assert hidden not in caplog.text
    assert not any(hidden in str(row.get_decoded()) for row in Session.objects.all())
    assert not any(hidden in f"{row.object_repr}{row.change_message}" for row in log_entries())
    assert hidden not in str(client.cookies)
    assert hidden not in str(
        list(IntegrationKey.objects.values()) + list(ApiToken.objects.values())
    )


def log_entries() -> list[LogEntry]:
    return list(LogEntry.objects.filter(content_type__app_label="accounts"))


def test_a_key_lasts_to_the_end_of_its_day_on_the_practices_clock(ours):
    day = localdate() + timedelta(days=3)

    logged_in(ours.manager).post(ADD_KEY, key_fields(expires_on=day.isoformat()))

    end = IntegrationKey.objects.get(name="Página web").expiry_date
    assert end is not None
    here = timezone.localtime(end, timezone.zoneinfo.ZoneInfo(ours.organization.timezone))
    assert (here.date(), here.hour, here.minute) == (day, 23, 59)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"name": ""}, "Este campo es obligatorio"),
        ({"name": "x" * 51}, "50"),
        ({"name": "Stripe Om"}, "Este nombre ya está en uso"),
        ({"scopes": []}, "Elige al menos una opción"),
        ({"scopes": ["journeys:unblock"]}, "no está entre las posibles"),
        ({"scopes": ["root"]}, "no está entre las posibles"),
        ({"expires_on": "2020-01-01"}, "Este día ya ha pasado"),
        ({"expires_on": "mañana"}, "fecha"),
    ],
)
def test_what_is_wrong_with_a_key_is_said_and_nothing_made(ours, wrong, words):
    response = logged_in(ours.manager).post(ADD_KEY, key_fields(**wrong))

    assert words in response.content.decode()
    assert IntegrationKey.objects.filter(organization=ours.organization).count() == 1


def test_a_form_sent_twice_makes_one_key(ours):
    client = logged_in(ours.manager)

    answers = [client.post(ADD_KEY, key_fields()) for _ in range(2)]

    assert [len(SECRET.findall(one.content.decode())) for one in answers] == [1, 0]
    assert IntegrationKey.objects.filter(name="Página web").count() == 1


def test_a_revoked_key_is_refused_with_its_next_request_and_stays_on_the_list(ours):
    client = logged_in(ours.manager)
    text = secret_in(client.post(ADD_KEY, key_fields()))
    made = IntegrationKey.objects.get(name="Página web")

    asked = client.get(revoke_url(made))
    still = api_of(text).get(ME).status_code
    answers = [client.post(revoke_url(made), follow=True) for _ in range(2)]

    assert "No se puede deshacer" in asked.content.decode()
    assert still == 200
    assert all("ya no sirve" in one.content.decode() for one in answers)
    problem(api_of(text).get(ME), 401, "invalid_token")
    assert "Página web" in client.get(KEYS).content.decode()
    history = client.get(reverse("admin:accounts_integrationkey_history", args=[made.pk]))
    assert history.content.decode().count("evocado") == 1


def test_the_list_says_in_words_what_a_key_may_and_when_it_was_used(ours):
    used = timezone.now() - timedelta(hours=2)
    IntegrationKey.objects.filter(pk=ours.key.pk).update(last_used_at=used)
    make_key(by=ours.manager, name="Vieja", scopes=[], expires_at=used)

    page = logged_in(ours.manager).get(KEYS).content.decode()

    assert "Comunicar eventos" in page
    assert "events:write" not in page
    assert f"ki_{ours.key.prefix}…" in page
    assert used.isoformat()[:19] in page
    assert "Caducó" in page
    assert "nunca" in page


def test_a_practice_without_keys_is_told_what_they_are_for(ours):
    IntegrationKey.objects.all().delete()

    page = logged_in(ours.manager).get(KEYS).content.decode()

    assert "Todavía no hay ninguna clave" in page


@pytest.mark.parametrize("role", ["viewer", "therapist"])
def test_only_managers_write_keys_whatever_is_posted(ours, role):
    client = logged_in(getattr(ours, role))

    answers = [
        client.post(ADD_KEY, key_fields()).status_code,
        client.post(revoke_url(ours.key)).status_code,
        client.post(
            reverse("admin:accounts_integrationkey_change", args=[ours.key.pk])
        ).status_code,
    ]

    assert answers == [403, 403, 403]
    kept = IntegrationKey.objects.get(organization=ours.organization)
    assert not kept.revoked


def test_a_key_is_made_in_the_own_practice_and_a_foreign_one_is_not_there(ours, theirs):
    client = logged_in(theirs.manager)

    client.post(ADD_KEY, key_fields(organization=str(ours.organization.pk)))

    assert IntegrationKey.objects.get(name="Página web").organization == theirs.organization
    assert client.post(revoke_url(ours.key)).status_code == 404
    assert not IntegrationKey.objects.get(pk=ours.key.pk).revoked


def test_platform_staff_sees_every_key_and_makes_none(ours, theirs):
    staff = logged_in(people.person(None, "", is_superuser=True))

    page = staff.get(KEYS).content.decode()

    assert "Stripe Om" in page
    assert "Stripe FOREIGN" in page
    assert staff.post(ADD_KEY, key_fields()).status_code == 403
    assert staff.post(ADD_TOKEN, token_fields()).status_code == 403


# --- tokens ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", ["viewer", "therapist", "manager"])
def test_everybody_makes_a_token_of_their_own(ours, role):
    person = getattr(ours, role)

    text = secret_in(logged_in(person).post(ADD_TOKEN, token_fields()))

    told = api_of(text).get(ME).json()
    assert (told["user"]["id"], told["scopes"]) == (str(person.pk), ["journeys:read"])


@pytest.mark.parametrize(
    "wrong",
    [
        {"scopes": ["journeys:write"]},
        {"expires_on": ""},
        {"expires_on": (localdate() + timedelta(days=400)).isoformat()},
    ],
)
def test_no_token_is_wider_than_its_owner_or_lasts_for_ever(ours, wrong):
    response = logged_in(ours.viewer).post(ADD_TOKEN, token_fields(**wrong))

    assert response.status_code == 200
    assert not ApiToken.objects.filter(user=ours.viewer).exists()


def test_a_therapist_sees_and_revokes_the_own_tokens_alone(ours):
    ApiToken.objects.make(user=ours.manager, name="De la jefa", expires_at=None)
    client = logged_in(ours.therapist)
    hers = ApiToken.objects.get(user=ours.manager)

    page = client.get(TOKENS).content.decode()
    answers = [client.post(revoke_url(one)).status_code for one in (hers, ours.token)]

    assert "Script Om" in page
    assert "De la jefa" not in page
    assert answers == [404, 302]
    assert list(ApiToken.objects.filter(user__organization=ours.organization)) == [hers]


def test_a_manager_revokes_a_colleagues_token_and_makes_none_in_their_name(ours, theirs):
    client = logged_in(ours.manager)

    page = client.get(TOKENS).content.decode()
    client.post(ADD_TOKEN, token_fields(user=str(ours.therapist.pk)))
    answers = [client.post(revoke_url(one)).status_code for one in (ours.token, theirs.token)]

    assert "Therapist Om" in page
    assert "FOREIGN" not in page
    assert ApiToken.objects.get(name="Portátil").user == ours.manager
    assert answers == [302, 404]
    assert not ApiToken.objects.filter(pk=ours.token.pk).exists()
    assert ApiToken.objects.filter(pk=theirs.token.pk).exists()


def test_a_managers_reach_ends_below_a_superusers_token(ours):
    boss = people.person(ours.organization, "", "Boss", is_superuser=True)
    token, _text = ApiToken.objects.make(user=boss, name="Above", expires_at=None)
    client = logged_in(ours.manager)

    assert "Above" not in client.get(TOKENS).content.decode()
    assert client.post(revoke_url(token)).status_code == 404


def test_a_token_that_follows_its_owner_says_so_and_one_that_lost_a_right_too(ours):
    ApiToken.objects.make(user=ours.viewer, name="Todo", expires_at=None)
    ApiToken.objects.make(
        user=ours.viewer, name="Antes", expires_at=None, scopes=["journeys:write"]
    )

    page = logged_in(ours.viewer).get(TOKENS).content.decode()

    assert "Todo lo que puede esta persona" in page
    assert "Inscribir y mover" not in page


@pytest.mark.parametrize("url", [KEYS, TOKENS])
def test_the_lists_cost_the_same_for_one_and_for_many(ours, url):
    client = logged_in(ours.manager)
    few = statements(client, url)

    for number in range(20):
        someone: User = people.person(ours.organization, "viewer")
        ApiToken.objects.make(user=someone, name=f"t{number}", expires_at=None)
        make_key(by=ours.manager, name=f"k{number}", scopes=[], expires_at=None)

    assert statements(client, url) == few <= 8


def statements(client: Client, url: str) -> int:
    client.get(url)
    with CaptureQueriesContext(connection) as counted:
        assert client.get(url).status_code == 200
    return len(counted)
