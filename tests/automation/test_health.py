"""Automation's state in one look: whether the cluster works, and what waits for whom."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from automation.intake import Subject, record_event
from automation.models import EventDispatch, Heartbeat
from automation.selectors.health import SILENT_AFTER, automation_health
from automation.services import heartbeats
from journeys.models import SystemEventLog
from kura import tenancy
from tests.automation.practice import API, tell
from tests.factories import OrganizationFactory, PatientFactory


def health():
    return automation_health(now=timezone.now())


def test_a_system_that_never_beat_is_silent(organization):
    assert health().is_silent
    assert health().last_beat is None


def test_work_of_any_cluster_ends_the_silence_for_a_while(organization):
    heartbeats.show_life()

    assert not health().is_silent

    Heartbeat.objects.update(at=timezone.now() - SILENT_AFTER - timedelta(seconds=1))

    assert health().is_silent


def test_only_clusters_that_worked_lately_are_counted(organization):
    now = timezone.now()
    for name, at in (("a", now), ("b", now), ("c", now - timedelta(minutes=10))):
        Heartbeat.objects.create(name=f"cluster:{name}:1", at=at)

    assert health().clusters == 2


def test_counts_are_of_the_organization_in_scope(organization, patient):
    first = tell(patient, "CUSTOM.one", "1").event_id
    tell(patient, "CUSTOM.two", "2")
    dead = tell(patient, "CUSTOM.dead", "3").event_id
    EventDispatch.objects.filter(pk=dead).update(status="dead")
    record_event(
        organization=organization,
        event_type="CUSTOM.who",
        source=API,
        idempotency_key="4",
        subject=Subject(email="who@example.org"),
    )

    told = health()

    assert (told.waiting, told.dead, told.unmatched, told.messages_failed) == (2, 1, 1, 0)
    assert told.oldest_waiting_since == SystemEventLog.objects.get(pk=first).created_at
    with tenancy.scope(OrganizationFactory()):
        assert (health().waiting, health().dead, health().unmatched) == (0, 0, 0)
    with tenancy.every_organization():
        assert health().waiting == 2


@pytest.mark.parametrize("count", [1, 20])
def test_the_look_costs_the_same_however_much_waits(organization, count, django_assert_num_queries):
    for number in range(count):
        tell(PatientFactory(organization=organization), "CUSTOM.one", str(number))

    with django_assert_num_queries(3):
        health()
