"""Moving one patient: what the service refuses and why, and what it leaves behind."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone, translation

from journeys import errors
from journeys.blueprints import MoveDraft
from journeys.cause import by_integration, by_rule, by_user
from journeys.models import JourneyLog, JourneyLogNote
from journeys.selectors.positions import Expectation
from journeys.services.templates import set_active
from journeys.services.transitions import enroll, transition, unblock
from journeys.signals import transitioned
from kura import tenancy
from kura.accounts.models import User
from tests.factories import (
    PatientFactory,
    a_template,
    a_user,
    an_event,
    reviewed,
    system,
    the_enrollment,
)

PAID = {"field": "events.PAYMENT_SUCCEEDED.count", "op": "gte", "value": 1}


def move(patient, to_stage, cause=None, **more):
    return transition(
        patient_id=patient.pk,
        journey_key=more.pop("journey_key", "intake"),
        to_stage=to_stage,
        cause=cause or system(),
        **more,
    )


@pytest.fixture
def enrolled(patient, template):
    enroll(patient_id=patient.pk, journey_key="intake", cause=system())
    return patient


@pytest.fixture
def blocked(enrolled):
    move(enrolled, "AWAITING_PAYMENT")
    move(enrolled, "BLOCKED_HIGH_RISK")
    return enrolled


@pytest.fixture
def guarded(organization, patient):
    """AWAITING_PAYMENT -> CONFIRMED only after a payment; cancelling needs a reason."""
    a_template(
        organization,
        codes=["AWAITING_PAYMENT", "CONFIRMED", "CANCELLED", "BLOCKED"],
        moves=[
            MoveDraft(from_stage="AWAITING_PAYMENT", to_stage="CONFIRMED", guard=PAID),
            MoveDraft(from_stage="CONFIRMED", to_stage="CANCELLED", requires_reason=True),
        ],
    )
    enroll(patient_id=patient.pk, journey_key="intake", cause=system())
    return patient


# --- moving -------------------------------------------------------------------------------------


def test_move_writes_one_log_row_that_names_its_cause(enrolled, therapist):
    cause = by_user(therapist, reason="Paid in cash on Friday", via="admin", request_id="r-1")

    result = move(enrolled, "CONFIRMED", cause)

    log = JourneyLog.objects.get(pk=result.log.pk)
    assert result.changed
    assert (log.actor_kind, log.actor_id, log.via, log.request_id) == (
        "user",
        therapist.pk,
        "admin",
        "r-1",
    )
    assert JourneyLogNote.objects.get(log=log).body == "Paid in cash on Friday"


def test_rule_move_names_rule_and_event(enrolled):
    event = an_event(enrolled, "PAYMENT_SUCCEEDED", occurred_at=timezone.now())
    rule = uuid.uuid4()

    log = move(enrolled, "CONFIRMED", by_rule(rule, trigger_event_id=event.pk)).log

    assert (log.rule_id, log.trigger_event_id, log.actor_kind) == (rule, event.pk, "rule")


def test_same_stage_again_changes_nothing(enrolled):
    result = move(enrolled, "SCREENING_PENDING")

    assert (result.changed, result.log) == (False, None)
    assert JourneyLog.objects.count() == 1


def test_one_move_costs_one_read_and_one_write(enrolled):
    move(enrolled, "AWAITING_PAYMENT")

    with CaptureQueriesContext(
        connection,
    ) as queries:
        move(enrolled, "CONFIRMED")

    statements = [q["sql"] for q in queries if "SAVEPOINT" not in q["sql"]]
    reads = [sql for sql in statements if "INSERT" not in sql and "version_txid" not in sql]
    assert len([sql for sql in statements if "INSERT INTO journey_logs" in sql]) == 1
    assert len([sql for sql in reads if "automation_rules" not in sql]) == 1


def test_each_move_is_announced_inside_its_transaction(enrolled):
    heard = []

    def listen(sender, logs, **_):
        heard.extend((log.to_stage, connection.in_atomic_block) for log in logs)

    transitioned.connect(listen)
    try:
        move(enrolled, "CONFIRMED")
    finally:
        transitioned.disconnect(listen)

    assert heard == [("CONFIRMED", True)]


def test_failing_listener_undoes_the_move(enrolled):
    def fail(**_):
        raise RuntimeError

    transitioned.connect(fail)
    try:
        with pytest.raises(RuntimeError):
            move(enrolled, "CONFIRMED")
    finally:
        transitioned.disconnect(fail)

    assert the_enrollment(enrolled).stage == "SCREENING_PENDING"
    assert JourneyLog.objects.count() == 1


def test_move_can_be_back_dated(enrolled, organization):
    ana = PatientFactory(organization=organization)
    monday = timezone.now() - timedelta(days=7)
    enroll(patient_id=ana.pk, journey_key="intake", cause=system(), changed_at=monday)
    friday = timezone.now() - timedelta(days=3)

    log = move(ana, "CONFIRMED", changed_at=friday).log

    assert (log.changed_at, log.dwell) == (friday, friday - monday)
    assert log.recorded_at - friday > timedelta(days=2)


@pytest.mark.parametrize("shift", [timedelta(hours=1), -timedelta(days=30)])
def test_move_outside_the_order_of_time_is_refused(enrolled, shift):
    with pytest.raises(errors.TimeOrder):
        move(enrolled, "CONFIRMED", changed_at=timezone.now() + shift)


def test_unknown_patient_and_another_organizations_patient_are_the_same(
    enrolled, other_organization
):
    with tenancy.scope(other_organization):
        stranger = PatientFactory(organization=other_organization)

    seen = set()
    for patient_id in (uuid.uuid4(), stranger.pk):
        with pytest.raises(errors.PatientNotFound) as refusal:
            transition(
                patient_id=patient_id, journey_key="intake", to_stage="CONFIRMED", cause=system()
            )
        seen.add((refusal.value.code, str(refusal.value), refusal.value.status))
    assert len(seen) == 1


def test_no_scope_moves_nobody(committed_db):
    with pytest.raises(tenancy.TenantScopeMissing):
        transition(
            patient_id=uuid.uuid4(), journey_key="intake", to_stage="CONFIRMED", cause=system()
        )


def test_unknown_journey_and_stage_are_named(enrolled):
    with pytest.raises(errors.UnknownJourney) as journey:
        move(enrolled, "CONFIRMED", journey_key="yoga")
    with pytest.raises(errors.StageNotAllowed) as stage:
        move(enrolled, "DEEP_DIVE")

    assert "yoga" in str(journey.value)
    assert "DEEP_DIVE" in str(stage.value)
    assert stage.value.context["allowed_stages"][0] == "SCREENING_PENDING"


# --- compare and set ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "expected",
    [Expectation(stage="CONFIRMED"), Expectation(seq=4), Expectation(enrollment_id=uuid.uuid4())],
)
def test_move_from_where_the_patient_no_longer_is_is_refused(enrolled, expected):
    with pytest.raises(errors.StageMoved) as refusal:
        move(enrolled, "AWAITING_PAYMENT", expected=expected)

    assert refusal.value.context["current_stage"] == "SCREENING_PENDING"
    assert JourneyLog.objects.count() == 1


def test_move_from_where_the_patient_is_goes_through(enrolled):
    assert move(enrolled, "CONFIRMED", expected=Expectation(stage="SCREENING_PENDING", seq=1)).log


# --- enrolling ----------------------------------------------------------------------------------


def test_enrolling_begins_in_the_initial_stage(patient, template):
    log = enroll(patient_id=patient.pk, journey_key="intake", cause=system())

    assert (log.from_stage, log.to_stage, log.seq) == (None, "SCREENING_PENDING", 1)


def test_move_of_a_patient_not_in_the_journey_enrolls_there(patient, template):
    log = move(patient, "AWAITING_PAYMENT").log

    assert (log.from_stage, log.to_stage, log.seq) == (None, "AWAITING_PAYMENT", 1)


def test_graph_says_where_a_patient_may_begin(organization, patient):
    a_template(
        organization,
        codes=["PENDING", "CONFIRMED", "COMPLETED"],
        moves=[
            MoveDraft(from_stage=None, to_stage="CONFIRMED"),
            MoveDraft(from_stage="PENDING", to_stage="COMPLETED"),
        ],
    )

    with pytest.raises(errors.EntryNotPermitted):
        move(patient, "COMPLETED")
    assert move(patient, "CONFIRMED").changed


def test_second_open_enrollment_is_refused(enrolled):
    with pytest.raises(errors.AlreadyEnrolled):
        enroll(patient_id=enrolled.pk, journey_key="intake", cause=system())


def test_inactive_template_takes_nobody_new_but_lets_others_go_on(enrolled, template, organization):
    set_active(template_id=template.pk, is_active=False)
    newcomer = PatientFactory(organization=organization)

    with pytest.raises(errors.TemplateInactive):
        enroll(patient_id=newcomer.pk, journey_key="intake", cause=system())
    with pytest.raises(errors.TemplateInactive):
        move(newcomer, "CONFIRMED")
    assert move(enrolled, "CONFIRMED").changed


def test_closed_journey_is_not_moved_but_may_be_entered_again(enrolled):
    move(enrolled, "COMPLETED")

    with pytest.raises(errors.JourneyClosed):
        move(enrolled, "CONFIRMED")
    enroll(patient_id=enrolled.pk, journey_key="intake", cause=system())

    assert the_enrollment(enrolled).number == 2


# --- blocks -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "cause", [system(), by_rule(uuid.uuid4(), trigger_event_id=None), by_integration(uuid.uuid4())]
)
def test_automation_is_held_by_a_block(blocked, cause):
    for target in ("AWAITING_PAYMENT", "CONFIRMED", "COMPLETED"):
        with pytest.raises(errors.JourneyBlocked):
            move(blocked, target, cause)
        with pytest.raises(errors.JourneyBlocked):
            unblock(patient_id=blocked.pk, journey_key="intake", to_stage=target, cause=cause)

    assert the_enrollment(blocked).stage == "BLOCKED_HIGH_RISK"


def test_unblocking_returns_to_the_stage_before_the_block(blocked, therapist):
    log = unblock(patient_id=blocked.pk, journey_key="intake", cause=reviewed(therapist))

    assert log.to_stage == "AWAITING_PAYMENT"
    assert (log.reason_code, log.actor_id) == ("reviewed_safe", therapist.pk)
    assert JourneyLogNote.objects.get(log=log).body == "Looked at it with the patient"


def test_unblocking_to_another_stage_is_the_therapists_choice(blocked, therapist):
    log = unblock(
        patient_id=blocked.pk, journey_key="intake", to_stage="COMPLETED", cause=reviewed(therapist)
    )

    assert log.to_stage == "COMPLETED"


def test_moving_a_blocked_patient_asks_the_same_as_unblocking(blocked, therapist):
    with pytest.raises(errors.ReasonRequired):
        move(blocked, "CONFIRMED", by_user(therapist))
    assert move(blocked, "CONFIRMED", reviewed(therapist)).changed


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("", "Looked at it with the patient"),
        ("reviewed_safe", "too short"),
        ("reviewed_safe", ""),
        ("reviewed_safe", "\u200b" * 20),
    ],
)
def test_unblocking_needs_a_code_and_ten_characters(blocked, therapist, code, reason):
    cause = by_user(therapist, reason_code=code, reason=f"   {reason}   ")

    with pytest.raises(errors.ReasonRequired if code else errors.ReasonCodeRequired):
        unblock(patient_id=blocked.pk, journey_key="intake", cause=cause)

    assert the_enrollment(blocked).is_blocked


def test_viewer_may_neither_move_nor_unblock_nor_enroll(blocked, viewer, organization, template):
    healthy = PatientFactory(organization=organization)

    with pytest.raises(errors.UnblockNotPermitted):
        unblock(patient_id=blocked.pk, journey_key="intake", cause=reviewed(viewer))
    with pytest.raises(errors.MoveNotPermitted):
        enroll(patient_id=healthy.pk, journey_key="intake", cause=by_user(viewer))
    enroll(patient_id=healthy.pk, journey_key="intake", cause=system())
    with pytest.raises(errors.MoveNotPermitted):
        move(healthy, "CONFIRMED", by_user(viewer))


def test_therapist_of_another_organization_is_stopped_by_the_database(blocked, other_organization):
    stranger = a_user(other_organization)

    with pytest.raises(errors.UnblockNeedsPerson):
        unblock(patient_id=blocked.pk, journey_key="intake", cause=reviewed(stranger))


def test_therapist_switched_off_meanwhile_is_stopped_by_the_database(blocked, therapist):
    User.objects.filter(pk=therapist.pk).update(is_active=False)

    with pytest.raises((errors.UnblockNeedsPerson, errors.UnblockNotPermitted)):
        unblock(patient_id=blocked.pk, journey_key="intake", cause=reviewed(therapist))


def test_unblocking_who_is_not_blocked_says_so(enrolled, therapist):
    with pytest.raises(errors.NotBlocked):
        unblock(patient_id=enrolled.pk, journey_key="intake", cause=reviewed(therapist))


def test_patient_enrolled_into_a_block_returns_to_the_beginning(patient, template, therapist):
    move(patient, "BLOCKED_HIGH_RISK")

    log = unblock(patient_id=patient.pk, journey_key="intake", cause=reviewed(therapist))

    assert log.to_stage == "SCREENING_PENDING"


def test_block_is_reachable_even_where_the_graph_forgot_it(guarded):
    assert move(guarded, "BLOCKED").changed


def test_way_back_from_a_block_is_open_even_where_the_graph_forgot_it(guarded, therapist):
    move(guarded, "BLOCKED")

    log = unblock(patient_id=guarded.pk, journey_key="intake", cause=reviewed(therapist))

    assert log.to_stage == "AWAITING_PAYMENT"


def test_unblocking_does_not_jump_over_a_guard(guarded, therapist):
    move(guarded, "BLOCKED")

    with pytest.raises(errors.TransitionNotPermitted):
        unblock(
            patient_id=guarded.pk,
            journey_key="intake",
            to_stage="CONFIRMED",
            cause=reviewed(therapist),
        )


# --- graph and guards ---------------------------------------------------------------------------


def test_move_outside_the_graph_is_refused_with_the_ways_that_exist(guarded, therapist):
    with pytest.raises(errors.TransitionNotPermitted) as refusal:
        move(guarded, "CANCELLED", by_user(therapist))

    assert refusal.value.context["allowed_to"] == ["CONFIRMED", "BLOCKED"]


def test_unmet_guard_names_what_is_missing_in_the_readers_language(guarded, therapist):
    with translation.override("es"), pytest.raises(errors.GuardFailed) as spanish:
        move(guarded, "CONFIRMED", by_user(therapist))
    with translation.override("en"), pytest.raises(errors.GuardFailed) as english:
        move(guarded, "CONFIRMED", by_user(therapist))

    assert spanish.value.context["missing"] == ["pago recibido"]
    assert english.value.context["missing"] == ["payment received"]


def test_guard_opens_when_the_event_has_arrived(guarded, therapist):
    an_event(guarded, "PAYMENT_SUCCEEDED", occurred_at=timezone.now())

    assert move(guarded, "CONFIRMED", by_user(therapist)).changed


def test_payment_for_another_journey_does_not_open_the_guard(guarded, organization):
    a_template(organization, key="yoga")
    an_event(guarded, "PAYMENT_SUCCEEDED", occurred_at=timezone.now(), journey_key="yoga")
    an_event(guarded, "PAYMENT_SUCCEEDED", occurred_at=timezone.now(), journey_key=None)

    with pytest.raises(errors.GuardFailed):
        move(guarded, "CONFIRMED")


def test_last_years_payment_does_not_open_this_years_guard(guarded, therapist):
    an_event(guarded, "PAYMENT_SUCCEEDED", occurred_at=timezone.now())
    move(guarded, "CONFIRMED")
    move(guarded, "CANCELLED", by_user(therapist, reason="Changed her plans for May"))
    enroll(patient_id=guarded.pk, journey_key="intake", cause=system())

    with pytest.raises(errors.GuardFailed):
        move(guarded, "CONFIRMED")


def test_edge_that_requires_a_reason_asks_people_for_one(guarded, therapist):
    an_event(guarded, "PAYMENT_SUCCEEDED", occurred_at=timezone.now())
    move(guarded, "CONFIRMED")

    with pytest.raises(errors.ReasonRequired):
        move(guarded, "CANCELLED", by_user(therapist, reason="short"))
    assert move(guarded, "CANCELLED", by_user(therapist, reason="Changed her plans")).changed
