"""Workers that die, hang or poison: every event takes effect once, with nobody helping."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import psycopg
import pytest
from django.db import connection, connections, transaction
from django_q.models import OrmQ

from automation import bell, dispatch
from automation.models import EventDispatch, Heartbeat, RuleRun
from automation.services.decisions import retry
from journeys.models import JourneyLog, SystemEventLog
from kura import tenancy
from kura.accounts.models import Organization
from patients.models import Patient
from tests.automation.cluster.conftest import (
    Process,
    database_name,
    patients_in,
    test_database_url,
    within,
)
from tests.automation.practice import a_rule, move, tell
from tests.factories import OrganizationFactory, PatientFactory, a_user
from tests.sizes import FULL, sized

logger = logging.getLogger(__name__)  # figures: -o log_cli=true --log-cli-level=INFO
pytestmark = pytest.mark.soak
PATIENCE = sized(reduced=60, full=600)  # seconds until a test gives up


def waiting() -> int:
    return EventDispatch.objects.filter(status__in=["queued", "processing"]).count()


def all_done(seconds: float = PATIENCE) -> bool:
    return within(seconds, lambda: not waiting())


def statuses() -> dict[str, int]:
    told = EventDispatch.objects.filter(event__event_type="PAYMENT_SUCCEEDED")
    found = list(told.values_list("status", flat=True))
    return {status: found.count(status) for status in found}


def effects() -> list[object]:
    """The events that moved somebody to CONFIRMED."""
    rows = JourneyLog.objects.filter(to_stage="CONFIRMED")
    return list(rows.values_list("trigger_event_id", flat=True))


def test_kill_9_of_workers_of_two_clusters_loses_and_doubles_nothing(practice, start_cluster):
    count, kills = sized(reduced=30, full=2000), sized(reduced=2, full=20)
    a_rule(practice, "PAYMENT_SUCCEEDED", move("intake", "CONFIRMED"))
    people = patients_in(practice, count)
    clusters = [start_cluster(), start_cluster()]
    dice = random.Random(1)

    told = []
    for number, patient in enumerate(people):
        told.append(tell(patient, "PAYMENT_SUCCEEDED", f"e-{number}").event_id)
        if number % (count // kills) == count // kills // 2:
            kill_a_worker(clusters, dice)

    assert all_done()
    assert statuses() == {"done": count}
    assert sorted(effects()) == sorted(told)


def kill_a_worker(clusters: list[Process], dice: random.Random) -> None:
    """Whichever is there: a cluster that has just been hit may be starting anew."""
    assert within(PATIENCE, lambda: any(cluster.workers() for cluster in clusters))
    cluster, worker = dice.choice([(one, pid) for one in clusters for pid in one.workers()])
    cluster.kill(worker)


def test_when_every_idle_worker_is_killed_events_are_done_with_nobody_helping(
    practice, start_cluster
):
    a_rule(practice, "PAYMENT_SUCCEEDED", move("intake", "CONFIRMED"))
    people = patients_in(practice, 20)
    cluster = start_cluster(*sized_words(["--silence", "4"]))
    assert within(20, lambda: Heartbeat.objects.filter(name__startswith="cluster:").exists())

    began = time.monotonic()
    for worker in cluster.workers():
        cluster.kill(worker)
    for number, patient in enumerate(people):
        tell(patient, "PAYMENT_SUCCEEDED", f"e-{number}")

    assert all_done(180)
    logger.info("idle workers killed: all done after %.1f s", time.monotonic() - began)
    assert statuses() == {"done": 20}
    assert len(effects()) == 20


def sized_words(reduced: list[str]) -> list[str]:
    return reduced if sized(reduced=1, full=0) else []


def test_a_poison_event_and_one_that_kills_its_worker_end_dead_and_alone(
    practice, start_cluster, tmp_path
):
    flag = tmp_path / "kills"
    flag.touch()
    count = sized(reduced=30, full=500)
    user = a_user(practice, "manager")
    a_rule(practice, "PAYMENT_SUCCEEDED", move("intake", "CONFIRMED"))
    poison = a_rule(practice, "CUSTOM.poison", {"type": "no such action"})
    killing = {"key": "intake", "status": "CONFIRMED", "while": str(flag)}
    a_rule(practice, "CUSTOM.killer", {"type": "kill_worker", "params": killing})
    people = patients_in(practice, count)
    start_cluster()

    began = time.monotonic()
    kinds = ["PAYMENT_SUCCEEDED"] * count
    kinds[count // 3], kinds[count // 2] = "CUSTOM.poison", "CUSTOM.killer"
    told = {
        tell(patient, kind, f"e-{number}").event_id: kind
        for number, (patient, kind) in enumerate(zip(people, kinds, strict=True))
    }

    assert all_done()
    logger.info("poison and killer dead after %.1f s", time.monotonic() - began)
    logger.info("%d neighbours were tried twice", neighbours_tried_again())
    assert statuses() == {"done": count - 2}
    dead = EventDispatch.objects.filter(status="dead")
    assert {told[one.pk] for one in dead} == {"CUSTOM.poison", "CUSTOM.killer"}
    assert {one.attempts for one in dead} == {dispatch.MAX_ATTEMPTS}
    assert {one.last_error for one in dead} == {"KeyError", "worker_died"}
    assert not EventDispatch.objects.filter(status="done", attempts__gt=2).exists()

    poison.actions = [move("intake", "CONFIRMED")]
    poison.save()
    flag.unlink()
    for one in dead:
        retry(event_id=one.pk, user=user, reason="The cause is gone, tried again")

    assert all_done()
    assert sorted(effects()) == sorted(told)


def neighbours_tried_again() -> int:
    return EventDispatch.objects.filter(status="done", attempts__gt=1).count()


def test_eight_writers_of_the_same_keys_make_each_event_and_effect_once(practice, start):
    keys, writers = sized(reduced=40, full=500), 8
    a_rule(practice, "PAYMENT_SUCCEEDED", move("intake", "CONFIRMED"))
    people = patients_in(practice, keys)

    def write(number: int) -> int:
        order = list(enumerate(people))
        random.Random(number).shuffle(order)
        with tenancy.scope(practice):
            try:
                new = [not tell(p, "PAYMENT_SUCCEEDED", f"e-{n}").duplicate for n, p in order]
            finally:
                connections.close_all()
        return sum(new)

    with ThreadPoolExecutor(writers) as pool:
        stored = list(pool.map(write, range(writers)))
    drains = [start("drain_events") for _ in range(2)]

    assert sum(stored) == keys
    assert [drain.popen.wait(PATIENCE) for drain in drains] == [0, 0]
    assert SystemEventLog.objects.filter(event_type="PAYMENT_SUCCEEDED").count() == keys
    assert statuses() == {"done": keys}
    assert len(effects()) == len(set(effects())) == RuleRun.objects.count() == keys


def test_a_database_that_is_away_is_waited_for_and_no_cluster_is_killed(practice, start_cluster):
    a_rule(practice, "PAYMENT_SUCCEEDED", move("intake", "CONFIRMED"))
    [patient] = patients_in(practice, 1)
    cluster = start_cluster("--silence", "2")
    assert within(20, lambda: Heartbeat.objects.filter(name__startswith="cluster:").exists())
    workers = cluster.workers()

    with database_away():
        assert within(20, lambda: "does not answer" in cluster.output())
        time.sleep(2.5)  # longer than a silence may be
    tell(patient, "PAYMENT_SUCCEEDED")

    assert all_done()
    assert len(effects()) == 1
    assert cluster.workers() == workers
    assert within(20, lambda: "answers again" in cluster.output())
    assert cluster.output().count("does not answer") == 1
    assert "replaced" not in cluster.output()


@contextmanager
def database_away() -> Iterator[None]:
    """Nobody can connect, and whoever was connected is not any more."""
    connection.close()
    server = test_database_url().replace(f"/{database_name()}", "/postgres", 1)
    name = database_name()
    with psycopg.connect(server, autocommit=True) as other:
        other.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
        other.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name]
        )
        yield
        other.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')


def test_patients_whom_somebody_holds_do_not_hold_the_workers(practice, start_cluster):
    a_rule(practice, "PAYMENT_SUCCEEDED", move("intake", "CONFIRMED"))
    *held, free = patients_in(practice, 3)
    cluster = start_cluster(TEST_BACKOFF="2")  # long enough to live until they are let go
    workers = cluster.workers()

    with transaction.atomic():
        list(Patient.objects.filter(pk__in=[one.pk for one in held]).select_for_update(no_key=True))
        with ThreadPoolExecutor(1) as elsewhere:
            told = elsewhere.submit(tell_all, practice, [*held, free]).result()
            assert elsewhere.submit(within_elsewhere, told[-1]).result()

    assert all_done()
    assert statuses() == {"done": 3}
    assert cluster.workers() == workers


def tell_all(practice: Organization, people: list[Patient]) -> list[object]:
    try:
        with tenancy.scope(practice):
            return [tell(one, "PAYMENT_SUCCEEDED", str(one.pk)).event_id for one in people]
    finally:
        connections.close_all()


def within_elsewhere(event_id: object) -> bool:
    """Whether it is done, seen from outside the transaction of the caller."""
    try:
        with tenancy.every_organization():
            place = EventDispatch.objects.filter(pk=event_id, status="done")
            return within(PATIENCE, place.exists)
    finally:
        connections.close_all()


@pytest.mark.skipif(not FULL, reason="tests/automation/test_fairness.py shows it without processes")
def test_an_event_passes_a_flood_of_another_practice(practice, start_cluster):
    flood = [(patient, n) for patient in patients_in(practice, 100) for n in range(20)]
    other = OrganizationFactory()
    with tenancy.scope(other):
        patient = PatientFactory(organization=other)
    for one, number in flood:
        tell(one, "CUSTOM.flood", f"{one.pk}-{number}")
    start_cluster()
    assert within(PATIENCE, lambda: done("CUSTOM.flood"))

    began = time.monotonic()
    before = done("CUSTOM.flood")
    with tenancy.scope(other):
        tell(patient, "CUSTOM.single")
        assert within(PATIENCE, lambda: done("CUSTOM.single"))
    passed = done("CUSTOM.flood") - before
    logger.info("one passed a flood after %.2f s, %d later", time.monotonic() - began, passed)

    assert 0 < before < len(flood)
    assert passed <= 8 * dispatch.AT_ONCE  # what two workers had in hand, and what they took then
    assert all_done()


def done(event_type: str) -> int:
    told = EventDispatch.objects.filter(event__event_type=event_type, status="done")
    return told.count()


def test_a_flood_of_bells_is_through_in_no_time(practice, start_cluster):
    a_rule(practice, "PAYMENT_SUCCEEDED", move("intake", "CONFIRMED"))
    [patient] = patients_in(practice, 1)
    for _ in range(sized(reduced=100, full=2000)):
        bell._last_rung.clear()
        bell.ring()
    tell(patient, "PAYMENT_SUCCEEDED")
    rung = bells()

    began = time.monotonic()
    cluster = start_cluster("--silence", "5")

    assert within(PATIENCE, lambda: not bells())
    logger.info("%d bells answered after %.1f s", rung, time.monotonic() - began)
    assert len(effects()) == 1
    assert "replaced" not in cluster.output()


def bells() -> int:
    return OrmQ.objects.filter(key="kura").count()
