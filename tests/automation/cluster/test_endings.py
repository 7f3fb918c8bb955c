"""How a cluster ends: asked, forced, or orphaned. Nothing is left behind."""

from __future__ import annotations

import signal

import pytest

from automation.cluster import instance_name
from automation.models import Heartbeat
from journeys.models import JourneyLog
from tests.automation.cluster.conftest import patients_in, within
from tests.automation.practice import a_rule, move, tell
from tests.sizes import sized

pytestmark = pytest.mark.soak


def is_alive() -> bool:
    return Heartbeat.objects.filter(name__startswith="cluster:").exists()


def test_sigterm_ends_a_cluster_in_the_middle_of_its_work_and_nothing_is_lost_or_doubled(
    practice, start_cluster
):
    a_rule(practice, "PAYMENT_SUCCEEDED", move("intake", "CONFIRMED"))
    people = patients_in(practice, sized(reduced=20, full=500))
    told = [tell(patient, "PAYMENT_SUCCEEDED", str(patient.pk)).event_id for patient in people]
    first = start_cluster()
    assert within(30, effects)

    assert first.stop() == 0

    assert first.leaves_nothing()
    assert not is_alive()
    assert Heartbeat.objects.filter(name="cluster").exists()

    start_cluster()

    assert within(60, lambda: len(effects()) == len(told))
    assert sorted(effects()) == sorted(told)


def effects() -> list[object]:
    rows = JourneyLog.objects.filter(to_stage="CONFIRMED")
    return list(rows.values_list("trigger_event_id", flat=True))


def test_nobody_outlives_a_supervisor_or_a_leader_that_is_killed(start_cluster):
    cluster = start_cluster()
    first = cluster.leader()
    workers = cluster.workers()

    cluster.kill(first)

    assert within(20, lambda: cluster.leader() != first)
    assert within(20, lambda: len(cluster.workers()) == 2)
    assert not set(workers) & set(cluster.processes())

    cluster.popen.send_signal(signal.SIGKILL)

    assert cluster.popen.wait(5) == -signal.SIGKILL
    assert cluster.leaves_nothing()


def test_a_cluster_that_is_stopped_but_not_dead_is_replaced_by_force(start_cluster):
    cluster = start_cluster("--silence", "2")
    assert within(20, is_alive)
    frozen = cluster.processes()[1:]

    for pid in frozen:
        if pid != cluster.popen.pid:
            cluster.kill(pid, signal.SIGSTOP)

    assert within(40, lambda: not set(frozen) & set(cluster.workers()))
    assert within(40, lambda: len(cluster.workers()) == 2)
    assert "is replaced" in cluster.output()


def test_the_name_of_a_cluster_fits_its_column(monkeypatch):
    monkeypatch.setattr("socket.gethostname", lambda: "h" * 64)

    assert len(instance_name()) <= Heartbeat._meta.get_field("name").max_length
    assert instance_name().startswith("cluster:")
