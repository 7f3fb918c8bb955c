"""What happens again and again: the rows of django-q2's schedule, made by this file alone.

django-q2 1.11 stops all schedules when one row is bad, and runs whatever callable a row names. So
the table is compared with this file at every beat: what differs is put right, what is not from
here is deleted. Of two clusters that start at once one waits for the other.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from croniter import croniter
from django.db import connection, transaction
from django_q.models import Schedule

from automation.selectors.health import MONITOR_PLAN

logger = logging.getLogger(__name__)

LOCK: Final = 0x6B757261_01  # advisory; "kura", first lock
LATE: Final = timedelta(hours=1)  # django-q2 counts forward minute by minute from the last run
MOST_NAMED: Final = 20  # rows that a log line names


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """`at_once`: run when the row is made, too, and not only when its time comes."""

    name: str
    func: str
    cron: str
    at_once: bool = False

    @property
    def fields(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "func": self.func,
            "cron": self.cron,
            "schedule_type": Schedule.CRON,
            "repeats": -1,
            "hook": None,
            "args": None,
            "kwargs": None,
            "minutes": None,
            "cluster": None,
            "intended_date_kwarg": None,
        }

    def first_run(self, now: datetime) -> datetime:
        return now if self.at_once else self.next_run(now)

    def next_run(self, now: datetime) -> datetime:
        found: datetime = croniter(self.cron, now).get_next(datetime)
        return found


PLANS: Final = (
    Plan(name="kura.sweep", func="automation.tasks.sweep", cron="* * * * *"),
    Plan(
        name=MONITOR_PLAN,
        func="automation.tasks.check_stale_journeys",
        cron="0 * * * *",
        at_once=True,  # nobody waits up to an hour more because the cluster was new
    ),
    Plan(name="kura.tidy", func="automation.tasks.tidy", cron="17 * * * *"),
    Plan(
        name="kura.verify",
        func="automation.tasks.verify_history",
        cron="37 2 * * *",
        at_once=True,  # so that the pages have something to tell
    ),
)


def keep(*, now: datetime, plans: Iterable[Plan] = PLANS) -> bool:
    """Make the table say what this file says; True when something had to be put right."""
    wanted = {plan.name: plan for plan in plans}
    if _is_right(wanted, now):
        return False
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
        return _put_right(wanted, now)


def _is_right(wanted: dict[str, Plan], now: datetime) -> bool:
    rows = list(Schedule.objects.all()[: len(wanted) + 1])
    names = sorted(row.name or "" for row in rows)
    return names == sorted(wanted) and not any(_faults(row, wanted, now) for row in rows)


def _put_right(wanted: dict[str, Plan], now: datetime) -> bool:
    kept: dict[str, Schedule] = {}
    for row in Schedule.objects.filter(name__in=wanted).order_by("pk"):
        kept.setdefault(row.name, row)
    removed = _remove_others(kept)
    mended = [_mend(row, wanted, now) for row in kept.values()]
    missing = [plan for name, plan in wanted.items() if name not in kept]
    for plan in missing:
        row = Schedule(**plan.fields, next_run=plan.first_run(now))
        Schedule.objects.bulk_create([row])  # its save() has a next_run of its own
        logger.info("schedule %s made", plan.name)
    return bool(removed or missing or any(mended))


def _remove_others(kept: dict[str, Schedule]) -> int:
    """Names id and callable, never the arguments: those may hold anything."""
    others = Schedule.objects.exclude(pk__in=[row.pk for row in kept.values()])
    for pk, func in others.order_by("pk").values_list("pk", "func")[:MOST_NAMED]:
        logger.error("schedule %s removed: Kura did not make it (calls %.100r)", pk, func)
    removed, _ = others.delete()
    return int(removed)


def _mend(row: Schedule, wanted: dict[str, Plan], now: datetime) -> bool:
    faults = _faults(row, wanted, now)
    if not faults:
        return False
    logger.error("schedule %s put right: %s", row.name, ", ".join(sorted(faults)))
    Schedule.objects.filter(pk=row.pk).update(**faults)
    return True


def _faults(row: Schedule, wanted: dict[str, Plan], now: datetime) -> dict[str, Any]:
    """What each wrong field of the row has to be."""
    plan = wanted.get(row.name)
    if plan is None:
        return {}
    faults = {name: value for name, value in plan.fields.items() if getattr(row, name) != value}
    if row.next_run is None or row.next_run < now - LATE:
        faults["next_run"] = now  # it was missed: run it once, and go on from here
    elif row.next_run > plan.next_run(plan.next_run(now)):  # one more: clocks of hosts differ
        faults["next_run"] = plan.next_run(now)
    return faults
