"""`/rules/{id}/backtest`: what a rule would have done, told to whoever may know it."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from automation import backtest as engine
from automation.api import backtests
from automation.services.rules import archive, create_rule, save_draft
from journeys.services.transitions import enroll, transition
from kura import tenancy
from tests.api.conftest import by_key, by_token, problem
from tests.api.test_rehearsals import everything
from tests.automation.practice import a_definition, drain, move, tell
from tests.automation.test_monitor import TASK, stuck
from tests.factories import PatientFactory, a_template, a_user, system


@pytest.fixture
def api(organization, template):
    return by_key(organization)


@pytest.fixture
def rule(organization, template):
    return made(organization, conditions=rich(500))


def made(organization, **fields):
    return create_rule(organization=organization, definition=a_definition(**fields), user=None)


def rich(amount):
    return {"field": "event.payload.amount_cents", "op": "gte", "value": amount}


def path(rule):
    return f"/api/v1/rules/{rule.pk}/backtest"


def paid(patient, amount, **fields):
    payload = {"amount_cents": amount}
    told = tell(patient, "PAYMENT_SUCCEEDED", str(uuid.uuid4()), payload=payload, **fields)
    drain()
    return told.event_id


@pytest.fixture
def enrolled(organization, template):
    patient = PatientFactory(organization=organization)
    enroll(patient_id=patient.pk, journey_key="intake", cause=system())
    return patient


def tried(api, one, **body):
    response = api.post(path(one), body, **{"Accept-Language": "en"})
    assert response.status_code == 200, response.content
    return response.json()


def test_it_tells_what_the_published_version_did(api, rule, enrolled):
    big, small = paid(enrolled, 900), paid(enrolled, 100)

    told = tried(api, rule)

    numbers = ("version", "there", "looked_at", "is_partial", "events", "matched", "people")
    assert [told[name] for name in numbers] == ["published", 2, 2, False, 2, 1, 1]
    assert (told["would_move"], told["would_fail"], told["unknown"]) == (1, [], 0)
    assert told["groups"] == [
        {"pointer": "", "words": "Amount in cents is at least 500", "met": 1, "no_data": 0}
    ]
    assert told["conditions"] == [{"pointer": "", "met": 1, "unmet": 1, "no_data": 0}]
    assert told["difference"]["added"] == told["difference"]["removed"] == 0
    assert (told["waiting"], told["place"]) == (None, None)
    ran, rested = told["sample"]
    assert (ran["event_id"], ran["runs"], ran["failed_on"]) == (str(big), True, None)
    assert ran["actions"] == [{"status": "done", "error_code": None}]
    assert (rested["event_id"], rested["patient_id"]) == (str(small), str(enrolled.pk))
    assert rested["failed_on"] | {"words": ""} == {
        "pointer": "", "path": "event.payload.amount_cents", "op": "gte", "expected": 500,
        "actual": 100, "result": False, "note": "", "words": "", "hidden": False,
    }  # fmt: skip
    assert rested["reason"] == "Expected: amount in cents is at least 500; it was: 100"


def test_the_draft_is_tried_where_there_is_one_and_another_rule_where_it_is_given(
    api, rule, enrolled
):
    paid(enrolled, 600)
    save_draft(rule_id=rule.pk, definition=a_definition(conditions=rich(700)))

    assert (tried(api, rule)["version"], tried(api, rule)["matched"]) == ("draft", 0)
    assert tried(api, rule)["difference"]["removed"] == 1
    assert tried(api, rule, version="published")["matched"] == 1
    given = tried(api, rule, rule=a_definition(conditions=rich(1)))
    assert (given["version"], given["matched"]) == ("given", 1)


def test_what_would_fail_is_counted_by_its_code(api, organization, rule, enrolled):
    transition(
        patient_id=enrolled.pk, journey_key="intake", to_stage="BLOCKED_HIGH_RISK", cause=system()
    )
    paid(enrolled, 900)

    told = tried(api, rule, rule=a_definition(actions=[move("intake", "CONFIRMED"), TASK]))

    [why] = told["would_fail"]
    assert (why["code"], why["count"], told["would_move"]) == ("journey_blocked", 1, 0)
    first, second = told["actions"]
    assert (first["refused"], first["why"][0]["code"]) == (1, "journey_blocked")
    assert (second["skipped"], second["words"]) == (1, "Give the therapist a task: “Look”")


def test_a_time_out_tells_whom_it_would_remind_now(api, organization, template):
    late = stuck(organization, 50)
    timeout = made(
        organization, trigger_event="JOURNEY_STAGE_TIMEOUT", stage="SCREENING_PENDING",
        max_hours="48", actions=[TASK],
    )  # fmt: skip

    told = tried(api, timeout, rule=timeout.definition | {"max_hours": 24})

    assert (told["events"], told["matched"]) == (1, 0)
    assert told["waiting"] == {"told": 0, "before": 1, "if_counted": False}
    [case] = told["sample"]
    assert (case["event_id"], case["patient_id"]) == (None, str(late.pk))
    assert case["withheld"] == "before"


def test_a_period_and_a_limit(api, rule, enrolled):
    now = timezone.now()
    for days in (40, 20, 10):
        paid(enrolled, 900, occurred_at=now - timedelta(days=days))
    since = (now - timedelta(days=50)).isoformat()

    assert tried(api, rule)["events"] == 2
    assert tried(api, rule, **{"from": since})["events"] == 3
    assert tried(api, rule, **{"from": since, "to": (now - timedelta(days=15)).isoformat()})[
        "events"
    ] == 2  # fmt: skip
    part = tried(api, rule, **{"from": since, "limit": 2})
    assert (part["there"], part["looked_at"], part["is_partial"]) == (3, 2, True)


@pytest.mark.parametrize(
    ("body", "code", "pointer"),
    [
        ({"limit": 0}, "min_value", "/limit"),
        ({"limit": 10_001}, "max_value", "/limit"),
        ({"limit": 2.5}, "invalid", "/limit"),
        ({"from": "2026-01-01"}, "invalid", "/from"),
        ({"from": "2020-01-01T00:00:00Z"}, "invalid", "/from"),
        ({"from": "2026-01-02T00:00:00Z", "to": "2026-01-02T00:00:00Z"}, "invalid", "/from"),
        ({"to": "0001-01-01T00:00:00Z"}, "invalid", "/from"),
        ({"version": "third"}, "invalid_choice", "/version"),
        ({"version": "draft", "rule": {}}, "invalid", "/version"),
        ({"days": 30}, "unknown_field", "/days"),
        ({"rule": {"name": "x", "trigger_event": "CUSTOM.x", "actions": []}}, "wrong_value",
         "/rule/actions"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_where_it_is_wrong(api, rule, body, code, pointer):
    response = api.post(path(rule), body)

    assert response.status_code == 400, response.content
    assert [one["pointer"] for one in response.json()["errors"]] == [pointer]


def test_a_draft_that_is_not_there_is_refused(api, rule):
    problem(api.post(path(rule), {"version": "draft"}), 409, "no_draft")


def test_a_draft_with_problems_has_pointers_into_the_draft(api, rule):
    save_draft(rule_id=rule.pk, definition={"name": "x"})

    told = problem(api.post(path(rule), {}), 400, "validation_error")

    assert {one["pointer"] for one in told["errors"]} == {"/draft/trigger_event", "/draft/actions"}


def test_an_archived_rule_can_still_be_tried(api, rule, enrolled):
    paid(enrolled, 900)
    archive(rule_id=rule.pk, user=None)

    assert tried(api, rule)["matched"] == 1


def test_no_time_is_503_with_a_code(api, rule, enrolled, monkeypatch):
    paid(enrolled, 900)
    monkeypatch.setattr(backtests, "backtest", lambda **asked: engine.backtest(**asked, seconds=-1))

    problem(api.post(path(rule), {}), 503, "backtest_timeout")


def test_nothing_is_written(api, rule, enrolled):
    paid(enrolled, 900)
    tried(api, rule)
    before = everything()

    assert tried(api, rule)["would_move"] == 1
    assert everything() == before


def test_an_idempotency_key_keeps_nothing(api, rule, enrolled):
    first = api.post(path(rule), {}, **{"Idempotency-Key": "once"})
    paid(enrolled, 900)

    again = api.post(path(rule), {}, **{"Idempotency-Key": "once"})

    assert (first.json()["events"], again.json()["events"]) == (0, 1)


@pytest.mark.parametrize(
    "scopes",
    ["rules:write", "rules:write events:read", "rules:write patients:read",
     "events:read patients:read"],
)  # fmt: skip
def test_who_may_not_know_the_facts_may_not_ask(organization, rule, enrolled, scopes):
    paid(enrolled, 900)

    refused = by_key(organization, *scopes.split()).post(path(rule), {})

    problem(refused, 403, "permission_denied")


def test_a_manager_whose_token_is_wide_enough_may(organization, rule):
    assert by_token(a_user(organization, "manager")).post(path(rule), {}).status_code == 200


def test_anothers_rule_is_as_unknown_as_none(api, other_organization):
    with tenancy.scope(other_organization):
        a_template(other_organization)
        foreign = made(other_organization)

    def asked(pk):
        answer = api.post(f"/api/v1/rules/{pk}/backtest", {})
        return {**problem(answer, 404, "not_found"), "request_id": ""}

    assert asked(foreign.pk) == asked(uuid.uuid4())


@pytest.mark.parametrize("events", [1, 30])
def test_it_costs_as_many_queries_for_one_event_as_for_many(api, rule, enrolled, events):
    for _ in range(events):
        paid(enrolled, 900)
    tried(api, rule)

    with CaptureQueriesContext(connection) as queries:
        tried(api, rule)

    assert len(queries) == 17, [one["sql"] for one in queries]
