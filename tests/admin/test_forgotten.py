"""A forgotten password: a link by e-mail, and nothing that tells who works here."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django_q.models import OrmQ
from django_q.signing import SignedPackage

from automation import tasks
from kura.accounts.models import User
from tests.admin import people
from tests.admin.conftest import logged_in

ASK = reverse("admin:forgot_password")
LOGIN = reverse("admin:login")


@pytest.fixture
def somebody(db, settings) -> User:
    settings.MAIL_REACHES_PEOPLE = True
    OrmQ.objects.all().delete()
    return people.person(people.practice(), "therapist", "Jon", email="jon@example.org")


def ask(email: str, client: Client | None = None, **meta: str):
    return (client or Client()).post(ASK, {"email": email}, **meta)


def waiting() -> list[tuple[str, str]]:
    return [SignedPackage.loads(row.payload)["args"] for row in OrmQ.objects.order_by("id")]


def run_what_waits() -> list[int]:
    return [tasks.send_access_link(*args) for args in waiting()]


def test_the_log_in_page_leads_here_and_back(somebody):
    assert f'href="{ASK}"' in Client().get(LOGIN).content.decode()
    assert f'href="{LOGIN}"' in Client().get(ASK).content.decode()


def test_whoever_forgot_it_gets_a_link_that_works_once(somebody, settings, mailoutbox):
    settings.ALLOWED_HOSTS = ["testserver", "kura.example.org"]
    browser, words = Client(), "una frase bastante larga"

    told = ask(" JON@example.org", browser, headers={"host": "kura.example.org"})
    assert run_what_waits() == [1]
    [letter] = mailoutbox
    link = urlsplit(re.search(r"https?://\S+", letter.body)[0])
    form = browser.get(link.path)["Location"]
    browser.post(form, {"new_password1": words, "new_password2": words})

    assert told["Location"] == f"{ASK}?sent=1"
    assert link.netloc == "kura.example.org"
    assert letter.recipients() == ["Jon <jon@example.org>"]
    assert User.objects.get(pk=somebody.pk).check_password(words)
    assert not Client().get(link.path, follow=True).context["validlink"]


def test_nothing_tells_whether_somebody_works_here(somebody, mailoutbox):
    people.person(people.practice(), "viewer", "Fuera", email="off@example.org", is_active=False)

    answers, costs = [], []
    for email in ("jon@example.org", "off@example.org", "nobody@example.org"):
        with CaptureQueriesContext(connection) as counted:
            told = ask(email)
        answers.append((told.status_code, told["Location"], sorted(told.headers)))
        costs.append([re.sub(r"'[^']*'|\$?\d+", "?", one["sql"])[:60] for one in counted])
    sent = run_what_waits()

    assert answers[0] == answers[1] == answers[2]
    assert costs[0] == costs[1] == costs[2]
    assert sent == [1, 0, 0]
    assert len(mailoutbox) == 1
    page = Client().get(f"{ASK}?sent=1").content.decode()
    assert "Si alguien trabaja aquí con esta dirección" in page
    assert "example.org" not in page


def test_no_address_waits_in_the_queue(somebody):
    ask("jon@example.org")

    assert waiting() == [(str(somebody.pk), "http://testserver/")]


@pytest.mark.parametrize("email", ["jon@example.org", "nobody@example.org"])
def test_asking_again_and_again_has_to_wait_whoever_asks(somebody, settings, email):
    settings.KURA_RATES = settings.KURA_RATES | {"forgotten": "2/hour"}

    answers = [ask(email, REMOTE_ADDR=f"203.0.113.{number}") for number in range(3)]

    assert [one.status_code for one in answers] == [302, 302, 429]
    assert 0 < int(answers[2]["Retry-After"]) <= 3600
    assert "demasiadas veces" in answers[2].content.decode()
    assert OrmQ.objects.count() == 2


def test_one_address_cannot_try_all_names(somebody, settings):
    settings.KURA_RATES = settings.KURA_RATES | {"forgotten": "2/hour"}

    answers = [ask(f"n{number}@example.org", REMOTE_ADDR="203.0.113.9") for number in range(3)]

    assert [one.status_code for one in answers] == [302, 302, 429]


def test_what_is_no_address_is_said_beside_the_field(somebody):
    page = ask("jon").content.decode()

    assert "aria-invalid" in page
    assert "jon" in page
    assert not OrmQ.objects.exists()


def test_where_no_mail_is_set_up_a_manager_helps(somebody, settings):
    settings.MAIL_REACHES_PEOPLE = False

    page = ask("jon@example.org").content.decode()

    assert "Quien gestiona tu centro" in page
    assert 'name="email"' not in page
    assert not OrmQ.objects.exists()


@pytest.mark.parametrize(
    ("language", "words"), [("es", "Contraseña olvidada"), ("en", "Forgotten")]
)
def test_it_speaks_the_language_of_the_cookie(somebody, language, words):
    client = Client()
    client.post(reverse("admin:language"), {"language": language})

    response = client.get(ASK, headers={"accept-language": "de"})

    assert words in response.content.decode()
    assert response["Content-Language"] == language
    assert "no-store" in response["Cache-Control"]


def test_whoever_is_logged_in_changes_it_instead(somebody):
    assert logged_in(somebody).get(ASK)["Location"] == reverse("admin:password_change")
