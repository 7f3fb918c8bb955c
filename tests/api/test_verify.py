"""`/journey-logs/verify`: is the log whole, and is it still the one that somebody saw?"""

from __future__ import annotations

import hashlib
import json

import pytest
from django.db import connection

from journeys.models import JourneyLog
from journeys.selectors import chain
from journeys.services.transitions import enroll, transition
from kura import tenancy
from kura.standing.api import logs
from tests.api.conftest import by_token, once_settled, problem
from tests.factories import OrganizationFactory, PatientFactory, a_template, a_user, system

LOGS = "/api/v1/journey-logs"
VERIFY = "/api/v1/journey-logs/verify"
FIELDS = ["id", "enrollment_id", "seq", "patient_id", "journey_key", "from_stage", "to_stage",
          "changed_at", "recorded_at", "actor.type", "actor.id", "reason_code", "rule_id",
          "trigger_event_id", "request_id"]  # fmt: skip


@pytest.fixture
def practice(committed_db):
    organization = OrganizationFactory()
    a_template(organization)
    with tenancy.scope(organization):
        yield organization


@pytest.fixture
def api(practice):
    return by_token(a_user(practice, "manager"))


def somebody_moves(practice):
    patient = PatientFactory(organization=practice)
    enroll(patient_id=patient.pk, journey_key="intake", cause=system())
    transition(patient_id=patient.pk, journey_key="intake", to_stage="CONFIRMED", cause=system())
    once_settled()
    return patient


def value(entry, path):
    for name in path.split("."):
        entry = entry[name]
    return entry


def by_hand(api):
    """The hash as docs/api.md says to make it from what the log tells."""
    found = ""
    for entry in api.get(f"{LOGS}?after_id=0&page_size=200").json()["results"]:
        line = json.dumps(
            [value(entry, path) for path in FIELDS], separators=(",", ":"), ensure_ascii=False
        )
        found = hashlib.sha256((found + line).encode()).hexdigest()
    return found


def change_the_past(log_id, **columns):
    """As an owner who switches the guard off."""
    name, new = next(iter(columns.items()))
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE journey_logs DISABLE TRIGGER USER")
        cursor.execute(f"UPDATE journey_logs SET {name} = %s WHERE id = %s", [new, log_id])
        cursor.execute(
            "SELECT tgname FROM pg_trigger WHERE tgrelid = 'journey_logs'::regclass"
            " AND NOT tgisinternal"
        )
        for (trigger,) in cursor.fetchall():
            cursor.execute(f"ALTER TABLE journey_logs ENABLE ALWAYS TRIGGER {trigger}")


def test_a_whole_log_is_summed_up_as_anybody_can_who_read_it(api, practice):
    somebody_moves(practice)
    somebody_moves(practice)

    told = api.get(VERIFY).json()

    last = JourneyLog.objects.order_by("txid", "id").last()
    assert told == {
        "ok": True,
        "checked": 4,
        "head": {"id": last.pk, "hash": by_hand(api)},
        "first_bad_id": None,
        "faults": [],
    }


def test_an_empty_log_is_whole(api):
    told = api.get(VERIFY).json()

    assert (told["ok"], told["checked"], told["head"]) == (True, 0, None)


def test_a_head_that_was_kept_is_found_again_however_the_log_grows(api, practice):
    somebody_moves(practice)
    kept = api.get(VERIFY).json()
    somebody_moves(practice)

    now = api.get(VERIFY).json()
    then = api.get(f"{VERIFY}?until_id={kept['head']['id']}").json()

    assert then == kept
    assert now["head"] != kept["head"]


def test_a_log_that_was_changed_is_told_and_has_another_hash(api, practice):
    patient = somebody_moves(practice)
    kept = api.get(VERIFY).json()["head"]
    first = JourneyLog.objects.filter(patient=patient).earliest("pk")

    change_the_past(first.pk, to_stage="AWAITING_PAYMENT")

    told = api.get(VERIFY).json()
    assert told["ok"] is False
    assert told["first_bad_id"] == first.pk + 1
    assert told["faults"][0]["code"] == "log_broken_link"
    assert told["head"]["id"] == kept["id"]
    assert told["head"]["hash"] != kept["hash"]


def test_another_practices_log_is_neither_told_nor_counted(api, practice):
    other = OrganizationFactory()
    a_template(other)
    with tenancy.scope(other):
        theirs = somebody_moves(other)
        row = JourneyLog.objects.filter(patient=theirs).earliest("pk")
        change_the_past(row.pk, to_stage="AWAITING_PAYMENT")
    somebody_moves(practice)

    told = api.get(VERIFY).json()

    assert (told["ok"], told["checked"]) == (True, 2)
    foreign = problem(api.get(f"{VERIFY}?until_id={row.pk}"), 404, "not_found")
    unknown = problem(api.get(f"{VERIFY}?until_id=999999999"), 404, "not_found")
    assert {**foreign, "request_id": ""} == {**unknown, "request_id": ""}


def test_what_takes_too_long_ends_and_says_where_to_go(api, practice, monkeypatch):
    somebody_moves(practice)
    monkeypatch.setattr(logs, "LONGEST_CHECK", -1)

    problem(api.get(VERIFY), 503, "unavailable")


def test_it_is_asked_as_seldom_as_the_monitor(api, settings):
    settings.KURA_RATES = settings.KURA_RATES | {"check": "2/hour"}

    answers = [api.get(VERIFY).status_code for _ in range(3)]

    assert answers == [200, 200, 429]


def test_rows_are_read_in_parts(api, practice, monkeypatch):
    for _ in range(3):
        somebody_moves(practice)
    whole = api.get(VERIFY).json()
    monkeypatch.setattr(chain, "FETCHED", 2)

    assert api.get(VERIFY).json() == whole
