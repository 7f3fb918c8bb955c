"""Which enrollments have their reminders paused now: the outbox asks in SQL, pages in the ORM."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db.models import F, QuerySet

from automation.models.pause import ReminderPause

# Of the enrollment `e` (journey_enrollments) until when its reminders are paused; no row: they are
# not. Needs the parameter `now`. One look into the unique index reminder_pause_one_open.
PAUSED_UNTIL: Final = """
SELECT pause.until FROM reminder_pauses pause
WHERE pause.enrollment_id = e.id AND pause.ended_at IS NULL
    AND pause.stage_seq = e.seq AND pause.until > %(now)s
"""


@dataclass(frozen=True, slots=True)
class PauseTold:
    """A pause as a page tells it. `created_by`: a name."""

    until: datetime
    created_by: str


def open_pauses(now: datetime) -> QuerySet[ReminderPause]:
    """The same in the ORM: a move to another stage has ended a pause, and so has its time."""
    return ReminderPause.objects.filter(
        ended_at__isnull=True, until__gt=now, stage_seq=F("enrollment__seq")
    )


def pauses_of(ids: Iterable[uuid.UUID], now: datetime) -> dict[uuid.UUID, ReminderPause]:
    """By enrollment, with who made them."""
    found = open_pauses(now).filter(enrollment__in=list(ids)).select_related("created_by")
    return {pause.enrollment_id: pause for pause in found}
