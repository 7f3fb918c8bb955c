"""Every URL of the API, every method, for everybody: one table. A route missing in it fails."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from django.db import transaction
from django.urls import URLPattern, URLResolver, reverse

from automation.models import AutomationRule
from journeys.models import SystemEventLog
from journeys.services.transitions import enroll
from kura import api_urls, tenancy
from kura.accounts.models import ApiToken, Organization, User
from patients.models import Patient
from tests.api.conftest import Api, by_key, by_session, by_token, nobody
from tests.automation.practice import a_rule, tell
from tests.factories import OrganizationFactory, PatientFactory, a_template, a_user, system
from tests.sizes import FULL

CALLERS = ("nobody", "viewer", "therapist", "manager", "key", "narrow key", "foreign", "platform")
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
NOT_HERE = dict.fromkeys(CALLERS, 405) | {"nobody": 401, "platform": 403}


def row(*statuses: int) -> dict[str, int]:
    return dict(zip(CALLERS, statuses, strict=True))


# (route, method) -> what each caller gets; a method that is not named is 405 for who is logged in.
# A write is sent with an empty body, so 400 says: permitted, as far as the body.
TABLE = {
    ("api-csrf", "GET"): row(204, 204, 204, 204, 204, 204, 204, 204),
    ("api-login", "POST"): row(403, 403, 403, 403, 403, 403, 403, 403),
    ("api-logout", "POST"): row(401, 204, 204, 204, 403, 403, 204, 403),
    ("api-me", "GET"): row(401, 200, 200, 200, 200, 200, 200, 403),
    ("api-tokens", "GET"): row(401, 200, 200, 200, 403, 403, 200, 403),
    ("api-tokens", "POST"): row(401, 400, 400, 400, 403, 403, 400, 403),
    ("api-token", "DELETE"): row(401, 404, 204, 404, 403, 403, 404, 403),
    ("api-events", "GET"): row(401, 200, 200, 200, 200, 403, 200, 403),
    ("api-events", "POST"): row(401, 403, 400, 400, 400, 403, 400, 403),
    ("api-event", "GET"): row(401, 200, 200, 200, 200, 403, 404, 403),
    ("api-event-trace", "GET"): row(401, 200, 200, 200, 200, 403, 404, 403),
    ("api-event-link", "POST"): row(401, 403, 400, 400, 403, 403, 400, 403),
    ("api-event-replay", "POST"): row(401, 403, 400, 400, 403, 403, 400, 403),
    ("api-event-retry", "POST"): row(401, 403, 400, 400, 403, 403, 400, 403),
    ("api-event-skip", "POST"): row(401, 403, 400, 400, 403, 403, 400, 403),
    ("api-rules", "GET"): row(401, 200, 200, 200, 200, 403, 200, 403),
    ("api-rules", "POST"): row(401, 403, 403, 400, 400, 403, 400, 403),
    ("api-rule", "GET"): row(401, 200, 200, 200, 200, 403, 404, 403),
    ("api-rule", "PUT"): row(401, 403, 403, 400, 400, 403, 404, 403),
    ("api-rule", "PATCH"): row(401, 403, 403, 200, 200, 403, 404, 403),
    ("api-rule", "DELETE"): row(401, 403, 403, 204, 204, 403, 404, 403),
    ("api-rule-publish", "POST"): row(401, 403, 403, 409, 409, 403, 404, 403),
    ("api-rule-backtest", "POST"): row(401, 403, 403, 400, 400, 403, 404, 403),
    ("api-rules-dry-run", "POST"): row(401, 403, 403, 400, 400, 403, 400, 403),
    ("api-rules-install", "POST"): row(401, 403, 403, 422, 422, 403, 200, 403),
    ("api-rules-library", "GET"): row(401, 200, 200, 200, 200, 403, 200, 403),
    ("api-rules-validate", "POST"): row(401, 403, 403, 400, 400, 403, 400, 403),
    ("api-rules-vocabulary", "GET"): row(401, 200, 200, 200, 200, 403, 200, 403),
    ("api-stale-check", "GET"): row(401, 403, 403, 200, 200, 403, 200, 403),
    ("api-stale-check", "POST"): row(401, 403, 403, 200, 200, 403, 200, 403),
    ("api-patients", "GET"): row(401, 200, 200, 200, 200, 403, 200, 403),
    ("api-patients", "POST"): row(401, 403, 400, 400, 400, 403, 400, 403),
    ("api-patient", "GET"): row(401, 200, 200, 200, 200, 403, 404, 403),
    ("api-patient", "PATCH"): row(401, 403, 200, 200, 200, 403, 404, 403),
    ("api-move", "PATCH"): row(401, 403, 400, 400, 400, 403, 400, 403),
    ("api-patient-journeys", "GET"): row(401, 200, 200, 200, 200, 403, 404, 403),
    ("api-patient-journeys", "POST"): row(401, 403, 400, 400, 400, 403, 400, 403),
    ("api-journey", "GET"): row(401, 200, 200, 200, 200, 403, 404, 403),
    ("api-unblock", "POST"): row(401, 403, 409, 409, 403, 403, 404, 403),
    ("api-patient-logs", "GET"): row(401, 200, 200, 200, 200, 403, 404, 403),
    ("api-logs", "GET"): row(401, 200, 200, 200, 200, 403, 200, 403),
    ("api-logs-verify", "GET"): row(401, 403, 403, 200, 200, 403, 200, 403),
    ("api-journeys", "GET"): row(401, 200, 200, 200, 200, 403, 200, 403),
    ("api-summary", "GET"): row(401, 200, 200, 200, 200, 403, 200, 403),
    ("api-templates", "GET"): row(401, 200, 200, 200, 200, 403, 200, 403),
    ("api-templates", "POST"): row(401, 403, 403, 400, 400, 403, 400, 403),
    ("api-template", "GET"): row(401, 200, 200, 200, 200, 403, 404, 403),
    ("api-template", "PATCH"): row(401, 403, 403, 200, 200, 403, 404, 403),
    ("api-template-activate", "POST"): row(401, 403, 403, 200, 200, 403, 404, 403),
    ("api-template-deactivate", "POST"): row(401, 403, 403, 200, 200, 403, 404, 403),
    ("api-schema", "GET"): row(200, 200, 200, 200, 200, 200, 200, 200),
    ("api-docs", "GET"): row(200, 200, 200, 200, 200, 200, 200, 200),
}
PUBLIC = {"api-csrf", "api-login", "api-schema", "api-docs"}


@dataclass(frozen=True)
class Practice:
    organization: Organization
    team: dict[str, User]
    event: SystemEventLog
    token: ApiToken
    patient: Patient
    rule: AutomationRule


@pytest.fixture
def ours(db) -> Practice:
    organization = OrganizationFactory()
    team = {role: a_user(organization, role) for role in ("viewer", "therapist", "manager")}
    with tenancy.scope(organization):
        a_template(organization)
        patient = PatientFactory(organization=organization)
        enroll(patient_id=patient.pk, journey_key="intake", cause=system())
        recorded = tell(patient, "CUSTOM.call")
        event = SystemEventLog.objects.get(pk=recorded.event_id)
        rule = a_rule(organization, "CUSTOM.rare")
    token, _text = ApiToken.objects.make(user=team["therapist"], name="theirs", expires_at=None)
    return Practice(organization, team, event, token, patient, rule)


def arguments(route: str, practice: Practice) -> dict[str, Any]:
    patient, journey = {"patient_id": practice.patient.pk}, {"journey_key": "intake"}
    if route.startswith("api-event-"):
        return {"event_id": practice.event.pk}
    if route in ("api-rule", "api-rule-backtest", "api-rule-publish"):
        return {"rule_id": practice.rule.pk}
    return {
        "api-patient": patient,
        "api-move": patient,
        "api-patient-journeys": patient,
        "api-journey": patient | journey,
        "api-unblock": patient | journey,
        "api-patient-logs": patient,
        "api-template": journey,
        "api-template-activate": journey,
        "api-template-deactivate": journey,
        "api-token": {"token_id": practice.token.pk},
        "api-event": {"event_id": practice.event.pk},
    }.get(route, {})


def client_of(caller: str, practice: Practice) -> Api:
    if caller in practice.team:
        return by_token(practice.team[caller])
    match caller:
        case "key":
            return by_key(practice.organization)
        case "narrow key":
            return by_key(practice.organization, "analytics:read")
        case "foreign":
            return by_token(a_user(OrganizationFactory(), "manager"))
        case "platform":
            return by_token(User.objects.create_superuser("root@example.org", "x"))
    return nobody()


def routes(patterns: list[URLPattern | URLResolver]) -> Iterator[str]:
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            yield from routes(pattern.url_patterns)
        elif pattern.name:
            yield pattern.name


ROUTES = sorted(set(routes(api_urls.urlpatterns)))


def test_every_route_is_in_the_table():
    assert {route for route, _method in TABLE} == set(ROUTES)


def expected(route: str, method: str) -> dict[str, int]:
    if route in PUBLIC:
        return TABLE.get((route, method), dict.fromkeys(CALLERS, 405))
    return TABLE.get((route, method), NOT_HERE)


@contextmanager
def undone() -> Iterator[None]:
    """One caller after another, and none sees what the one before has done."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


@pytest.mark.parametrize("route", ROUTES)
def test_each_caller_gets_what_the_table_says(ours, route):
    path = reverse(route, kwargs=arguments(route, ours))

    for caller in CALLERS:
        with undone():
            api = client_of(caller, ours)
            got = {method: api.call(method, path, {}).status_code for method in METHODS}

        assert got == {method: expected(route, method)[caller] for method in METHODS}, caller


ROLES = ("viewer", "therapist", "manager")


@pytest.mark.soak
@pytest.mark.parametrize("route", [route for route in ROUTES if route not in PUBLIC])
def test_a_session_may_what_a_token_may(ours, route):
    """Reduced, the roles take turns."""
    path = reverse(route, kwargs=arguments(route, ours))

    for role in ROLES if FULL else [ROLES[ROUTES.index(route) % len(ROLES)]]:
        with undone():
            got = {}
            api = by_session(ours.team[role])
            for method in METHODS:
                if route == "api-logout":
                    api = by_session(ours.team[role])
                got[method] = api.call(method, path, {}).status_code

        assert got == {method: expected(route, method)[role] for method in METHODS}, role
