"""Random histories through all doors: journey_status = enrollments = last log rows, always."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import hypothesis.strategies as st
import pytest
from django.db import DatabaseError, connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from journeys import errors
from journeys.cause import by_user
from journeys.models import Enrollment, JourneyLog
from journeys.selectors.options import allowed_transitions
from journeys.services.bulk import enroll_many, transition_many
from journeys.services.transitions import enroll, transition, unblock
from kura import tenancy
from kura.errors import KuraError
from patients.models import Patient
from tests.factories import OrganizationFactory, PatientFactory, a_template, a_user, system
from tests.sizes import sized

STAGES = ["SCREENING_PENDING", "AWAITING_PAYMENT", "BLOCKED_HIGH_RISK", "CONFIRMED", "COMPLETED"]
KEYS = ["intake", "yoga"]

stages = st.sampled_from([*STAGES, "NO_SUCH_STAGE"])
keys = st.sampled_from([*KEYS, "no_such_journey"])
people = st.integers(0, 2)


class Histories(RuleBasedStateMachine):
    """Every way in that a program or a careless shell has; most of it is refused, some moves."""

    @initialize()
    def practice(self) -> None:
        self.organization = OrganizationFactory()
        self.scope = tenancy.scope(self.organization)
        self.scope.__enter__()
        for key in KEYS:
            a_template(self.organization, key=key, codes=STAGES)
        self.therapist = a_user(self.organization)
        self.patients = PatientFactory.create_batch(3, organization=self.organization)
        self.accepted = 0

    def teardown(self) -> None:
        self.scope.__exit__(None, None, None)

    def attempt(self, act: Callable[[], Any]) -> Any:
        try:
            with transaction.atomic():
                return act()
        except (KuraError, DatabaseError):
            return None

    @rule(person=people, key=keys, stage=stages, human=st.booleans())
    def service_moves(self, person: int, key: str, stage: str, human: bool) -> None:
        cause = (
            by_user(self.therapist, reason_code="other", reason="Long enough a reason")
            if human
            else system()
        )
        self.attempt(
            lambda: transition(
                patient_id=self.patients[person].pk, journey_key=key, to_stage=stage, cause=cause
            )
        )

    @rule(person=people, key=keys)
    def service_enrolls(self, person: int, key: str) -> None:
        self.attempt(
            lambda: enroll(patient_id=self.patients[person].pk, journey_key=key, cause=system())
        )

    @rule(person=people, key=keys)
    def therapist_unblocks(self, person: int, key: str) -> None:
        cause = by_user(self.therapist, reason_code="other", reason="Long enough a reason")
        self.attempt(
            lambda: unblock(patient_id=self.patients[person].pk, journey_key=key, cause=cause)
        )

    @rule(key=st.sampled_from(KEYS), stage=st.sampled_from(STAGES), entering=st.booleans())
    def many_move(self, key: str, stage: str, entering: bool) -> None:
        act = enroll_many if entering else transition_many
        ids = [patient.pk for patient in self.patients]
        self.attempt(lambda: act(patient_ids=ids, journey_key=key, to_stage=stage, cause=system()))

    @rule(rows=st.lists(st.tuples(people, keys, stages), min_size=1, max_size=4))
    def shell_inserts_several_rows(self, rows: list[tuple[int, str, str]]) -> None:
        self.attempt(
            lambda: JourneyLog.objects.bulk_create(
                JourneyLog(
                    patient=self.patients[person],
                    journey_key=key,
                    to_stage=stage,
                    actor_kind="import",
                )
                for person, key, stage in rows
            )
        )

    @rule(person=people, key=st.sampled_from(KEYS), stage=stages, ago=st.integers(-5, 500))
    def shell_inserts_back_dated(self, person: int, key: str, stage: str, ago: int) -> None:
        def act() -> None:
            with connection.cursor() as cursor:
                cursor.execute(
                    "INSERT INTO journey_logs (patient_id, journey_key, to_stage, actor_kind,"
                    " changed_at, seq, from_stage)"
                    " VALUES (%s, %s, %s, 'system', now() - %s, NULL, NULL)",
                    [self.patients[person].pk, key, stage, timedelta(seconds=ago)],
                )

        self.attempt(act)

    @rule(person=people, key=keys, stage=stages)
    def shell_writes_the_read_models(self, person: int, key: str, stage: str) -> None:
        patient = Patient.objects.filter(pk=self.patients[person].pk)
        self.attempt(lambda: patient.update(journey_status={key: stage}))
        self.attempt(lambda: Enrollment.objects.update(stage=stage))
        self.attempt(lambda: JourneyLog.objects.update(to_stage=stage))
        self.attempt(lambda: JourneyLog.objects.all().delete())

    @rule(person=people)
    def somebody_saves_a_stale_form(self, person: int) -> None:
        self.patients[person].phone = "600"
        self.patients[person].save()

    @invariant()
    def journey_status_is_the_newest_enrollment_is_the_last_log_row(self) -> None:
        for patient in Patient.objects.all():
            newest = {
                enrollment.journey_key: enrollment
                for enrollment in Enrollment.objects.filter(patient=patient).order_by("number")
            }
            assert patient.journey_status == {key: e.stage for key, e in newest.items()}

    @invariant()
    def every_enrollment_is_its_log(self) -> None:
        for enrollment in Enrollment.objects.all():
            rows = list(JourneyLog.objects.filter(enrollment_id=enrollment.pk).order_by("seq"))
            last = rows[-1]
            assert [row.seq for row in rows] == list(range(1, len(rows) + 1))
            assert [row.from_stage for row in rows] == [None, *(r.to_stage for r in rows[:-1])]
            assert (enrollment.stage, enrollment.seq) == (last.to_stage, last.seq)
            assert enrollment.entered_at == last.changed_at
            assert enrollment.opened_at == rows[0].changed_at
            assert (enrollment.closed_at is not None) == (last.to_stage == "COMPLETED")
            assert all(a.changed_at <= b.changed_at for a, b in itertools.pairwise(rows))

    @invariant()
    def nobody_left_a_block_but_by_a_person_with_a_reason(self) -> None:
        for row in JourneyLog.objects.filter(from_stage="BLOCKED_HIGH_RISK"):
            assert row.actor_kind == "user"
            assert row.reason_code

    @invariant()
    def at_most_one_enrollment_is_open_and_it_is_the_newest(self) -> None:
        for patient in self.patients:
            for key in KEYS:
                found = Enrollment.objects.filter(patient=patient, journey_key=key)
                is_open = [e.closed_at is None for e in found.order_by("number")]
                assert True not in is_open[:-1]


@pytest.mark.soak
def test_any_history_keeps_the_three_in_step(django_db_setup, django_db_blocker):
    """Each history runs in a transaction of its own that is rolled back."""

    class RolledBack(Histories):
        def __init__(self) -> None:
            super().__init__()
            self.atomic = transaction.atomic()
            self.atomic.__enter__()

        def teardown(self) -> None:
            super().teardown()
            transaction.set_rollback(True)
            self.atomic.__exit__(None, None, None)

    with django_db_blocker.unblock():
        run_state_machine_as_test(
            RolledBack,
            settings=settings(
                max_examples=sized(reduced=25, full=500),
                stateful_step_count=15,
                deadline=None,
                suppress_health_check=list(HealthCheck),
            ),
        )


@pytest.mark.soak
@settings(
    max_examples=sized(reduced=15, full=200),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(walk=st.lists(st.sampled_from(STAGES), max_size=6))
def test_what_is_offered_is_what_happens(organization, template, therapist, walk):
    """allowed_transitions and the service agree after any history."""
    patient = PatientFactory(organization=organization)
    cause = by_user(therapist, reason_code="other", reason="Long enough a reason")
    enroll(patient_id=patient.pk, journey_key="intake", cause=cause)
    for stage in walk:
        enrollment = Enrollment.objects.filter(patient=patient).order_by("-number")[0]
        offered = {o.to_stage: o.code for o in allowed_transitions(enrollment, therapist)}
        try:
            result = transition(
                patient_id=patient.pk, journey_key="intake", to_stage=stage, cause=cause
            )
            done = None if result.changed else errors.StageUnchanged.code
        except KuraError as refusal:
            done = refusal.code
        assert done == offered[stage] or (enrollment.closed_at and done in {None, "journey_closed"})


@pytest.mark.parametrize("key", KEYS)
def test_state_machine_can_move_at_all(organization, key):
    """The property above would hold in a world where every door is shut."""
    a_template(organization, key=key, codes=STAGES)
    patient = PatientFactory(organization=organization)

    enroll(patient_id=patient.pk, journey_key=key, cause=system())

    assert JourneyLog.objects.filter(journey_key=key).exists()
