"""Many clients at the real web server at once: each version is moved on from once."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from journeys.models import JourneyLog
from journeys.services.transitions import enroll
from kura import tenancy
from kura.accounts.models import ApiToken
from tests.factories import OrganizationFactory, PatientFactory, a_template, a_user, system
from tests.http_server import serving
from tests.sizes import sized

CLIENTS = 50
ROUNDS = sized(reduced=2, full=40)
STAGES = ["AWAITING_PAYMENT", "CONFIRMED"]


@pytest.fixture
def practice(committed_db):
    organization = OrganizationFactory()
    a_template(organization)
    with tenancy.scope(organization):
        yield organization


@pytest.fixture
def patch(practice, tmp_path):
    token = {"user": a_user(practice, "therapist"), "name": "test", "expires_at": None}
    _token, text = ApiToken.objects.make(**token)
    two = ("--workers", "2")
    with serving(tmp_path / "web.log", *two, KURA_RATE_USER="off") as server:
        yield lambda patient, to_stage, **headers: server.call(
            "PATCH",
            f"/api/v1/patients/{patient.pk}/journey",
            {"journey_key": "intake", "to_stage": to_stage},
            Authorization=f"Bearer {text}",
            **headers,
        )


@pytest.fixture
def patient(practice):
    someone = PatientFactory(organization=practice)
    enroll(patient_id=someone.pk, journey_key="intake", cause=system())
    return someone


def at_once(act):
    with ThreadPoolExecutor(CLIENTS) as pool:
        return list(pool.map(act, range(CLIENTS)))


@pytest.mark.soak
def test_of_many_who_looked_at_one_version_one_moves(patch, patient):
    for number in range(1, ROUNDS + 1):
        tag, to_stage = f'"{number}"', STAGES[number % 2]

        answers = at_once(lambda _: patch(patient, to_stage, **{"If-Match": tag}))  # noqa: B023

        assert Counter(answer.status for answer in answers) == {200: 1, 412: CLIENTS - 1}
        refused = [answer.told for answer in answers if answer.status == 412]
        assert {one["current_version"] for one in refused} == {number + 1}
        assert JourneyLog.objects.filter(patient=patient).count() == number + 1


def test_of_many_retries_under_one_key_one_moves(patch, patient):
    headers = {"Idempotency-Key": "only-once"}

    answers = at_once(lambda _: patch(patient, "CONFIRMED", **headers))

    assert set(Counter(answer.status for answer in answers)) <= {200, 409}
    assert {a.told["code"] for a in answers if a.status == 409} <= {"idempotency_in_progress"}
    assert len({answer.raw for answer in answers if answer.status == 200}) == 1
    assert JourneyLog.objects.filter(patient=patient).count() == 2
