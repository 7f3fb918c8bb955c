"""The stale check over HTTP: it acts, tells what it did, and nobody is made to ask for it."""

from __future__ import annotations

import threading

import pytest
from django.conf import settings as django_settings
from django.db import connection, connections
from django.test.utils import CaptureQueriesContext

from automation import monitor
from journeys.models import SystemEventLog
from kura import tenancy
from tests.api.conftest import by_key, by_session, by_token, problem
from tests.automation.test_monitor import TIMEOUT, a_timeout, stuck
from tests.factories import OrganizationFactory, a_template

CHECK = "/api/v1/admin/stale-journeys/check"


@pytest.fixture
def api(organization):
    return by_key(organization, "admin:run")


def timeouts():
    return SystemEventLog.objects.filter(event_type=TIMEOUT)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_the_check_records_who_is_stuck_and_tells_it(api, organization, template, method):
    rule = a_timeout(organization)
    someone = stuck(organization, 51)
    stuck(organization, 1)

    response = api.call(method, CHECK)

    told = response.json()
    assert response.status_code == 200, told
    assert response.headers["Cache-Control"] == "no-store"
    event = timeouts().get()
    [item] = told["items"]
    assert item.pop("entered_at").endswith("Z")
    assert 51 <= item.pop("hours_in_stage") < 52
    assert item == {
        "patient_id": str(someone.pk),
        "journey_key": "intake",
        "stage": "SCREENING_PENDING",
        "rule_id": str(rule.pk),
        "outcome": "emitted",
        "event_id": str(event.pk),
    }
    counted = {name: value for name, value in told.items() if isinstance(value, int | list)}
    assert counted | {"items": 1} == {
        "dry_run": False, "rules_checked": 1, "stale": 1, "due": 1, "timeouts_emitted": 1,
        "skipped_recent_reminder": 0, "errors": [], "items": 1, "truncated": False,
        "unfinished": False,
    }  # fmt: skip
    assert set(told) - set(counted) == {"run_id", "started_at", "finished_at"}


def test_a_step_is_said_once_however_often_it_is_asked(api, organization, template):
    a_timeout(organization)
    stuck(organization)

    first, again = api.get(CHECK).json(), api.get(CHECK).json()

    assert (first["timeouts_emitted"], again["timeouts_emitted"]) == (1, 0)
    assert again["skipped_recent_reminder"] == 1
    assert [item["outcome"] for item in again["items"]] == ["skipped_recent_reminder"]
    assert timeouts().count() == 1


def test_a_dry_run_tells_and_writes_nothing(api, organization, template):
    a_timeout(organization)
    stuck(organization)

    told = api.get(f"{CHECK}?dry_run=true").json()

    assert (told["dry_run"], told["due"], told["timeouts_emitted"]) == (True, 1, 0)
    assert [(item["outcome"], item["event_id"]) for item in told["items"]] == [("would_emit", None)]
    assert not timeouts().exists()


def test_one_journey_alone_can_be_asked_for(api, organization, template):
    a_timeout(organization)
    stuck(organization)

    elsewhere = api.post(f"{CHECK}?journey_key=yoga").json()
    here = api.post(f"{CHECK}?journey_key=intake").json()

    assert (elsewhere["rules_checked"], elsewhere["stale"]) == (0, 0)
    assert (here["rules_checked"], here["timeouts_emitted"]) == (1, 1)


def test_another_practice_is_neither_told_of_nor_acted_upon(organization, template):
    a_timeout(organization)
    stuck(organization)

    told = by_key(OrganizationFactory(), "admin:run").get(CHECK).json()

    assert (told["rules_checked"], told["stale"], told["items"]) == (0, 0, [])
    assert not timeouts().exists()


@pytest.mark.parametrize(
    "query",
    [
        "dry_run=maybe",
        "dry_run=",
        "dry_run=0",
        "dry_run=off",
        "journey_key=No Key",
        "limit=3",
        "dry_run=true&dry_run=false",
    ],
)
def test_a_parameter_that_is_none_is_refused_and_nothing_is_done(
    api, organization, template, query
):
    a_timeout(organization)
    stuck(organization)

    problem(api.get(f"{CHECK}?{query}"), 400, "invalid_parameter")
    assert not timeouts().exists()


def test_a_dry_run_asked_for_in_the_body_does_not_act(api, organization, template):
    a_timeout(organization)
    stuck(organization)

    problem(api.post(CHECK, {"dry_run": True}), 400, "unknown_field")
    assert not timeouts().exists()
    assert api.post(CHECK, {}).json()["timeouts_emitted"] == 1


def test_a_browser_may_ask_from_our_own_pages(manager, organization, template):
    a_timeout(organization)
    stuck(organization)
    api = by_session(manager)

    for site, expected in (("same-origin", 200), ("none", 200)):
        assert api.get(CHECK, **{"Sec-Fetch-Site": site}).status_code == expected
    assert timeouts().count() == 1


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_another_sites_page_makes_nobody_check(manager, organization, template, settings, method):
    settings.KURA_RATES = settings.KURA_RATES | {"check": "1/hour"}
    a_timeout(organization)
    stuck(organization)
    api = by_session(manager)

    for _ in range(3):
        response = api.call(method, CHECK, **{"Sec-Fetch-Site": "cross-site"})
        problem(response, 403, "cross_site_request")

    assert not timeouts().exists()
    assert api.call(method, CHECK).status_code == 200  # the limit was not used up


def test_a_browser_sends_no_session_with_another_sites_requests():
    assert django_settings.SESSION_COOKIE_SAMESITE == "Lax"


def test_a_post_by_session_needs_its_csrf_token(manager):
    api = by_session(manager)
    api.headers = {}

    problem(api.post(CHECK), 403, "csrf_failed")


def test_to_look_at_the_headers_is_not_to_act(api, organization, template):
    a_timeout(organization)
    stuck(organization)

    response = api.call("HEAD", CHECK)

    assert (response.status_code, response.headers["Allow"]) == (405, "GET, POST")
    assert not timeouts().exists()


def test_checks_have_a_limit_of_their_own(organization, manager, settings):
    settings.KURA_RATES = settings.KURA_RATES | {"check": "2/hour"}
    api = by_key(organization)

    statuses = [api.get(CHECK).status_code, api.post(CHECK).status_code]
    refused = api.get(CHECK)

    assert statuses == [200, 200]
    problem(refused, 429, "rate_limited")
    assert refused.headers["RateLimit-Limit"] == "2"
    assert api.get("/api/v1/auth/me").status_code == 200
    assert by_token(manager).get(CHECK).status_code == 200


def test_two_checks_of_one_practice_at_once_are_one(api, organization, template):
    a_timeout(organization)
    stuck(organization)
    at_work, may_end = threading.Event(), threading.Event()
    another = threading.Thread(target=hold_the_turn, args=(organization, at_work, may_end))
    another.start()
    at_work.wait(10)

    try:
        problem(api.get(CHECK), 409, "check_in_progress")
        assert api.get(f"{CHECK}?dry_run=true").json()["due"] == 1  # to look needs no turn
        elsewhere = by_key(OrganizationFactory(), "admin:run")
        assert elsewhere.get(CHECK).status_code == 200
    finally:
        may_end.set()
        another.join()
    assert api.get(CHECK).json()["timeouts_emitted"] == 1


def hold_the_turn(practice, at_work: threading.Event, may_end: threading.Event) -> None:
    """Another connection is at it."""
    with tenancy.scope(practice), monitor._turn():
        at_work.set()
        may_end.wait(10)
    connections.close_all()


@pytest.mark.parametrize("headers", [{}, {"Idempotency-Key": "again"}])
def test_no_transaction_surrounds_a_check(committed_db, headers):
    """Each batch commits by itself, also under a key: what was said stays said."""
    practice = OrganizationFactory()
    with tenancy.scope(practice):
        a_template(practice)
        a_timeout(practice)
        stuck(practice)
    api = by_key(practice)

    with CaptureQueriesContext(connection) as queries:
        assert api.post(CHECK, **headers).json()["timeouts_emitted"] == 1

    said = [query["sql"] for query in queries]
    unlocked = next(number for number, sql in enumerate(said) if "advisory_unlock" in sql)
    last_commit = max(number for number, sql in enumerate(said) if sql == "COMMIT")
    begun = [sql for sql in said if sql == "BEGIN"]
    assert (len(begun), last_commit < unlocked) == (1, True), said


@pytest.mark.parametrize("people", [1, 20])
def test_a_check_costs_as_many_queries_for_one_as_for_many(api, organization, template, people):
    a_timeout(organization)
    for _ in range(people):
        stuck(organization)

    with CaptureQueriesContext(connection) as queries:
        told = api.get(CHECK).json()

    assert told["timeouts_emitted"] == people
    ours = [query["sql"] for query in queries if "SAVEPOINT" not in query["sql"]]
    # caller, limit of checks; rules, turn, visits, who stands there, events, bell, timers, turn
    assert len(ours) <= 12, ours
