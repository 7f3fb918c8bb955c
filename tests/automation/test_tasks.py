"""What the cluster may run, what a failure may say, and what stays behind."""

from __future__ import annotations

import logging
import time
from datetime import timedelta

import pytest
from axes.models import AccessAttempt
from django.contrib.sessions.models import Session
from django.db import IntegrityError
from django.utils import timezone
from django_q.conf import Conf
from django_q.models import Failure, OrmQ, Task
from django_q.signing import SignedPackage
from django_q.tasks import async_task

from automation import bell, dispatch, tasks
from automation.broker import OWN_QUEUE, AtMostOnce
from automation.models import Heartbeat


@pytest.fixture
def broker(db):
    return AtMostOnce("kura")


def funcs(broker: AtMostOnce) -> list[str]:
    return [SignedPackage.loads(payload)["func"] for _, payload in broker.dequeue()]


def test_a_task_is_taken_once_however_it_ends(broker):
    async_task("automation.tasks.drain")

    assert funcs(broker) == ["automation.tasks.drain"]
    assert not OrmQ.objects.exists()
    assert funcs(broker) == []


@pytest.mark.parametrize(
    ("func", "options"),
    [
        ("os.abort", {}),
        ("automation.tasks.dispatch.drain", {}),
        ("automation.tasks.drain", {"hook": "os.abort"}),
        (time.sleep, {}),
    ],
    ids=str,
)
def test_what_is_no_task_of_ours_is_dropped_and_logged(broker, caplog, func, options):
    async_task(func, "Maria", q_options=options)
    async_task("automation.tasks.sweep")

    with caplog.at_level(logging.ERROR):
        assert funcs(broker) == []

    assert "a task was dropped" in caplog.text
    assert "Maria" not in caplog.text
    assert funcs(broker) == ["automation.tasks.sweep"]


def test_a_row_that_cannot_be_read_is_dropped(broker, caplog):
    OrmQ.objects.create(key="kura", payload="not signed by us", lock=timezone.now())

    assert broker.dequeue() == []

    assert not OrmQ.objects.exists()
    assert "cannot be read" in caplog.text


def test_a_cluster_is_asked_before_the_common_queue_and_not_in_its_neighbours_place(
    broker, monkeypatch
):
    for cluster in (None, "cluster:there:1", "cluster:here:1"):
        async_task("automation.tasks.beat", q_options={"cluster": cluster, "task_name": cluster})
    monkeypatch.setenv(OWN_QUEUE, "cluster:here:1")

    taken = [SignedPackage.loads(broker.dequeue()[0][1])["name"] for _ in range(2)]

    assert taken[0] == "cluster:here:1"
    assert OrmQ.objects.get().key == "cluster:there:1"


def test_a_failure_says_its_kind_and_nothing_that_it_quotes(db, monkeypatch):
    @tasks.task
    def broken() -> int:
        raise IntegrityError("Failing row contains (Maria, maria@example.org)")

    with pytest.raises(tasks.TaskFailed) as caught:
        broken()

    assert str(caught.value) == "IntegrityError"
    assert caught.value.__suppress_context__


def test_any_task_is_a_sign_of_life_of_its_own_cluster(db, monkeypatch):
    monkeypatch.setattr(tasks, "_signed_at", 0.0)
    monkeypatch.setenv(OWN_QUEUE, "cluster:here:1")

    tasks.drain(0.0)

    assert set(Heartbeat.objects.values_list("name", flat=True)) == {"cluster", "cluster:here:1"}


def test_a_drain_waits_only_for_who_may_still_follow_its_bell(db, monkeypatch):
    lingers = []
    monkeypatch.setattr(dispatch, "drain", lambda *, seconds, linger: lingers.append(linger) or 0)

    tasks.drain(time.time())
    tasks.drain(time.time() - 60)
    tasks.drain(time.time() + 60)

    assert bell.QUIET < lingers[0] <= dispatch.LINGER
    assert lingers[1:] == [0.0, dispatch.LINGER]


def test_tidy_bounds_what_django_q_would_keep_for_ever(db, monkeypatch):
    monkeypatch.setattr(tasks, "FAILURES_KEPT", 3)
    now = timezone.now()
    for number in range(5):
        at = now - timedelta(minutes=number)
        told = {"func": "x", "started": at, "stopped": at, "success": False}
        Task.objects.create(id=f"{number:032}", name=str(number), **told)
    Heartbeat.objects.create(name="cluster:lost:1", at=now - timedelta(hours=2))
    Heartbeat.objects.create(name="cluster:here:1", at=now)
    async_task("automation.tasks.beat", q_options={"cluster": "cluster:lost:1"})
    OrmQ.objects.update(lock=now - timedelta(hours=2))

    tasks.tidy()

    assert set(Failure.objects.values_list("name", flat=True)) == {"0", "1", "2"}
    assert not Heartbeat.objects.filter(name="cluster:lost:1").exists()
    assert Heartbeat.objects.filter(name="cluster:here:1").exists()
    assert not OrmQ.objects.exists()


def test_tidy_forgets_wrong_passwords_and_log_ins_that_are_over(db, settings):
    now = timezone.now()
    for name, ago in (("old", settings.AXES_COOLOFF_TIME * 2), ("new", timedelta(0))):
        attempt = AccessAttempt.objects.create(username=name, failures_since_start=5)
        AccessAttempt.objects.filter(pk=attempt.pk).update(attempt_time=now - ago)
        ends = now + timedelta(hours=-1 if name == "old" else 1)
        Session.objects.create(session_key=name, session_data="x", expire_date=ends)

    tasks.tidy()

    assert list(AccessAttempt.objects.values_list("username", flat=True)) == ["new"]
    assert list(Session.objects.values_list("session_key", flat=True)) == ["new"]


def test_no_row_is_kept_for_a_task_that_went_well():
    assert Conf.SAVE_LIMIT < 0
