"""How a cluster ends: asked, forced, or orphaned. Nothing is left behind."""

from __future__ import annotations

import signal

import pytest

from automation.models import Heartbeat
from tests.automation.cluster.conftest import within

pytestmark = pytest.mark.soak


def is_alive() -> bool:
    return Heartbeat.objects.filter(name__startswith="cluster:").exists()


def test_sigterm_ends_a_cluster_and_takes_back_its_sign_of_life(start_cluster):
    cluster = start_cluster()
    assert within(20, is_alive)

    assert cluster.stop() == 0

    assert cluster.leaves_nothing()
    assert not is_alive()
    assert Heartbeat.objects.filter(name="cluster").exists()


def test_nobody_outlives_a_supervisor_or_a_leader_that_is_killed(start_cluster):
    cluster = start_cluster()
    first = cluster.leader()
    workers = cluster.workers()

    cluster.kill(first)

    assert within(20, lambda: cluster.leader() != first)
    assert within(20, lambda: len(cluster.workers()) == 2)
    assert not set(workers) & set(cluster.processes())

    cluster.popen.send_signal(signal.SIGKILL)

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
