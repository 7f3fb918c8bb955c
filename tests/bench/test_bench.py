"""The bench stays out of the configured database and tells met from missed."""

from __future__ import annotations

import json
import os
import uuid

import pytest
from django.db import connection
from django.urls import Resolver404, resolve
from django.utils import timezone

from automation.models import AutomationRule
from automation.selectors.stale import stale_visits
from bench import api, backtests, database, serving, stale, verification
from bench.figures import Target, compared, single, table
from bench.practice import Practice, blueprint, open_practice
from journeys.models import JourneyLog
from journeys.selectors.verification import snapshot, violations
from journeys.services.templates import create_template
from kura import tenancy
from tests.factories import PatientFactory, a_user


def test_nothing_is_written_to_the_configured_database(db: None) -> None:
    with pytest.raises(database.NotThrowAway):
        open_practice()


def test_a_bench_database_is_never_the_configured_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(connection.settings_dict, "NAME", "kura_bench")

    with pytest.raises(database.NotThrowAway), database.throw_away_database():
        pass


def test_what_is_loaded_for_verification_is_what_the_door_would_have_written(organization):
    create_template(organization=organization, blueprint=blueprint())

    therapist = a_user(organization)
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # no trigger waits when guards go off

    verification.fill(Practice(organization, therapist), 200)

    with tenancy.every_organization(), snapshot():
        assert JourneyLog.objects.count() == 200
        assert list(violations()) == []


def test_a_child_process_works_in_the_same_database(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgres://somebody:secret@/kura?host=/run/pg")

    child = database.environment("kura_bench")

    assert child["DATABASE_URL"] == "postgres://somebody:secret@/kura_bench?host=/run/pg"
    assert os.environ["DATABASE_URL"].endswith("@/kura?host=/run/pg")


def test_the_ratio_is_the_median_of_the_rounds() -> None:
    target = Target(at_least=0.5)

    figure = compared(
        "moves",
        unit="moves/s",
        service=[600, 100, 500],
        other=[1000, 1000, 1000],
        against="raw",
        target=target,
    )

    assert figure.value == 0.5
    assert figure.met is True


def test_the_processor_is_counted_by_request() -> None:
    ours = [serving.Answered(seconds=2, latencies=[0.01] * 100, cpu=0.4)]
    bare = [serving.Answered(seconds=1, latencies=[0.01] * 100, cpu=0.2)]

    bare_p95, rate, processor, _p95 = api._figures(1, {"bare": bare, "GET patient": ours})

    assert bare_p95.name == "bare, 1 client, p95"
    assert (rate.value, rate.met) == (0.5, False)
    assert (processor.value, processor.medians) == (2, {"service": 4, "bare": 2})


def test_the_bare_view_tells_one_row(rf, organization) -> None:
    patient = PatientFactory(organization=organization)

    found = resolve(f"/bench/bare/{patient.pk}", urlconf="bench.urls")
    told = json.loads(found.func(rf.get("/"), **found.kwargs).render().content)

    assert (told["id"], told["full_name"]) == (str(patient.pk), patient.full_name)


def test_the_bare_view_is_served_beside_the_product_and_by_the_bench_alone() -> None:
    assert resolve("/api/v1/auth/me", urlconf="bench.urls").url_name == "api-me"
    with pytest.raises(Resolver404):
        resolve(f"/bench/bare/{uuid.UUID(int=0)}")


def test_the_table_says_what_was_missed() -> None:
    slow = single("verify", unit="s", values=[70, 80, 90], target=Target(at_most=60))

    assert table([slow]).splitlines()[-1].endswith("| median 80 | ≤ 60   | NO  |")


def test_the_monitors_own_plan_reads_the_enrollments_and_never_the_log(organization):
    create_template(organization=organization, blueprint=blueprint())
    therapist = a_user(organization)
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    verification.fill(Practice(organization, therapist), 500)
    AutomationRule.objects.create(
        organization=organization,
        name="Stale",
        trigger_event="JOURNEY_STAGE_TIMEOUT",
        journey_key="intake",
        stage="CONFIRMED",
        max_hours=24,
        actions=[],
    )

    stale.require_no_page_of_the_log()

    with tenancy.every_organization():
        assert stale_visits(now=timezone.now(), limit=10).stale == 50


def test_what_is_loaded_for_a_dry_run_is_judged_by_both_versions(organization):
    create_template(organization=organization, blueprint=blueprint())
    practice = Practice(organization, a_user(organization))
    patients = [PatientFactory(organization=organization).pk for _ in range(40)]

    backtests.load(practice, patients)

    found = backtests.try_both(practice)
    assert (found.events, found.undecided) == (40, 0)
    assert found.effects.would_move == found.matched > 0
    assert found.difference.removed > 0
