"""Limits: told with every answer, kept in one row a caller, refused with a time to wait."""

from __future__ import annotations

import time

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from kura.accounts.models import User
from kura.api import memory, rates
from kura.api.errors import RateLimited
from kura.api.models import RateCount
from tests.api.conftest import Api, a_key, by_key, by_session, by_token, nobody, problem
from tests.concurrency.test_events import at_once

ME = "/api/v1/auth/me"
LOGIN = "/api/v1/auth/login"


def limited(settings, **changed: str) -> None:
    settings.KURA_RATES = settings.KURA_RATES | changed


def test_each_answer_tells_what_is_left(therapist, settings):
    limited(settings, user="3/hour")
    api = by_token(therapist)

    left = [api.get(ME).headers["RateLimit-Remaining"] for _ in range(3)]
    refused = api.get(ME)

    assert left == ["2", "1", "0"]
    problem(refused, 429, "rate_limited")
    assert 0 < int(refused.headers["Retry-After"]) <= 3600
    assert refused.headers["RateLimit-Limit"] == "3"
    assert refused.headers["RateLimit-Reset"] == refused.headers["Retry-After"]


def test_a_person_has_one_limit_however_they_come_and_a_key_its_own(
    organization, therapist, viewer, settings
):
    limited(settings, user="2/hour", integration="off")
    by_token(therapist).get(ME)
    by_session(therapist).get(ME)

    problem(by_token(therapist).get(ME), 429, "rate_limited")
    assert by_token(viewer).get(ME).status_code == 200
    assert "RateLimit-Limit" not in by_key(organization).get(ME).headers


def test_who_is_not_let_in_spends_nobodys_limit(organization, therapist):
    key, text = a_key(organization)
    guess = text[:-1] + ("a" if text[-1] != "a" else "b")
    root = User.objects.create_superuser("root@example.org", "a-long-password")
    refused = [
        Api(Authorization=f"Bearer {guess}"),
        Api(Authorization=f"Bearer ki_{key.prefix}.x"),
        by_token(therapist, expires_at=timezone.now()),
        by_token(root),
    ]

    assert [api.get(ME).status_code for api in refused] == [401, 401, 401, 403]
    assert not RateCount.objects.exists()


def test_what_is_not_permitted_counts_too(organization, settings):
    limited(settings, integration="1/hour")
    api = by_key(organization)

    problem(api.post("/api/v1/auth/tokens", {}), 403, "permission_denied")
    problem(api.post("/api/v1/auth/tokens", {}), 429, "rate_limited")


def test_log_ins_to_one_address_are_limited_wherever_they_come_from(db, settings):
    limited(settings, login="2/hour")
    answers = []
    for number in range(3):
        api = nobody()
        api.get("/api/v1/auth/csrf")
        api.client.defaults["REMOTE_ADDR"] = f"10.0.0.{number}"
        headers = {"X-CSRFToken": api.client.cookies["csrftoken"].value}
        body = {"email": "a@example.org", "password": "x"}
        answers.append(api.post(LOGIN, body, **headers))

    assert [answer.status_code for answer in answers] == [401, 401, 429]
    assert not RateCount.objects.filter(bucket__contains="example").exists()


def test_a_new_period_begins_at_nothing(db, settings):
    limited(settings, user="1/min")
    rates.count("user", "a", now=59.9)
    with pytest.raises(RateLimited) as refusal:
        rates.count("user", "a", now=59.9)
    assert refusal.value.context["retry_after"] == 1

    assert rates.count("user", "a", now=60).remaining == 0


def test_a_host_whose_clock_is_late_does_not_begin_anew(db, settings):
    limited(settings, user="1/min")
    rates.count("user", "a", now=61)

    with pytest.raises(RateLimited):
        rates.count("user", "a", now=59)


@pytest.mark.parametrize("text", ["", "600", "0/min", "x/min", "600/day", "-1/min", "600/min "])
def test_a_limit_that_cannot_be_read_is_named(settings, text):
    limited(settings, user=text)

    with pytest.raises(ImproperlyConfigured, match="KURA_RATE_USER"):
        rates.rate("user")


def test_counts_that_are_over_are_forgotten(db, settings, organization):
    rates.count("user", "old", now=time.time() - 3600)
    rates.count("user", "new")

    memory.forget_old(now=timezone.now())

    assert list(RateCount.objects.values_list("bucket", flat=True)) == ["user new"]


def test_counting_is_one_statement_on_a_table_without_a_log(db):
    with CaptureQueriesContext(connection) as queries:
        rates.count("user", "a")

    assert len(queries) == 1
    with connection.cursor() as cursor:
        cursor.execute("SELECT relpersistence FROM pg_class WHERE relname = 'rate_counts'")
        assert cursor.fetchone() == ("u",)


def test_callers_at_once_are_each_counted(committed_db, settings):
    limited(settings, user="1000/hour")

    def call() -> None:
        for _ in range(20):
            rates.count("user", "a")

    at_once(*[call] * 4)

    assert RateCount.objects.get().hits == 80
