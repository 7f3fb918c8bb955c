"""The whole history is read at night, in pieces; each practice is told of its own part alone."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone
from django_q.models import OrmQ

from automation import bell, tasks, verification
from automation.models import Heartbeat
from automation.models.heartbeat import VERIFIED, VERIFYING
from automation.selectors.verified import OLD_AFTER, Verified, last_verified
from automation.verification import MOST_NAMED, verify
from journeys.selectors import verification as history
from tests.admin.conftest import Practice, make_practice
from tests.journeys.test_verify_journeys import guards_off


@pytest.fixture
def ours(db) -> Practice:
    return make_practice("Om")


@pytest.fixture
def theirs(db) -> Practice:
    return make_practice("FOREIGN")


def take_a_row_from(practice: Practice) -> None:
    with guards_off() as cursor:
        cursor.execute(
            "DELETE FROM journey_logs WHERE enrollment_id = %s AND seq = 2", [practice.blocked.pk]
        )


def told(practice: Practice | None) -> Verified:
    pk = practice.organization.pk if practice else None
    return last_verified(now=timezone.now(), organization_id=pk)


def test_before_the_first_reading_nobody_is_told_that_all_is_well(ours):
    assert told(ours) == Verified()
    assert told(ours).checked_at is None


def test_a_whole_history_is_said_to_be_whole_for_three_days(ours, theirs):
    now = timezone.now()

    assert verify(now=now)

    found = told(ours)
    assert (found.checked_at, found.is_broken, found.is_old) == (now, False, False)
    later = last_verified(
        now=now + OLD_AFTER + timedelta(seconds=1), organization_id=ours.organization.pk
    )
    assert later.is_old


def test_a_practice_is_told_of_its_own_faults_alone(ours, theirs):
    take_a_row_from(theirs)

    verify(now=timezone.now())

    assert not told(ours).is_broken
    assert told(ours).patients == []
    assert told(theirs).faults == 4
    assert told(theirs).patients == [theirs.blocked.patient_id]
    assert told(None).faults == 4


def test_a_guard_that_is_off_is_everybodys_matter(ours, theirs):
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE journey_logs DISABLE TRIGGER USER")

    verify(now=timezone.now())

    assert told(ours).guards == told(theirs).guards > 0


def test_reading_in_pieces_finds_the_same_and_begins_anew_the_next_night(ours, theirs, monkeypatch):
    take_a_row_from(theirs)
    verify(now=timezone.now())
    at_once = Heartbeat.objects.get(name=VERIFIED).detail
    small = [history._Round(part.table, part.statements, step=1) for part in history._ROUNDS]
    monkeypatch.setattr(history, "_ROUNDS", small)

    now, calls = timezone.now(), 1
    while not verify(now=now, seconds=0):
        assert Heartbeat.objects.get(name=VERIFYING).detail["low"]
        calls += 1

    in_pieces = Heartbeat.objects.get(name=VERIFIED).detail
    assert calls > 8
    assert in_pieces == at_once | {"started_at": now.isoformat()}
    assert not Heartbeat.objects.filter(name=VERIFYING).exists()


def test_of_many_patients_the_first_are_named(ours, monkeypatch):
    monkeypatch.setattr(verification, "MOST_NAMED", 1)
    with guards_off() as cursor:
        cursor.execute("UPDATE patients SET journey_status = '{}'")

    verify(now=timezone.now())

    assert told(ours).faults == 2
    assert len(told(ours).patients) == 1 < MOST_NAMED


def test_while_another_is_at_it_nothing_is_read(ours):
    other = connection.copy()
    try:
        with other.cursor() as cursor:
            cursor.execute(verification._LOCK, [verification._NAME])
        assert verify(now=timezone.now())
    finally:
        other.close()

    assert not Heartbeat.objects.filter(name__in=(VERIFIED, VERIFYING)).exists()


@pytest.mark.parametrize(("seconds", "rings"), [(0.0, 1), (60.0, 0)])
def test_the_task_calls_itself_again_while_there_is_more(
    ours, monkeypatch, django_capture_on_commit_callbacks, seconds, rings
):
    monkeypatch.setattr(tasks, "CHECK", seconds)
    monkeypatch.setattr(bell, "_last_rung", {})
    OrmQ.objects.all().delete()

    with django_capture_on_commit_callbacks(execute=True):
        tasks.verify_history()

    assert OrmQ.objects.count() == rings
    assert Heartbeat.objects.filter(name=VERIFYING).count() == rings
