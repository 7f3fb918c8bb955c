"""`record_event` and `trace_event`: the front door and the answer, for people with a shell."""

from __future__ import annotations

import io
import json
import uuid

import pytest
from django.core.management import CommandError, call_command
from django.utils import translation

from automation.models import EventDispatch
from journeys.models import SystemEventLog
from journeys.services.transitions import enroll
from tests.automation.practice import a_rule, drain, move
from tests.factories import PatientFactory, system


@pytest.fixture
def somebody(organization, template):
    patient = PatientFactory(
        organization=organization, external_id="OM-1", email="marta@example.org"
    )
    enroll(patient_id=patient.pk, journey_key="intake", cause=system())
    return patient


@pytest.fixture
def record(organization):
    def run(*arguments, **changes):
        given = {
            "organization": organization.slug,
            "type": "PAYMENT_SUCCEEDED",
            "source": "integration:bank",
            "id": "payment-1",
            "external-id": "OM-1",
            "journey": "intake",
        } | changes
        words = [f"--{name}={value}" for name, value in given.items() if value is not None]
        out = io.StringIO()
        call_command("record_event", *words, *arguments, stdout=out)
        return out.getvalue().strip()

    return run


def trace(*arguments):
    out = io.StringIO()
    call_command("trace_event", *arguments, stdout=out)
    return out.getvalue()


def test_it_stores_the_event_and_prints_id_and_status(somebody, record):
    event_id, status = record(payload='{"amount_cents": 9000}').split()

    event = SystemEventLog.objects.get(pk=event_id)
    assert (event.event_type, event.source) == ("PAYMENT_SUCCEEDED", "integration:bank")
    assert (event.patient_id, event.journey_key) == (somebody.pk, "intake")
    assert event.payload_row.payload == {"amount_cents": 9000}
    assert status == EventDispatch.objects.get(pk=event_id).status == "queued"


def test_the_same_again_is_said_to_be_there(somebody, record):
    first = record()

    assert record() == f"{first}, was there already"
    assert SystemEventLog.objects.filter(source="integration:bank").count() == 1


@pytest.mark.parametrize("name", ["patient-id", "external-id", "email"])
def test_the_patient_may_be_named_in_three_ways(somebody, record, name):
    value = {"patient-id": somebody.pk, "external-id": "OM-1", "email": "MARTA@example.org"}[name]

    event_id, _ = record(**{"external-id": None} | {name: value}).split()

    assert SystemEventLog.objects.get(pk=event_id).patient_id == somebody.pk


def test_somebody_nobody_knows_is_kept_as_unmatched(somebody, record):
    assert record(**{"external-id": "OM-404"}).endswith(" unmatched")


def test_the_payload_may_come_from_stdin_and_the_time_may_be_given(somebody, record, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO('{"currency": "EUR"}'))

    event_id, _ = record(payload="-", **{"occurred-at": "2026-01-31T09:00:00+01:00"}).split()

    event = SystemEventLog.objects.get(pk=event_id)
    assert event.payload_row.payload == {"currency": "EUR"}
    assert event.occurred_at.isoformat() == "2026-01-31T08:00:00+00:00"


REFUSED = {
    "unknown practice": ({"organization": "nowhere"}, "There is no organization “nowhere”"),
    "unknown event": ({"type": "PAID"}, "unknown_event_type"),
    "reserved event": ({"type": "JOURNEY_STAGE_TIMEOUT"}, "event_type_reserved"),
    "untrusted source": ({"source": "form:tally"}, "source_not_trusted"),
    "no source": ({"source": "bank"}, "KIND:NAME"),
    "no kind of source": ({"source": "bank:x"}, "Kinds: form, integration, staff."),
    "Kura's own source": ({"source": "system:transitions"}, "Kinds: form, integration, staff."),
    "a source of blanks": ({"source": "form:a b"}, "validation_error"),
    "empty id": ({"id": ""}, "event_id_required"),
    "no uuid": ({"external-id": None, "patient-id": "7"}, "no UUID"),
    "empty reference": ({"external-id": ""}, "validation_error"),
    "unknown journey": ({"journey": "intkae"}, "There is no journey “intkae”. Known: intake."),
    "no JSON": ({"payload": "{"}, "no JSON"),
    "no object": ({"payload": "[]"}, "no object"),
    "unfit payload": ({"payload": '{"amount_cents": "much"}'}, "/amount_cents"),
    "no time": ({"occurred-at": "yesterday"}, "no date and time"),
    "no offset": ({"occurred-at": "2026-01-31T09:00:00"}, "offset"),
    "no such day": ({"occurred-at": "2026-02-31T09:00:00Z"}, "no date and time"),
}


@pytest.mark.parametrize(("changes", "words"), REFUSED.values(), ids=REFUSED)
def test_what_is_refused_is_said_in_words_and_nothing_is_stored(somebody, record, changes, words):
    before = SystemEventLog.objects.count()

    with pytest.raises(CommandError) as refused:
        record(**changes)

    assert words in str(refused.value)
    assert refused.value.returncode == 1
    assert SystemEventLog.objects.count() == before


def test_a_refusal_is_said_in_english_as_everything_that_commands_print(somebody, record):
    with translation.override("es"), pytest.raises(CommandError) as refused:
        record(**{"occurred-at": "2999-01-31T09:00:00Z"})

    assert str(refused.value).endswith(" (event_time)")
    assert "evento" not in str(refused.value)


def test_another_body_under_the_same_id_is_refused(somebody, record):
    record(payload='{"amount_cents": 1}')

    with pytest.raises(CommandError, match="idempotency_key_reused"):
        record(payload='{"amount_cents": 2}')


def test_the_trace_is_printed_as_people_read_it(organization, somebody, record):
    a_rule(organization, "PAYMENT_SUCCEEDED", move("intake", "CONFIRMED"), name="Confirm")
    a_rule(
        organization, "PAYMENT_SUCCEEDED", move("intake", "COMPLETED"), name="Off", is_active=False
    )
    a_rule(
        organization,
        "PAYMENT_SUCCEEDED",
        move("intake", "COMPLETED"),
        name="Rich",
        conditions={"field": "event.payload.amount_cents", "op": "gte", "value": 10_000},
    )
    event_id, _ = record(payload='{"amount_cents": 9000}').split()
    drain()

    lines = trace(event_id).splitlines()

    assert lines[0].startswith("PAYMENT_SUCCEEDED in intake from integration:bank")
    assert lines[1].endswith("; done after 1 attempt")
    assert any(line.startswith("rule “Confirm” version 1: done") for line in lines)
    assert any("(expected gte 10000, was 9000)  ← first that failed" in line for line in lines)
    assert "rule “Off”: did not look (inactive)" in lines
    assert any(line.startswith("moved in intake: SCREENING_PENDING → CONFIRMED") for line in lines)
    assert any(line.startswith("followed by JOURNEY_STAGE_CHANGED") for line in lines)


def test_the_trace_is_printed_for_programs(organization, somebody, record):
    a_rule(organization, "PAYMENT_SUCCEEDED", move("intake", "CONFIRMED"))
    event_id, _ = record().split()
    drain()

    told = json.loads(trace(event_id, "--json"))

    assert told["event"]["id"] == event_id
    assert told["runs"][0]["actions"][0]["status"] == "done"
    assert told["moves"][0]["to_stage"] == "CONFIRMED"


@pytest.mark.parametrize("event_id", ["x", str(uuid.uuid4())], ids=["no id", "unknown"])
def test_an_event_that_is_none_is_refused(db, event_id):
    with pytest.raises(CommandError):
        trace(event_id)
