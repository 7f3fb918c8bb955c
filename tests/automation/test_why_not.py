"""Why a patient did not move: each event of the period, the rules about it, the nearest one."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone, translation

from automation.actions.base import Practice
from automation.monitor import check
from automation.selectors import why_not as module
from automation.selectors.event_page import Sight
from automation.selectors.listening import Why
from automation.selectors.why_not import WhyNot, awaited, why_not
from automation.services.rules import create_rule, set_active
from journeys.models.enrollment import Enrollment
from journeys.services.transitions import enroll, transition
from tests.automation.practice import a_definition, drain, emit, move, tell
from tests.factories import PatientFactory, a_template, system

SEES_ALL = Sight(values=True, contents=True)
PAID = "PAYMENT_SUCCEEDED"


@pytest.fixture
def enrolled(template, patient):
    enroll(patient_id=patient.pk, journey_key="intake", cause=system())
    return patient


@pytest.fixture(autouse=True)
def english():
    with translation.override("en"):
        yield


def make(organization, name, **fields):
    definition = a_definition(name=name, **fields)
    return create_rule(organization=organization, definition=definition, user=None)


def rich(amount):
    return {"field": "event.payload.amount_cents", "op": "gte", "value": amount}


def euros():
    return {"field": "event.payload.currency", "op": "eq", "value": "EUR"}


def asked(patient, journey_key="intake", *, days=30, sight=SEES_ALL) -> WhyNot:
    return why_not(
        organization=patient.organization,
        patient_id=patient.pk,
        journey_key=journey_key,
        since=timezone.now() - timedelta(days=days),
        sight=sight,
    )


def paid(patient, key="p", **fields):
    fields.setdefault("payload", {"amount_cents": 200, "currency": "USD"})
    told = tell(patient, PAID, key, **fields)
    drain()
    return told


def of_type(found, name=PAID):
    [one] = [one for one in found.events if one.event.event_type == name]
    return one


def test_the_nearest_rule_is_the_one_that_lacked_fewest_conditions(organization, enrolled):
    make(organization, "far", conditions={"all": [rich(500), euros()]})
    make(organization, "near", conditions={"all": [rich(100), euros()]})
    paid(enrolled)

    nearest = asked(enrolled).nearest

    assert nearest.heard.line.run.rule_name == "near"
    assert [(one.name, one.expected, one.value) for one in nearest.heard.unmet] == [
        ("Currency", "is EUR", "USD")
    ]


def test_where_one_group_would_do_only_what_it_lacks_is_counted(organization, enrolled):
    make(organization, "two", conditions={"all": [rich(500), euros()]})
    groups = {"any": [{"all": [rich(500), euros()]}, {"all": [rich(100), euros()]}]}
    make(organization, "groups", conditions=groups)
    paid(enrolled)

    nearest = asked(enrolled).nearest

    assert (nearest.heard.line.run.rule_name, len(nearest.heard.unmet)) == ("groups", 1)


def test_a_rule_that_moves_on_is_nearer_than_one_that_does_not(organization, enrolled):
    make(organization, "tells", conditions=euros(), actions=[emit("CUSTOM.x")])
    make(organization, "blocks", conditions=euros(), actions=[move("intake", "BLOCKED_HIGH_RISK")])
    make(organization, "moves", conditions={"all": [rich(500), euros()]})
    paid(enrolled)

    found = asked(enrolled)

    assert found.nearest.heard.line.run.rule_name == "moves"
    assert [one.line.run.rule_name for one in of_type(found).told] == ["moves"]
    assert {one.line.run.rule_name for one in of_type(found).more_heard} == {"tells", "blocks"}


def test_a_rule_that_would_have_blocked_says_so_when_none_would_have_moved(organization, enrolled):
    make(organization, "tells", conditions=euros(), actions=[emit("CUSTOM.x")])
    make(organization, "blocks", conditions={"all": [rich(500), euros()]},
         actions=[move("intake", "BLOCKED_HIGH_RISK")])  # fmt: skip
    paid(enrolled)

    nearest = asked(enrolled).nearest

    assert nearest.heard.line.run.rule_name == "blocks"
    assert (nearest.heard.moves, nearest.heard.blocks) == (False, ["Intake"])


def test_no_rule_was_near_that_could_not_have_moved_the_patient(organization, patient, enrolled):
    a_template(organization, key="yoga")
    make(organization, "tells", conditions=euros(), actions=[emit("CUSTOM.x")])
    for name, stage in (("moves", "CONFIRMED"), ("blocks", "BLOCKED_HIGH_RISK")):
        make(organization, name, conditions=euros(), journey_key="", actions=[move("yoga", stage)])
    paid(enrolled)

    assert asked(enrolled, "").nearest is None


def test_a_rule_that_enrolls_was_near_for_who_was_not_in_its_journey(organization, enrolled):
    a_template(organization, key="yoga")
    enrolls = {"type": "enroll", "params": {"key": "yoga"}}
    make(organization, "enrolls", conditions=euros(), actions=[enrolls])
    paid(enrolled, "before")
    enroll(patient_id=enrolled.pk, journey_key="yoga", cause=system())
    paid(enrolled, "after")

    found = asked(enrolled, "")

    nearest = found.nearest
    assert (nearest.heard.moves, nearest.happened.event.idempotency_key) == (True, "before")
    assert asked(enrolled, "intake").nearest is None


def test_of_rules_that_are_as_near_the_one_of_the_newest_event_counts(organization, enrolled):
    make(organization, "rule", conditions=euros())
    now = timezone.now()
    old = paid(enrolled, "old", occurred_at=now - timedelta(days=2))
    new = paid(enrolled, "new", occurred_at=now - timedelta(days=1))

    found = asked(enrolled)

    ids = [one.event.pk for one in found.events if one.event.event_type == PAID]
    assert ids == [new.event_id, old.event_id]
    assert found.nearest.happened.event.pk == new.event_id


def test_a_refusal_says_what_was_refused_and_what_is_missing(organization, enrolled):
    make(organization, "block", trigger_event="CUSTOM.b",
         actions=[move("intake", "BLOCKED_HIGH_RISK")])  # fmt: skip
    make(organization, "moves")
    tell(enrolled, "CUSTOM.b", "b")
    drain()
    paid(enrolled)

    [heard] = of_type(asked(enrolled)).told

    [refusal] = heard.refusals
    assert refusal.startswith("Move to “Confirmed” in “Intake”: ")
    assert "Blocked high risk" in refusal or "BLOCKED" in refusal.upper()
    assert asked(enrolled).nearest is None


def test_a_rule_that_was_off_then_is_told_and_one_made_later_stands_aside(
    organization, enrolled, therapist
):
    off = make(organization, "off")
    set_active(rule_id=off.pk, is_active=False, user=therapist)
    paid(enrolled)
    make(organization, "new")

    one = of_type(asked(enrolled))

    assert [(line.rule.rule_name, line.rule.why) for line in one.absent] == [("off", Why.INACTIVE)]
    assert [line.rule.rule_name for line in one.more_silent] == ["new"]
    assert str(therapist) in one.absent[0].why


def test_an_event_that_moved_says_so_and_one_that_nobody_heard_too(organization, enrolled):
    make(organization, "moves")
    paid(enrolled)
    tell(enrolled, "BOOKING_CONFIRMED", "quiet")
    drain()

    found = asked(enrolled)

    [line] = of_type(found).moved
    assert line.to_stage.code == "CONFIRMED"
    assert not of_type(found, "BOOKING_CONFIRMED").is_heard


def test_events_of_other_journeys_and_of_before_are_not_asked_about(organization, enrolled):
    a_template(organization, key="yoga")
    paid(enrolled, "old", occurred_at=timezone.now() - timedelta(days=40))
    paid(enrolled, "elsewhere", journey_key="yoga")
    person = tell(enrolled, "RISK_ANALYSIS_COMPLETED", "risk", journey_key=None,
                  payload={"risk_level": "LOW"})  # fmt: skip
    drain()

    def ids(**fields):
        found = asked(enrolled, **fields).events
        return {one.event.idempotency_key for one in found} & {"old", "elsewhere", "risk"}

    assert ids() == {"risk"}
    assert person.event_id in {one.event.pk for one in asked(enrolled).events}
    assert ids(days=90) == {"old", "risk"}
    assert ids(journey_key="", days=90) == {"old", "elsewhere", "risk"}


def test_what_the_reader_may_not_see_is_not_told_by_the_nearest_rule(organization, enrolled):
    make(organization, "rule", conditions=euros())
    paid(enrolled)

    found = asked(enrolled, sight=Sight(values=True, contents=False))

    [heard] = of_type(found).told
    assert heard.unmet is None
    assert found.nearest is None


def test_the_newest_events_are_on_the_page_and_the_others_counted(
    organization, enrolled, monkeypatch
):
    for number in range(4):
        paid(enrolled, f"{number}")
    monkeypatch.setattr(module, "MOST", 3)

    found = asked(enrolled)

    assert (len(found.events), found.total) == (3, 6)  # with the enrollment and its event


# --- what is waited for ---------------------------------------------------------------------------


def awaited_by(patient):
    [enrollment] = Enrollment.objects.filter(patient=patient, journey_key="intake")
    return awaited([enrollment], Practice(organization=patient.organization))[enrollment.pk]


def test_rules_that_could_move_on_from_here_are_waited_for(organization, enrolled):
    make(organization, "here", stage="SCREENING_PENDING")
    make(organization, "anywhere")
    make(organization, "elsewhere", stage="AWAITING_PAYMENT")
    make(organization, "blocks", actions=[move("intake", "BLOCKED_HIGH_RISK")])
    make(organization, "tells", actions=[emit("CUSTOM.x")])
    off = make(organization, "off")
    set_active(rule_id=off.pk, is_active=False, user=None)

    found = {one.rule.name: (one.stage, one.refused) for one in awaited_by(enrolled).rules}

    assert found == {"here": ("Confirmed", ""), "anywhere": ("Confirmed", "")}


def test_a_block_stands_in_the_way_of_all_of_them(organization, enrolled):
    make(organization, "moves")
    transition(patient_id=enrolled.pk, journey_key="intake", to_stage="BLOCKED_HIGH_RISK",
               cause=system())  # fmt: skip

    [ahead] = awaited_by(enrolled).rules

    assert "block" in ahead.refused.lower()


def test_clocks_of_the_stage_say_what_was_announced_and_when_the_next_is_due(
    organization, enrolled
):
    limit = {
        "trigger_event": "JOURNEY_STAGE_TIMEOUT",
        "max_hours": 2,
        "actions": [emit("CUSTOM.x")],
    }
    twice = create_rule(
        organization=organization, user=None, also_waiting=True,
        definition=a_definition(name="twice", stage="SCREENING_PENDING", repeat_hours=3,
                                max_repeats=2, **limit),
    )  # fmt: skip
    create_rule(organization=organization, user=None, also_waiting=True,
                definition=a_definition(name="elsewhere", stage="CONFIRMED", **limit))  # fmt: skip
    [enrollment] = Enrollment.objects.filter(patient=enrolled)

    def told():
        [clock] = awaited_by(enrolled).clocks
        assert clock.rule.pk == twice.pk
        return clock.number, clock.most, clock.due_at and clock.due_at - enrollment.entered_at

    before = told()
    check(clock=lambda: enrollment.entered_at + timedelta(hours=2, minutes=1))
    once = told()
    check(clock=lambda: enrollment.entered_at + timedelta(hours=5, minutes=1))

    assert before == (0, 2, timedelta(hours=2))
    assert once == (1, 2, timedelta(hours=5))
    assert told() == (2, 2, None)


# --- cost -----------------------------------------------------------------------------------------


def cost(patient):
    with CaptureQueriesContext(connection) as counted:
        asked(patient)
    return len(counted)


def test_it_costs_the_same_however_many_events_and_rules(organization, enrolled, therapist):
    make(organization, "one", conditions=euros())
    paid(enrolled, "first", payload={"amount_cents": 2, "currency": "EUR"})
    few = cost(enrolled)

    for number in range(8):
        make(organization, f"{number}", conditions=rich(500 + number))
        off = make(organization, f"off {number}")
        set_active(rule_id=off.pk, is_active=False, user=therapist)
    other = PatientFactory(organization=organization)
    for number in range(6):
        paid(enrolled, f"more-{number}")
        paid(other, f"other-{number}")

    assert cost(enrolled) == few
    assert few <= 16
