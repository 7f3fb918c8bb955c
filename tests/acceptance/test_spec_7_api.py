"""Specification 7: API endpoints. One test per row of its table, over HTTP, against the server."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from automation.library import install
from journeys.models import JourneyLog, SystemEventLog
from journeys.services.templates import create_template
from journeys.services.transitions import enroll
from kura import tenancy
from kura.accounts.models import ApiToken, IntegrationKey
from kura.demo.archetypes import ARCHETYPES
from patients.models import Patient
from tests.acceptance.stuck import somebody
from tests.factories import OrganizationFactory, PatientFactory, a_user, system
from tests.http_server import serving

RETREAT = "retreat_ibiza_2025"


@pytest.fixture
def practice(committed_db):
    organization = OrganizationFactory()
    with tenancy.scope(organization):
        for blueprint in ARCHETYPES:
            create_template(organization=organization, blueprint=blueprint)
        yield organization


@pytest.fixture
def therapist(practice):
    return a_user(practice, "therapist")


@pytest.fixture
def server(practice, tmp_path):
    with serving(tmp_path / "web.log") as running:
        yield running


@pytest.fixture
def call(server, therapist):
    """As this practice's therapist, with a token."""
    who = bearer(a_token(therapist))
    return lambda method, path, body=None, **headers: server.call(
        method, path, body, **who, **headers
    )


def a_token(user) -> str:
    return ApiToken.objects.make(user=user, name="laptop", expires_at=None)[1]


def a_key(practice, *scopes: str) -> str:
    made = {"organization": practice, "name": "cron", "scopes": list(scopes)}
    return IntegrationKey.objects.create_key(**made)[1]


def bearer(text: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {text}"}


def stale_events():
    return SystemEventLog.objects.filter(event_type="JOURNEY_STAGE_TIMEOUT")


@pytest.fixture
def marta(practice):
    patient = PatientFactory(organization=practice, full_name="Marta")
    enroll(patient_id=patient.pk, journey_key=RETREAT, cause=system())
    return patient


def test_get_patient_returns_the_patient_with_journey_status(call, marta):
    """`GET /api/v1/patients/{id}`: returns patient with `journey_status` field."""
    stage = JourneyLog.objects.get(patient=marta).to_stage

    answer = call("GET", f"/api/v1/patients/{marta.pk}")
    again = call("GET", f"/api/v1/patients/{marta.pk}", **{"If-None-Match": answer.headers["ETag"]})

    assert answer.status == 200
    assert answer.told["full_name"] == "Marta"
    assert answer.told["journey_status"] == {RETREAT: stage}
    assert answer.headers["ETag"] == f'"{answer.told["version"]}"'
    assert (again.status, again.raw) == (304, b"")


def test_patch_journey_is_a_therapists_manual_update(call, therapist, marta):
    """`PATCH /api/v1/patients/{id}/journey`: manual journey update (therapist action)."""
    before = call("GET", f"/api/v1/patients/{marta.pk}/journeys/{RETREAT}")
    to_stage = next(one["to_stage"] for one in before.told["allowed_transitions"] if one["allowed"])
    body = {"journey_key": RETREAT, "to_stage": to_stage, "reason": "Spoke on the telephone"}
    headers = {"If-Match": before.headers["ETag"], "Idempotency-Key": "first-call"}

    moved = call("PATCH", f"/api/v1/patients/{marta.pk}/journey", body, **headers)
    retried = call("PATCH", f"/api/v1/patients/{marta.pk}/journey", body, **headers)
    stale = call("PATCH", f"/api/v1/patients/{marta.pk}/journey", body, **{"If-Match": '"1"'})

    assert moved.status == 200
    assert moved.told["journey_status"] == {RETREAT: to_stage}
    assert moved.told["log"]["actor"]["id"] == str(therapist.pk)
    assert retried.raw == moved.raw
    assert (stale.status, stale.told["code"]) == (412, "stale_write")
    assert Patient.objects.get(pk=marta.pk).journey_status == {RETREAT: to_stage}
    last = JourneyLog.objects.filter(patient=marta).latest("pk")
    assert (last.seq, last.actor_kind, last.actor_id) == (2, "user", therapist.pk)


def test_get_stale_check_triggers_the_monitor(server, practice):
    """`GET /api/v1/admin/stale-journeys/check`: trigger stale monitor (cron/admin)."""
    install(practice, also_waiting=True)
    patient = somebody(practice, timezone.now() - timedelta(hours=51))
    cron = bearer(a_key(practice, "admin:run"))
    path = "/api/v1/admin/stale-journeys/check"

    rehearsed = server.call("GET", f"{path}?dry_run=true", **cron)
    announced = list(stale_events())
    checked = server.call("GET", path, **cron)
    again = server.call("GET", path, **cron)
    refused = server.call("GET", path, **bearer(a_token(a_user(practice, "therapist"))))
    lured = server.call("GET", path, **cron, **{"Sec-Fetch-Site": "cross-site"})

    assert (rehearsed.status, rehearsed.told["items"][0]["outcome"]) == (200, "would_emit")
    assert announced == []
    assert (checked.status, checked.headers["Cache-Control"]) == (200, "no-store")
    assert (checked.told["stale"], checked.told["timeouts_emitted"]) == (1, 1)
    [item], event = checked.told["items"], stale_events().get()
    assert (item["patient_id"], item["event_id"]) == (str(patient.pk), str(event.pk))
    assert (item["journey_key"], item["stage"]) == (RETREAT, "AWAITING_PAYMENT")
    assert (again.status, again.told["timeouts_emitted"]) == (200, 0)
    assert (refused.status, refused.told["code"]) == (403, "permission_denied")
    assert (lured.status, lured.told["code"]) == (403, "cross_site_request")
    assert stale_events().count() == 1


def test_get_journey_templates_lists_the_practices_blueprints(call, marta):
    """`GET /api/v1/journey-templates`: list journey blueprints for organization."""
    answer = call("GET", "/api/v1/journey-templates")

    assert answer.status == 200
    told = {one["key"]: one for one in answer.told["results"]}
    assert set(told) == {blueprint.key for blueprint in ARCHETYPES}
    retreat = next(blueprint for blueprint in ARCHETYPES if blueprint.key == RETREAT)
    assert told[RETREAT]["allowed_stages"] == retreat.codes
    assert told[RETREAT]["initial_stage"] == retreat.initial_stage
    assert (told[RETREAT]["is_active"], told[RETREAT]["active_journeys"]) == (True, 1)


def test_what_is_unknown_is_a_problem_and_never_a_redirect(call, marta):
    for path in (f"/api/v1/patients/{marta.pk}/", "/api/v1/journey-templates/", "/api/v1/nothing"):
        answer = call("GET", path)
        assert (answer.status, answer.told["code"]) == (404, "not_found")
        assert answer.headers["Content-Type"] == "application/problem+json"
