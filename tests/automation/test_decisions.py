"""What people decide about events and tasks: once, with a reason, by name."""

from __future__ import annotations

import pytest

from automation import errors
from automation.intake import Subject, record_event
from automation.models import DispatchDecision, EventDispatch, StaffTask
from automation.services.decisions import link, replay, skip
from automation.services.staff_tasks import complete
from journeys.models import SystemEventLog
from kura import tenancy
from tests.automation.practice import API, tell
from tests.factories import PatientFactory, a_user

REASON = "Es el pago de la hermana"


@pytest.fixture
def unmatched(organization, template):
    return record_event(
        organization=organization,
        event_type="PAYMENT_SUCCEEDED",
        source=API,
        idempotency_key="x",
        subject=Subject(email="who@example.org"),
        journey_key="intake",
    ).event_id


def test_a_linked_event_cannot_be_replayed_and_linked_to_somebody_else(
    organization, unmatched, therapist, patient
):
    about = link(event_id=unmatched, user=therapist, reason=REASON, patient_id=patient.pk)
    another = PatientFactory(organization=organization)

    with pytest.raises(errors.NotDecidable):
        replay(event_id=unmatched, user=therapist, reason=REASON)
    with pytest.raises(errors.NotDecidable):
        link(event_id=unmatched, user=therapist, reason=REASON, patient_id=another.pk)

    assert SystemEventLog.objects.get(parent_event_id=unmatched).pk == about
    assert DispatchDecision.objects.get().kind == "link"


def test_a_key_that_the_source_has_used_does_not_swallow_a_linked_event(
    unmatched, therapist, patient
):
    tell(patient, "PAYMENT_FAILED", f"linked:{unmatched}")

    about = link(event_id=unmatched, user=therapist, reason=REASON, patient_id=patient.pk)

    assert SystemEventLog.objects.get(pk=about).event_type == "PAYMENT_SUCCEEDED"
    assert EventDispatch.objects.get(pk=about).status == "queued"


def test_what_was_skipped_by_mistake_can_be_taken_back(unmatched, therapist):
    skip(event_id=unmatched, user=therapist, reason=REASON)

    replay(event_id=unmatched, user=therapist, reason=REASON)

    assert EventDispatch.objects.get(pk=unmatched).status == "queued"


@pytest.fixture
def task(organization, patient):
    return StaffTask.objects.create(
        organization=organization, patient=patient, kind="rule", text="Llamar"
    )


def test_a_task_is_done_once_by_whoever_was_first(organization, task, therapist):
    first = complete(task_id=task.pk, user=therapist)
    again = complete(task_id=task.pk, user=therapist)

    with pytest.raises(errors.TaskDone):
        complete(task_id=task.pk, user=a_user(organization, "manager"))

    assert again.done_at == first.done_at
    assert StaffTask.objects.get().done_by == therapist


def test_a_viewer_and_another_practice_cannot_end_a_task(other_organization, task, viewer):
    with pytest.raises(errors.TaskNotPermitted):
        complete(task_id=task.pk, user=viewer)
    with tenancy.scope(other_organization), pytest.raises(errors.TaskNotFound):
        complete(task_id=task.pk, user=a_user(other_organization, "manager"))

    assert StaffTask.objects.get().done_at is None
