"""Guessing passwords has to wait, a log-in ends by itself, and nobody loses a form in silence."""

from __future__ import annotations

import logging
import re
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from axes.models import AccessAttempt
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from kura import tenancy
from kura.accounts import lockout, sessions
from kura.accounts.models import User
from kura.admin.site import site
from patients.models import Patient
from tests.admin import people
from tests.admin.conftest import logged_in

LOGIN = "/admin/login/"
PATIENTS = "/admin/patients/patient/"
ADD = "/admin/patients/patient/add/"
FORM = {"full_name": "Nueva Persona", "language": "es"}


@pytest.fixture
def somebody(db) -> User:
    return people.person(people.practice(), "therapist", "Jon", email="jon@example.org")


def attempt(name: str, password: str = "wrong", client: Client | None = None, **meta: str):
    return (client or Client()).post(LOGIN, {"username": name, "password": password}, **meta)


def fail(times: int, name: str = "jon@example.org", **meta: str) -> None:
    for _ in range(times):
        attempt(name, **meta)


# --- guessing ---------------------------------------------------------------------------------


def test_the_right_password_is_refused_after_five_wrong_ones(somebody):
    fail(4)
    fifth = attempt(somebody.email)
    sixth = attempt(somebody.email, people.PASSWORD)

    assert (fifth.status_code, sixth.status_code) == (429, 429)
    assert "15" in sixth.content.decode()
    assert 0 < int(sixth["Retry-After"]) <= 15 * 60
    assert "no-store" in sixth["Cache-Control"]


def test_four_wrong_ones_and_a_right_one_begin_anew(somebody):
    fail(4)
    assert attempt(somebody.email, people.PASSWORD).status_code == 302
    fail(4)

    assert attempt(somebody.email, people.PASSWORD).status_code == 302


def test_another_case_of_the_name_is_the_same_name(somebody):
    for name in ("Jon@example.org", "JON@example.org", "jon@Example.org", " jon@example.org",
                 "jon@EXAMPLE.org"):  # fmt: skip
        attempt(name)

    assert attempt(somebody.email, people.PASSWORD).status_code == 429


def test_nobody_is_locked_out_from_somewhere_else(somebody):
    fail(5, REMOTE_ADDR="203.0.113.7")

    assert attempt(somebody.email, people.PASSWORD, REMOTE_ADDR="198.51.100.1").status_code == 302


def test_a_name_that_nobody_has_gets_the_same_page(somebody):
    fail(5)
    fail(5, "nobody@example.org")

    pages = [attempt(name).content.decode() for name in (somebody.email, "nobody@example.org")]
    still = [re.sub(r'datetime="[^"]*"|csrfmiddlewaretoken" value="\w+"', "", one) for one in pages]

    assert still[0] == still[1]
    assert "example.org" not in pages[0]


def test_after_the_wait_one_may_try_again(somebody, settings):
    fail(5)
    past = timezone.now() - settings.AXES_COOLOFF_TIME - timedelta(seconds=1)
    AccessAttempt.objects.update(attempt_time=past)

    assert attempt(somebody.email, people.PASSWORD).status_code == 302


def test_trying_while_locked_does_not_prolong_the_wait(somebody):
    fail(5)
    earlier = timezone.now() - timedelta(minutes=10)
    AccessAttempt.objects.update(attempt_time=earlier)

    again = attempt(somebody.email)

    assert int(again["Retry-After"]) <= 5 * 60
    assert AccessAttempt.objects.get().attempt_time == earlier


@pytest.mark.parametrize("language", ["es", "en"])
def test_the_page_speaks_the_language_of_the_cookie(somebody, settings, language):
    client = Client()
    client.cookies[settings.LANGUAGE_COOKIE_NAME] = language
    fail(5)

    response = attempt(somebody.email, client=client)

    assert response["Content-Language"] == language
    assert f'lang="{language}"' in response.content.decode()


@pytest.mark.parametrize(
    ("behind", "forwarded", "expected"),
    [
        (False, "203.0.113.7", "192.0.2.1"),
        (True, "203.0.113.7", "203.0.113.7"),
        (True, "10.0.0.1, 203.0.113.7", "203.0.113.7"),
        (True, "203.0.113.7, nonsense", "192.0.2.1"),
        (True, "", "192.0.2.1"),
        (True, "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        (True, "::ffff:203.0.113.7", "203.0.113.7"),
    ],
)
def test_the_address_is_the_one_the_nearest_proxy_saw(rf, settings, behind, forwarded, expected):
    settings.BEHIND_TLS_PROXY = behind
    request = rf.get("/", REMOTE_ADDR="192.0.2.1", HTTP_X_FORWARDED_FOR=forwarded)

    assert lockout.address_of(request) == expected


def test_a_socket_has_no_address_and_still_locks(somebody):
    fail(5, REMOTE_ADDR="")

    assert attempt(somebody.email, people.PASSWORD, REMOTE_ADDR="").status_code == 429


def test_neither_table_nor_log_holds_what_was_typed(somebody, caplog):
    caplog.set_level(logging.WARNING)
    fail(5, "my-secret-in-the-wrong-box", REMOTE_ADDR="203.0.113.7")

    row = AccessAttempt.objects.get()
    kept = f"{row.username} {row.post_data} {row.get_data}"
    assert "secret" not in kept + caplog.text
    assert "203.0.113.7" not in caplog.text
    assert "account " in caplog.text


def test_axes_is_on_no_page():
    assert not [model for model in site._registry if model._meta.app_label == "axes"]


# --- the end of a log-in ----------------------------------------------------------------------


def age(client: Client, **marks: int) -> None:
    session = client.session
    session.update({f"kura_{name}": session[f"kura_{name}"] - ago for name, ago in marks.items()})
    session.save()


@pytest.fixture
def client(somebody) -> Client:
    """As the log-in page leaves it."""
    client = Client()
    attempt("jon@example.org", people.PASSWORD, client)
    return client


def query_of(response) -> dict[str, list[str]]:
    assert response.status_code == 302, response
    assert urlsplit(response["Location"]).path == LOGIN
    return parse_qs(urlsplit(response["Location"]).query)


@pytest.mark.parametrize(
    ("marks", "reason"),
    [
        ({"seen": 3500, "began": 3500}, None),
        ({"seen": 3600, "began": 3600}, "idle"),
        ({"seen": 10, "began": 8 * 3600}, "long"),
        ({"seen": 10, "began": 8 * 3600 - 100}, None),
    ],
)
def test_a_log_in_ends_after_an_idle_hour_and_after_eight_hours(client, marks, reason):
    age(client, **marks)

    response = client.get(PATIENTS)

    if reason is None:
        assert response.status_code == 200
    else:
        assert query_of(response) == {"next": [PATIENTS], "ended": [reason]}


def test_activity_keeps_a_log_in_open(client):
    age(client, seen=3000, began=3000)
    client.get(PATIENTS)
    age(client, seen=3000)

    assert client.get(PATIENTS).status_code == 200


def test_a_session_of_no_known_age_has_ended(client):
    session = client.session
    del session[sessions.BEGAN]
    session.save()

    assert query_of(client.get(PATIENTS))["ended"] == ["long"]


def test_an_ended_session_is_of_no_use_to_whoever_kept_its_cookie(client):
    cookie = client.cookies["sessionid"].value
    age(client, seen=4000, began=4000)
    client.get(PATIENTS)
    thief = Client()
    thief.cookies["sessionid"] = cookie

    assert query_of(thief.get(PATIENTS)) == {"next": [PATIENTS]}


def test_a_form_sent_too_late_saves_nothing_says_so_and_comes_back(client):
    age(client, seen=4000, began=4000)

    sent = client.post(f"{ADD}?from=list", FORM)
    login = client.get(sent["Location"])
    back = client.post(
        sent["Location"],
        {"username": "jon@example.org", "password": people.PASSWORD,
         "next": login.context["next"]},
    )  # fmt: skip
    page = client.get(back["Location"])

    assert query_of(sent) == {"next": [f"{ADD}?from=list"], "ended": ["idle"], "unsent": ["1"]}
    assert len(login.context["notices"]) == 2
    assert back["Location"] == f"{ADD}?from=list"
    assert [message.level_tag for message in page.context["messages"]] == ["warning"]
    with tenancy.every_organization():
        assert not Patient.objects.filter(full_name=FORM["full_name"]).exists()


def test_a_form_sent_without_any_session_says_so_too(db):
    assert query_of(Client().post(ADD, FORM)) == {"next": [ADD], "unsent": ["1"]}


def test_the_log_in_never_leads_elsewhere(somebody):
    response = Client().post(
        f"{LOGIN}?next=https://elsewhere.example/&unsent=1",
        {"username": somebody.email, "password": people.PASSWORD,
         "next": "https://elsewhere.example/"},
    )  # fmt: skip

    assert "elsewhere" not in response["Location"]


def test_a_new_password_logs_out_everywhere_else(somebody):
    here, there = logged_in(somebody), logged_in(somebody)
    for one in (here, there):
        one.get(PATIENTS)
    words = "otra frase bastante larga"

    here.post(
        reverse("admin:password_change"),
        {"old_password": people.PASSWORD, "new_password1": words, "new_password2": words},
    )

    assert here.get(PATIENTS).status_code == 200
    assert query_of(there.get(PATIENTS)) == {"next": [PATIENTS]}


def test_activity_is_noted_once_a_minute(client):
    age(client, seen=61, began=61)
    client.get(PATIENTS)
    noted = client.session[sessions.SEEN]

    client.get(PATIENTS)

    assert client.session[sessions.SEEN] == noted
