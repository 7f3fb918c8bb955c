"""Why somebody is blocked, said shortly and truly, and who has looked at it since."""

from __future__ import annotations

import pytest
from django.utils import timezone, translation

from automation.models import RuleVersion
from automation.selectors.event_page import Sight
from journeys.cause import by_system, by_user
from journeys.models import BlockReview
from journeys.selectors.definitions import definitions_in_scope
from journeys.services.transitions import enroll, transition, unblock
from kura import tenancy
from kura.accounts.models import Organization, User
from kura.standing.blocks import BlockTold, blocks_of, reason_words
from kura.standing.journey import journeys_of, listed
from patients.models import Patient
from tests.automation.practice import a_rule, drain, move, tell
from tests.factories import a_user, an_event, reviewed, system, the_enrollment
from tests.standing.practice import (
    a_journey,
    a_random_practice,
    a_task,
    hours_ago,
    limits,
    someone,
)

ALL = Sight(values=True, contents=True)
NO_CONTENTS = Sight(values=True, contents=False)
RISK = "RISK_ANALYSIS_COMPLETED"
LEVEL = "event.payload.risk_level"
LAST = f"events.{RISK}.last.risk_level"
DANGEROUS = {"field": LEVEL, "op": "in", "value": ["HIGH", "CRITICAL"]}
MEDICATED = {"field": "event.payload.medication_active", "op": "eq", "value": True}
SCORE = {"field": "event.payload.risk_score", "op": "gte", "value": 7}
BLOCK = "BLOCKED_HIGH_RISK"
FOUND = {"risk_level": "HIGH", "medication_active": True, "risk_score": 8.5}


@pytest.fixture
def patient(patient: Patient) -> Patient:
    a_journey(patient.organization)
    enroll(patient_id=patient.pk, journey_key="intake", cause=system())
    return patient


def told_of(patient: Patient) -> BlockTold:
    enrollment = the_enrollment(patient)
    return blocks_of([enrollment.pk])[enrollment.pk]


def words(patient: Patient, sight: Sight = ALL, language: str = "en") -> str:
    with translation.override(language):
        return reason_words(told_of(patient), sight)


def block_by_rule(patient: Patient, conditions: object, trigger: str = RISK, **fields) -> None:
    fields = {"name": "Stop at a risk", **fields}
    rule = a_rule(
        patient.organization, trigger, move("intake", BLOCK), conditions=conditions, **fields
    )
    RuleVersion.objects.create(rule=rule, version=rule.version, definition=rule.definition)
    tell(patient, RISK, payload=FOUND)
    drain()


def block(patient: Patient, cause) -> None:
    transition(patient_id=patient.pk, journey_key="intake", to_stage=BLOCK, cause=cause)


# --- why ------------------------------------------------------------------------------------------


def test_what_a_person_wrote_is_the_reason(patient: Patient, therapist: User) -> None:
    block(patient, by_user(therapist, reason_code="risk_found", reason="Sleeps two hours a night"))

    assert words(patient) == "Sleeps two hours a night"


def test_without_words_the_kind_of_reason_is_it(patient: Patient, therapist: User) -> None:
    block(patient, by_user(therapist, reason_code="risk_found"))

    assert words(patient) == "Risk found"


CONDITIONS = {
    "a value that speaks for itself": (DANGEROUS, "high risk"),
    "what else was so": ({"all": [DANGEROUS, MEDICATED]}, "high risk, takes medication"),
    "a number by its name": (SCORE, "risk score: 8.5"),
    "of alternatives those that were so": (
        {"any": [{"field": LEVEL, "op": "eq", "value": "UNKNOWN"}, MEDICATED]},
        "takes medication",
    ),
    "in the words of the rule's author": (
        {"all": [DANGEROUS | {"label": {"es": "riesgo grave", "en": "serious risk"}}]},
        "serious risk",
    ),
    "a value that is none of the harmless ones": (
        {"field": LEVEL, "op": "not_in", "value": ["LOW", "MEDIUM"]},
        "high risk",
    ),
    "said once": ({"all": [DANGEROUS, {"field": LEVEL, "op": "ne", "value": "LOW"}]}, "high risk"),
    "where they stood is no reason": (
        {"field": "journeys.intake", "op": "eq", "value": "SCREENING_PENDING"},
        "Stop at a risk",
    ),
    "no condition at all": ({}, "Stop at a risk"),
}


@pytest.mark.parametrize(
    ("conditions", "expected"), CONDITIONS.values(), ids=list(CONDITIONS.keys())
)
def test_what_a_rule_found_is_the_reason(patient: Patient, conditions, expected) -> None:
    block_by_rule(patient, conditions)

    assert words(patient) == expected


def test_the_reason_is_in_the_readers_language(patient: Patient) -> None:
    block_by_rule(patient, {"all": [DANGEROUS, SCORE]})

    assert words(patient, language="es") == "riesgo alto, puntuación de riesgo: 8,5"


def test_what_was_found_before_is_told_as_well(organization: Organization) -> None:
    a_journey(organization)
    late = someone_with_a_risk(organization)
    a_rule(
        organization,
        "JOURNEY_ENROLLED",
        move("intake", BLOCK),
        conditions={"field": LAST, "op": "not_in", "value": ["LOW", "MEDIUM"]},
    )

    enroll(patient_id=late.pk, journey_key="intake", cause=system())
    drain()

    assert words(late) == "critical risk"


def someone_with_a_risk(organization: Organization) -> Patient:
    found = Patient.objects.create(organization=organization, full_name="Late")
    an_event(found, RISK, occurred_at=hours_ago(1), payload={"risk_level": "CRITICAL"},
             journey_key=None)  # fmt: skip
    return found


def test_who_may_not_read_events_is_told_the_rule_and_no_value(patient: Patient) -> None:
    block_by_rule(patient, {"all": [DANGEROUS, SCORE]})

    assert words(patient, NO_CONTENTS) == "Stop at a risk"


def test_an_event_that_moved_without_a_rule_speaks_for_itself(patient: Patient) -> None:
    event = an_event(patient, RISK, occurred_at=timezone.now(), payload={"risk_level": "UNKNOWN"})
    block(patient, by_system(via="test", trigger_event_id=event.pk))

    assert words(patient) == "undetermined risk"
    assert words(patient, NO_CONTENTS) == "Risk analysis completed"


def test_nothing_known_is_nothing_said(patient: Patient) -> None:
    block(patient, by_system(via="test"))

    assert words(patient) == ""


# --- who looked at it -----------------------------------------------------------------------------


def keep(patient: Patient, reviewer: User) -> BlockReview:
    enrollment = the_enrollment(patient)
    return BlockReview.objects.create(
        organization_id=patient.organization_id,
        enrollment=enrollment,
        seq=enrollment.seq,
        reviewer=reviewer,
    )


def test_who_looked_last_is_named(patient: Patient, therapist: User) -> None:
    block(patient, system())
    keep(patient, therapist)
    colleague = a_user(patient.organization, display_name="Jon Salas")
    last = keep(patient, colleague)

    kept = told_of(patient).kept

    assert kept is not None
    assert (kept.by, kept.at) == ("Jon Salas", BlockReview.objects.get(pk=last.pk).reviewed_at)


def test_a_review_of_an_earlier_block_says_nothing_about_this_one(
    patient: Patient, therapist: User
) -> None:
    block(patient, system())
    keep(patient, therapist)
    unblock(patient_id=patient.pk, journey_key="intake", cause=reviewed(therapist))

    assert blocks_of([the_enrollment(patient).pk]) == {}

    block(patient, system())
    assert told_of(patient).kept is None


def test_a_block_of_another_practice_is_none(patient, other_organization) -> None:
    block(patient, system())

    with tenancy.scope(other_organization):
        assert blocks_of([the_enrollment_id(patient)]) == {}


def the_enrollment_id(patient: Patient):
    with tenancy.every_organization():
        return the_enrollment(patient).pk


# --- the same in a list ---------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [3, 11])
def test_a_list_reads_in_one_query_what_others_read_in_several(
    organization: Organization, therapist: User, seed: int, django_assert_num_queries
) -> None:
    a_random_practice(organization, therapist, seed=seed, size=25)
    people = list(Patient.objects.values_list("pk", flat=True))
    known, now = definitions_in_scope(), limits()

    with django_assert_num_queries(1):
        found = listed(people, now, known)

    plain = journeys_of(people, limits())
    for pk in people:
        assert [facts(one) for one in found[pk].journeys] == [facts(one) for one in plain[pk]]
    blocked = [one for views in plain.values() for one in views if one.blocked]
    assert blocked
    told = next(iter(found.values())).blocks
    assert told == blocks_of(one.enrollment_id for one in blocked)


def facts(view):
    blocked = view.blocked and (view.blocked.stage, view.blocked.since)
    return (
        view.enrollment_id, view.number, view.status, view.current_stage, view.entered_at,
        view.overdue_by, view.action_required, view.tasks, blocked,
    )  # fmt: skip


def test_a_list_tells_tasks_that_hang_on_no_journey(organization: Organization) -> None:
    a_journey(organization)
    one = someone(organization, BLOCK, 3).patient
    loose, about = a_task(one, None, "Call"), a_task(one, the_enrollment(one), "Look")

    found = listed([one.pk], limits(), definitions_in_scope())[one.pk]

    assert {task.id for task in found.tasks} == {loose.pk, about.pk}
    assert [task.id for task in found.journeys[0].tasks] == [about.pk]
