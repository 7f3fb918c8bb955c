"""What would keep a reminder from the patient now: a page says it before the mail is written.

The rules are those of `automation.withholding`, which alone decides, and message by message; that
a patient was reminded a short time ago is known only there.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from automation.addressees import usable_address
from automation.models.dispatch import DispatchStatus, EventDispatch
from automation.selectors.pauses import pauses_of
from journeys.models.enrollment import Enrollment
from journeys.models.template import StageStatus
from kura.accounts.quiet_hours import quiet_hours_of
from kura.accounts.timezones import clock
from patients.models import Patient


@dataclass(frozen=True, kw_only=True, slots=True)
class Withheld:
    """`is_on_hold`: any journey of the patient is. `has_failed_event`: a person has to decide.

    `has_no_address`: a task is given instead of mail. `quiet_until`: the end of the quiet hours in
    which it would be written.
    """

    paused_until: datetime | None
    is_on_hold: bool
    has_failed_event: bool
    has_no_address: bool
    quiet_until: datetime | None

    @property
    def waits_for_people(self) -> bool:
        return bool(self.paused_until or self.is_on_hold or self.has_failed_event)


def withheld_of(
    standing: Mapping[uuid.UUID, Patient], *, now: datetime, written_at: datetime
) -> dict[uuid.UUID, Withheld]:
    """By enrollment. The patients with their organization. Three queries."""
    people = {patient.pk for patient in standing.values()}
    pauses = pauses_of(standing, now)
    held, failed = _on_hold(people), _with_failed_event(people)
    return {
        enrollment: Withheld(
            paused_until=pauses[enrollment].until if enrollment in pauses else None,
            is_on_hold=patient.pk in held,
            has_failed_event=patient.pk in failed,
            has_no_address=usable_address(patient.email) is None,
            quiet_until=_quiet_until(patient, written_at),
        )
        for enrollment, patient in standing.items()
    }


def _on_hold(people: Iterable[uuid.UUID]) -> set[uuid.UUID]:
    on_hold = Enrollment.objects.filter(closed_at__isnull=True, status=StageStatus.ON_HOLD)
    return set(on_hold.filter(patient__in=people).order_by().values_list("patient_id", flat=True))


def _with_failed_event(people: Iterable[uuid.UUID]) -> set[uuid.UUID]:
    dead = EventDispatch.objects.filter(patient_id__in=people, status=DispatchStatus.DEAD)
    return {one for one in dead.order_by().values_list("patient_id", flat=True) if one}


def _quiet_until(patient: Patient, at: datetime) -> datetime | None:
    quiet = quiet_hours_of(patient.organization.settings)
    zone = clock(patient.timezone or "", patient.organization.timezone)
    over = quiet.over_at(at, zone) if quiet else at
    return over if over > at else None
