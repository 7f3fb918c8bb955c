"""The schedules are what the code says: one set, unbroken, and nothing else."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.contrib import admin
from django.db import connections
from django.utils import timezone
from django_q.models import Failure, OrmQ, Schedule, Success, Task
from django_q.scheduler import scheduler

from automation import schedules, tasks
from automation.broker import AtMostOnce
from kura.admin.site import site

NAMES = ["kura.monitor", "kura.sweep", "kura.tidy", "kura.verify"]


def names() -> list[str]:
    return list(Schedule.objects.order_by("name").values_list("name", flat=True))


def keep() -> bool:
    return schedules.keep(now=timezone.now())


def test_schedules_are_made_once_and_then_left_alone(db):
    assert keep()
    made = list(Schedule.objects.order_by("pk").values())

    assert not keep()

    assert names() == NAMES
    assert list(Schedule.objects.order_by("pk").values()) == made
    assert {row["schedule_type"] for row in made} == {Schedule.CRON}
    assert {row["name"] for row in made if row["next_run"] <= timezone.now()} == {
        "kura.monitor",
        "kura.verify",
    }


@pytest.mark.usefixtures("committed_db")
def test_clusters_that_start_at_once_leave_one_set():
    start = threading.Barrier(8)

    def begin(_number: int) -> None:
        start.wait()
        try:
            keep()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(begin, range(8)))

    assert names() == NAMES


@pytest.mark.parametrize(
    "damage",
    [
        {"args": "(oops"},
        {"kwargs": "q_options={'cluster': 'nobody'}"},
        {"func": "os.abort"},
        {"hook": "os.abort"},
        {"cron": "61 * * * *"},
        {"schedule_type": Schedule.ONCE},
        {"repeats": 0},
        {"cluster": "another"},
        {"next_run": None},
        {"next_run": timezone.now() + timedelta(days=400)},
        {"next_run": timezone.now() - timedelta(days=40_000)},
    ],
    ids=lambda damage: next(iter(damage)),  # values differ between the workers
)
def test_a_broken_row_is_put_right_by_the_next_beat(db, damage):
    keep()
    Schedule.objects.filter(name="kura.sweep").update(**damage)

    tasks.beat()

    assert not keep()
    row = Schedule.objects.get(name="kura.sweep")
    assert (row.func, row.cron, row.repeats) == ("automation.tasks.sweep", "* * * * *", -1)
    assert timezone.now() - timedelta(minutes=1) < row.next_run
    assert row.next_run < timezone.now() + timedelta(minutes=2)


def test_rows_that_the_code_did_not_make_are_removed_and_named_without_their_arguments(db, caplog):
    keep()
    foreign = {"func": "os.system", "args": "'echo Maria'", "schedule_type": Schedule.HOURLY}
    Schedule.objects.create(name="theirs", **foreign)
    Schedule.objects.create(name="kura.sweep", **foreign)
    Schedule.objects.create(name=None, **foreign)

    with caplog.at_level(logging.ERROR):
        tasks.beat()

    assert names() == NAMES
    assert caplog.text.count("calls 'os.system'") == 3
    assert "Maria" not in caplog.text


def test_a_bad_row_stops_the_schedules_of_django_q_until_the_next_beat(committed_db):
    """What this is for: if a later django-q2 goes on by itself, all of this can go."""
    keep()
    Schedule.objects.update(next_run=timezone.now() - timedelta(seconds=1))
    past = timezone.now() - timedelta(minutes=5)
    Schedule.objects.create(name="theirs", func="x", args="(oops", next_run=past)

    scheduler(broker=AtMostOnce("kura"))
    stopped = OrmQ.objects.count()
    tasks.beat()
    OrmQ.objects.all().delete()
    scheduler(broker=AtMostOnce("kura"))

    assert stopped == 0
    assert OrmQ.objects.count() == len(NAMES)


def test_models_of_django_q_are_in_no_admin():
    for model in (Schedule, Task, Success, Failure, OrmQ):
        assert not site.is_registered(model)
        assert not admin.site.is_registered(model)
