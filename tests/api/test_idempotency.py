"""The same request again has the same answer and no second effect, whatever dies in between."""

from __future__ import annotations

import threading
from collections import Counter
from datetime import timedelta

import pytest
from django.db import connection, connections
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from automation.models import EventDispatch
from automation.tasks import tidy
from journeys.models import SystemEventLog
from kura import tenancy
from kura.api import idempotency
from kura.api.models import IdempotencyRecord
from patients.models import Patient
from tests.api.conftest import Api, by_key, by_session, by_token, problem
from tests.concurrency.test_events import at_once
from tests.factories import OrganizationFactory
from tests.sizes import sized

EVENTS = "/api/v1/events"
KEY = "Idempotency-Key"


def called(patient, key="e-1", **members):
    body = {"id": key, "event_type": "CUSTOM.call", "patient": {"id": str(patient.pk)}}
    return body | members


@pytest.fixture
def api(organization):
    return by_key(organization)


def test_a_retry_has_the_same_answer_to_the_byte(api, patient):
    first = api.post(EVENTS, called(patient), **{KEY: "a b"[:1]})
    again = api.post(EVENTS, called(patient), **{KEY: '"a"'})

    assert (again.status_code, again.content) == (first.status_code, first.content) == (
        202, first.content,
    )  # fmt: skip
    for name in ("Location", "Content-Type", "Cache-Control"):
        assert again.headers[name] == first.headers[name]
    assert again.headers["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["X-Request-ID"] != first.headers["X-Request-ID"]


@pytest.mark.parametrize("change", ["body", "query", "ce"])
def test_the_key_of_another_request_is_refused(api, patient, change):
    api.post(EVENTS, called(patient), **{KEY: "a"})
    body = called(patient, "e-2") if change == "body" else called(patient)
    headers = {"ce-x": "1"} if change == "ce" else {}

    path = f"{EVENTS}?x=1" if change == "query" else EVENTS
    response = api.post(path, body, **{KEY: "a"}, **headers)

    code = "invalid_parameter" if change == "query" else "idempotency_key_reused"
    problem(response, 400 if change == "query" else 422, code)


def test_a_key_is_its_callers_own(api, organization, therapist, patient):
    api.post(EVENTS, called(patient, "e-1"), **{KEY: "a"})

    others = by_token(therapist).post(EVENTS, called(patient, "e-2"), **{KEY: "a"})

    assert others.status_code == 202
    assert "Idempotent-Replayed" not in others.headers


@pytest.mark.parametrize("key", ["", '""', "x" * 256, "ñ", '"open', "a b", '"a"b"'])
def test_a_key_that_is_none_is_refused(api, patient, key):
    problem(api.post(EVENTS, called(patient), **{KEY: key}), 400, "idempotency_key_invalid")


def test_a_method_that_is_not_there_is_told_before_a_key_that_is_none(api, patient):
    answer = api.post(f"/api/v1/patients/{patient.pk}", {}, **{KEY: "a b"})

    problem(answer, 405, "method_not_allowed")
    assert "PATCH" in answer.headers["Allow"]


def test_a_final_refusal_is_stored_and_its_effects_are_undone(api, patient):
    api.post(EVENTS, called(patient))
    first = api.post(EVENTS, called(patient, payload={"x": 1}), **{KEY: "a"})
    again = api.post(EVENTS, called(patient, payload={"x": 1}), **{KEY: "a"})

    problem(first, 422, "idempotency_key_reused")
    assert again.content == first.content
    assert again.headers["Content-Type"] == "application/problem+json"
    assert again.headers["Idempotent-Replayed"] == "true"


def test_what_the_caller_can_mend_leaves_the_key_free(api, patient):
    problem(api.post(EVENTS, called(patient, x=1), **{KEY: "a"}), 400, "unknown_field")

    assert api.post(EVENTS, called(patient), **{KEY: "a"}).status_code == 202


def test_a_forgotten_header_can_be_sent_with_the_same_key(api, organization, patient):
    where = f"/api/v1/patients/{patient.pk}"
    organization.settings["require_if_match"] = True
    organization.save()

    unread = api.call("PATCH", where, {}, content_type="text/plain", **{KEY: "a"})
    unconditional = api.call("PATCH", where, {}, **{KEY: "a"})
    complete = api.call("PATCH", where, {}, **{KEY: "a", "If-Match": '"1"'})

    problem(unread, 415, "unsupported_media_type")
    problem(unconditional, 428, "precondition_required")
    assert (complete.status_code, "Idempotent-Replayed" in complete.headers) == (200, False)


def test_a_failure_undoes_the_effect_and_leaves_the_key_free(api, patient, monkeypatch):
    with monkeypatch.context() as broken:
        broken.setattr("automation.api.events.reverse", lambda *_a, **_k: 1 / 0)
        problem(api.post(EVENTS, called(patient), **{KEY: "a"}), 500, "internal_error")
    assert not SystemEventLog.objects.filter(idempotency_key="e-1").exists()

    assert api.post(EVENTS, called(patient), **{KEY: "a"}).json()["duplicate"] is False


def test_a_secret_is_never_stored(therapist):
    api = by_session(therapist)

    texts = {api.post("/api/v1/auth/tokens", {"name": "x"}, **{KEY: "a"}).json()["token"]
             for _ in range(2)}  # fmt: skip

    assert len(texts) == 2
    assert not IdempotencyRecord.objects.exists()


def test_answers_are_forgotten_after_two_days(api, patient):
    api.post(EVENTS, called(patient), **{KEY: "a"})
    api.post(EVENTS, called(patient, "e-2"), **{KEY: "b"})
    first = IdempotencyRecord.objects.order_by("created_at").first()
    first.created_at = timezone.now() - timedelta(hours=48, seconds=1)
    first.save()

    again = api.post(EVENTS, called(patient), **{KEY: "a"})
    assert "Idempotent-Replayed" not in again.headers
    assert IdempotencyRecord.objects.count() == 2
    IdempotencyRecord.objects.filter(pk=first.pk).update(created_at=first.created_at)
    tidy()

    assert IdempotencyRecord.objects.count() == 1


def test_a_key_costs_three_statements(api, patient):
    api.get(EVENTS)

    with CaptureQueriesContext(connection) as queries:
        api.post(EVENTS, called(patient), **{KEY: "a"})

    ours = [query["sql"] for query in queries if "SAVEPOINT" not in query["sql"]]
    assert len(ours) == 4 + 3, ours  # without: test_events; the lock, the look, the answer


# --- with real connections ------------------------------------------------------------------------


@pytest.fixture
def practice(committed_db):
    organization = OrganizationFactory()
    with tenancy.scope(organization):
        yield organization


def the_patient(practice):
    [patient] = Patient.objects.bulk_create([Patient(organization=practice, full_name="P")])
    return patient


@pytest.mark.soak
def test_eight_callers_with_the_same_keys_act_once_each(practice, settings):
    settings.KURA_RATES = settings.KURA_RATES | {"integration": "off"}
    patient, api = the_patient(practice), by_key(practice)
    headers, keys = api.headers, [f"k-{n}" for n in range(sized(reduced=10, full=200))]
    answers: dict[str, list[bytes]] = {key: [] for key in keys}
    seen = Counter()

    def work() -> None:
        mine = Api(**headers)
        for key in keys:
            while True:
                response = mine.post(EVENTS, called(patient, key), **{KEY: key})
                seen[response.status_code] += 1
                if response.status_code != 409:
                    break
                assert response.json()["code"] == "idempotency_in_progress"
                assert int(response.headers["Retry-After"]) > 0
            answers[key].append(response.content)

    at_once(*[work] * 8)

    assert set(seen) <= {202, 409}
    assert all(len(said) == 8 and len(set(said)) == 1 for said in answers.values())
    assert EventDispatch.objects.count() == len(keys)
    assert IdempotencyRecord.objects.count() == len(keys)


def test_the_second_is_told_to_come_back_while_the_first_runs(practice, monkeypatch):
    patient, api = the_patient(practice), by_key(practice)
    inside, go_on = threading.Event(), threading.Event()
    store = idempotency._store

    def slowly(*arguments):
        inside.set()
        assert go_on.wait(10)
        store(*arguments)

    monkeypatch.setattr(idempotency, "_store", slowly)

    def first() -> int:
        return api.post(EVENTS, called(patient), **{KEY: "a"}).status_code

    def second() -> int:
        assert inside.wait(10)
        response = Api(**api.headers).post(EVENTS, called(patient), **{KEY: "a"})
        go_on.set()
        return response.status_code

    assert at_once(first, second) == [202, 409]


def test_a_worker_that_is_killed_before_it_commits_has_done_nothing(practice, monkeypatch):
    patient, api = the_patient(practice), by_key(practice)
    store = idempotency._store

    def killed(*arguments):
        store(*arguments)
        other = connections.create_connection("default")
        with other.cursor() as cursor:
            pid = connection.connection.info.backend_pid
            cursor.execute("SELECT pg_terminate_backend(%s)", [pid])
        other.close()

    with monkeypatch.context() as dying:
        dying.setattr(idempotency, "_store", killed)
        response = api.post(EVENTS, called(patient), **{KEY: "a"})
    connection.close()

    problem(response, 503, "unavailable")
    assert not SystemEventLog.objects.filter(idempotency_key="e-1").exists()
    retried = api.post(EVENTS, called(patient), **{KEY: "a"})
    assert (retried.status_code, retried.json()["duplicate"]) == (202, False)
