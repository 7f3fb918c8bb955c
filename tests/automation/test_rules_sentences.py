"""A rule reads as one sentence, in both languages."""

from __future__ import annotations

import pytest
from django.utils import translation

from automation.actions.base import Practice
from automation.sentences import sentence, words_of_rule
from tests.automation.practice import a_definition, emit, move


@pytest.fixture
def practice(organization, template):
    return Practice(organization=organization)


HIGH = {"field": "event.payload.risk_level", "op": "in", "value": ["HIGH", "CRITICAL"]}
STALE = {
    "trigger_event": "JOURNEY_STAGE_TIMEOUT",
    "stage": "AWAITING_PAYMENT",
    "max_hours": "48.000",
}

ENGLISH = {
    "where": (
        {},
        "When “payment received” happens in “Intake”: move to “Confirmed” in “Intake”.",
    ),
    "from which stage": (
        {"stage": "AWAITING_PAYMENT"},
        (
            "When “payment received” happens while in “Awaiting payment” of “Intake”: "
            "move to “Confirmed” in “Intake”."
        ),
    ),
    "a stage of any journey": (
        {"stage": "AWAITING_PAYMENT", "journey_key": ""},
        (
            "When “payment received” happens while in “Awaiting payment”: move to “Confirmed” in "
            "“Intake”."
        ),
    ),
    "conditions and a block": (
        {
            "trigger_event": "RISK_ANALYSIS_COMPLETED",
            "journey_key": "",
            "conditions": HIGH,
            "actions": [move("intake", "BLOCKED_HIGH_RISK"), emit("CUSTOM.held_back")],
        },
        (
            "When “risk analysis completed” happens, if risk level is one of: high, critical: "
            "block “Intake” in “Blocked: high risk”, then record the event “Held back”."
        ),
    ),
    "a stage in a condition": (
        {"conditions": {"field": "journeys.intake", "op": "eq", "value": "AWAITING_PAYMENT"}},
        (
            "When “payment received” happens in “Intake”, if stage in “Intake” is Awaiting "
            "payment: "
            "move to “Confirmed” in “Intake”."
        ),
    ),
    "a stage's time": (
        STALE,
        "When 48 h have passed in “Awaiting payment” of “Intake”: move to “Confirmed” in “Intake”.",
    ),
    "a time limit that is not finished": (
        STALE | {"stage": None, "max_hours": None},
        "When … have passed in “…” of “Intake”: move to “Confirmed” in “Intake”.",
    ),
    "no event yet": (
        {"trigger_event": "", "journey_key": ""},
        "When “…” happens: move to “Confirmed” in “Intake”.",
    ),
    "and again": (
        STALE | {"repeat_hours": 24},
        (
            "When 48 h have passed in “Awaiting payment” of “Intake”, again every 24 h: "
            "move to “Confirmed” in “Intake”."
        ),
    ),
    "and again, but not for ever": (
        STALE | {"repeat_hours": 1.5, "max_repeats": 3},
        (
            "When 48 h have passed in “Awaiting payment” of “Intake”, again every 1.5 h, "
            "3 times in all at most: move to “Confirmed” in “Intake”."
        ),
    ),
}


@pytest.mark.parametrize(
    ("hours", "words"),
    [(72, "72 h"), (96, "4 days"), (100, "100 h"), (168, "7 days"), (168.5, "168.5 h")],
)
def test_whole_days_are_told_as_days_from_the_fourth_on(practice, hours, words):
    rule = a_definition(**STALE | {"max_hours": hours, "repeat_hours": hours})

    with translation.override("en"):
        told = sentence(rule, practice)

    assert f"When {words} have passed" in told
    assert f"again every {words}:" in told


@pytest.mark.parametrize(("fields", "words"), ENGLISH.values(), ids=ENGLISH)
def test_a_rule_reads_as_one_sentence(practice, fields, words):
    with translation.override("en"):
        assert sentence(a_definition(**fields), practice) == words


def test_names_are_in_the_readers_language(practice):
    with translation.override("es"):
        words = words_of_rule(a_definition(stage="AWAITING_PAYMENT"), practice)

    assert "pago recibido" in words.when
    assert "Pendiente de pago" in words.when
    assert "Confirmado" in words.then[0]


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("es", "Pago de [nombre del journey]"),
        ("en", "Payment for [name of the journey]"),
    ],
)
def test_a_placeholder_is_read_by_its_name_in_the_readers_language(practice, language, words):
    subject = {"es": "Pago de {journey.name}", "en": "Payment for {journey.name}"}
    params = {"audience": "patient", "subject": subject, "body": "-"}
    mail = {"type": "send_email", "params": params}
    task = {"type": "create_task", "params": {"audience": "therapist", "text": subject}}

    with translation.override(language):
        told = words_of_rule(a_definition(actions=[mail, task]), practice).then

    assert all(words in one for one in told)


def test_a_rule_without_conditions_has_no_if(practice):
    assert words_of_rule(a_definition(), practice).if_ == ""


@pytest.mark.parametrize(
    "fields",
    [
        {"journey_key": "gone", "stage": "LOST", "actions": [move("gone", "LOST")]},
        {"actions": [{"type": "no such action"}, {"type": "enroll", "params": {"nokey": 1}}]},
        {"actions": []},
        {"conditions": {"field": "nowhere", "op": "eq", "value": 1}},
        {"conditions": {"nonsense": True}},
        STALE | {"max_hours": None},
    ],
)
def test_a_rule_that_was_written_past_the_services_can_still_be_read(practice, fields):
    with translation.override("en"):
        assert sentence(a_definition(**fields), practice).endswith(".")
