"""Probes: what an operator's load balancer is told, and what it is not."""

from __future__ import annotations

import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client
from django.utils import timezone

from automation import monitor


def execute(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


@pytest.fixture(autouse=True)
def collected_static_files(settings: Any, tmp_path: Path) -> None:
    settings.STATIC_ROOT = tmp_path


@pytest.fixture
def broken_database(django_db_blocker: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Nobody listens where the settings point."""
    with django_db_blocker.unblock():
        connection.close()
        monkeypatch.setitem(connection.settings_dict, "HOST", "/nowhere")
        monkeypatch.setitem(connection.settings_dict["OPTIONS"], "host", "/nowhere")
        yield
        connection.close()


def codes(response: Any) -> list[str]:
    return [reason["code"] for reason in response.json()["reasons"]]


def test_a_migrated_and_guarded_database_is_ready(db: None, client: Client) -> None:
    response = client.get("/readyz")

    assert response.status_code == 200
    assert response.json()["status"] == "ready"
    assert response.json()["reasons"] == []
    assert "no-store" in response["Cache-Control"]


@pytest.mark.parametrize(
    ("minutes", "warnings"), [(89, []), (91, ["monitor_late"]), (None, ["monitor_late"])]
)
def test_a_late_monitor_is_a_warning_and_keeps_no_page_away(
    db: None, client: Client, minutes: int | None, warnings: list[str]
) -> None:
    if minutes is not None:
        then = timezone.now() - timedelta(minutes=minutes)
        monitor.leave_sign(monitor.Report(dry_run=False, started_at=then, finished_at=then))

    response = client.get("/readyz")

    assert response.status_code == 200
    assert [one["code"] for one in response.json()["warnings"]] == warnings


def test_a_database_that_is_down_is_503_and_quick(broken_database: None, client: Client) -> None:
    began = time.monotonic()

    response = client.get("/readyz")

    assert response.status_code == 503
    assert response.json() == {
        "status": "unavailable",
        "reasons": [{"code": "database_unreachable", "text": "The database does not answer."}],
    }
    assert time.monotonic() - began < 3


def test_a_logged_in_visitor_is_told_the_same(broken_database: None, client: Client) -> None:
    client.cookies[settings.SESSION_COOKIE_NAME] = "a-session-nobody-can-look-up"

    assert client.get("/readyz").status_code == 503
    assert client.get("/healthz").status_code == 200


def test_a_host_that_is_gone_is_given_up_soon() -> None:
    assert 0 < settings.DATABASES["default"]["OPTIONS"]["connect_timeout"] <= 5


def test_an_unapplied_migration_is_a_reason(db: None, client: Client) -> None:
    execute("DELETE FROM django_migrations WHERE app = 'journeys' AND name LIKE '0002%'")

    response = client.get("/readyz")

    assert response.status_code == 503
    assert codes(response) == ["migrations_pending"]


def test_a_database_ahead_of_this_release_is_ready(db: None, client: Client) -> None:
    execute(
        "INSERT INTO django_migrations (app, name, applied) VALUES ('journeys', '9999_x', now())"
    )

    assert client.get("/readyz").status_code == 200


def test_a_missing_guard_is_a_reason_and_is_not_named(db: None, client: Client) -> None:
    execute("DROP TRIGGER journey_door ON journey_logs")

    response = client.get("/readyz")

    assert response.status_code == 503
    assert codes(response) == ["guard_trigger_missing"]
    assert "journey_door" not in response.content.decode()


@pytest.mark.parametrize("state", ["DISABLE", "ENABLE", "ENABLE REPLICA"])
def test_a_guard_that_some_session_passes_is_a_reason(db: None, client: Client, state: str) -> None:
    execute(f"ALTER TABLE journey_logs {state} TRIGGER journey_log_append_only")
    execute(f"ALTER TABLE patients {state} TRIGGER patient_change")

    response = client.get("/readyz")

    assert response.status_code == 503
    assert codes(response) == ["guard_trigger_disabled"]


def test_all_reasons_are_given_at_once(db: None, client: Client) -> None:
    execute("DELETE FROM django_migrations WHERE app = 'journeys' AND name LIKE '0003%'")
    execute("DROP TRIGGER journey_door ON journey_logs")
    execute("ALTER TABLE patients DISABLE TRIGGER patient_change")

    assert codes(client.get("/readyz")) == [
        "migrations_pending",
        "guard_trigger_disabled",
        "guard_trigger_missing",
    ]


def test_the_process_answers_without_a_database(broken_database: None, client: Client) -> None:
    response = client.get("/healthz")

    assert response.status_code == 200
    assert response.json() == {"status": "ok"}


@pytest.mark.parametrize("probe", ["/healthz", "/readyz"])
def test_a_probe_may_call_by_any_address_without_tls(
    db: None, client: Client, probe: str, settings: Any
) -> None:
    settings.ALLOWED_HOSTS = ["kura.example"]
    settings.SECURE_SSL_REDIRECT = True

    response = client.get(probe, headers={"host": "10.0.0.7"})

    assert response.status_code == 200
    assert "set-cookie" not in response.headers
