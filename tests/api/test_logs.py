"""`/journey-logs`: every move, newest first, and in an order that one can keep up with."""

from __future__ import annotations

import threading
import time
import uuid
from contextlib import contextmanager

import psycopg
import pytest
from django.db import connection, connections, transaction
from django.test.utils import CaptureQueriesContext

from journeys.cause import by_user
from journeys.models import JourneyLog
from journeys.services.transitions import enroll, transition
from kura import tenancy
from kura.api.scopes import JOURNEYS_READ
from patients.models import Patient
from tests.api.conftest import by_key, by_token, once_settled, problem
from tests.factories import (
    OrganizationFactory,
    PatientFactory,
    a_template,
    a_user,
    an_event,
    system,
)
from tests.standing.practice import NOW, a_journey, hours_ago, put

LOGS = "/api/v1/journey-logs"


@pytest.fixture
def api(viewer):
    return by_token(viewer)


def stages(api, url=LOGS):
    response = api.get(url)
    assert response.status_code == 200, response.content
    return [one["to_stage"] for one in response.json()["results"]]


def test_moves_are_told_newest_first_with_who_and_why(api, organization, patient, therapist):
    a_journey(organization)
    put(patient, "SCREENING_PENDING", hours_ago(9))
    because = by_user(therapist, reason="Paid in cash", reason_code="paid_otherwise")
    transition(patient_id=patient.pk, journey_key="intake", to_stage="CONFIRMED", cause=because)

    [newest, oldest] = api.get(LOGS).json()["results"]

    assert (oldest["from_stage"], oldest["to_stage"]) == (None, "SCREENING_PENDING")
    assert oldest["changed_at"] == "2026-03-01T03:00:00Z"
    assert oldest["actor"]["type"] == "import"
    assert newest["actor"] == {
        "type": "user",
        "id": str(therapist.pk),
        "display": str(therapist),
    }
    assert (newest["reason"], newest["reason_code"]) == ("Paid in cash", "paid_otherwise")
    assert newest["seq"] == 2
    assert newest["id"] > oldest["id"]


def test_reasons_in_words_are_for_who_may_read_patients(organization, patient, therapist, template):
    enroll(
        patient_id=patient.pk, journey_key="intake", cause=by_user(therapist, reason="Marta asked")
    )

    [told] = by_key(organization, JOURNEYS_READ).get(LOGS).json()["results"]

    assert told["reason"] == ""


def test_moves_are_narrowed(api, organization, patient):
    a_journey(organization)
    a_journey(organization, "yoga")
    event = an_event(patient, "PAYMENT_SUCCEEDED", occurred_at=NOW)
    put(patient, "SCREENING_PENDING", hours_ago(9))
    JourneyLog.objects.create(
        patient=patient,
        journey_key="intake",
        to_stage="CONFIRMED",
        changed_at=hours_ago(5),
        actor_kind="system",
        trigger_event=event,
    )
    put(patient, "AWAITING_PAYMENT", hours_ago(3), "yoga")

    assert stages(api, f"{LOGS}?journey_key=yoga") == ["AWAITING_PAYMENT"]
    assert stages(api, f"{LOGS}?to_stage=CONFIRMED") == ["CONFIRMED"]
    assert stages(api, f"{LOGS}?actor_type=system") == ["CONFIRMED"]
    assert stages(api, f"{LOGS}?trigger_event_id={event.pk}") == ["CONFIRMED"]
    assert stages(api, f"{LOGS}?changed_after=2026-03-01T07:00:00Z") == [
        "AWAITING_PAYMENT",
        "CONFIRMED",
    ]
    assert stages(api, f"{LOGS}?changed_before=2026-03-01T07:00:00Z") == ["SCREENING_PENDING"]


@pytest.mark.parametrize(
    "query",
    ["after_id=-1", "after_id=x", "after_id=9223372036854775808", "actor_type=robot", "ordering=id",
     "changed_after=now", "trigger_event_id=7", "patient_id=7"],
)  # fmt: skip
def test_a_filter_that_is_none_is_refused(api, query):
    problem(api.get(f"{LOGS}?{query}"), 400, "invalid_parameter")


def test_the_log_of_one_patient(api, organization, patient, other_organization):
    a_journey(organization)
    put(patient, "CONFIRMED", hours_ago(9))
    put(PatientFactory(organization=organization), "COMPLETED", hours_ago(9))
    stranger = PatientFactory(organization=other_organization)

    def path(patient_id):
        return f"/api/v1/patients/{patient_id}/journey-logs"

    assert stages(api, path(patient.pk)) == ["CONFIRMED"]
    assert stages(api, f"{path(patient.pk)}?to_stage=COMPLETED") == []
    foreign = problem(api.get(path(stranger.pk)), 404, "not_found")
    unknown = problem(api.get(path(uuid.uuid4())), 404, "not_found")
    assert {**foreign, "request_id": ""} == {**unknown, "request_id": ""}


def test_another_practices_moves_are_never_told(api, organization, other_organization):
    a_template(other_organization)
    with tenancy.scope(other_organization):
        stranger = PatientFactory(organization=other_organization)
        event = an_event(stranger, "PAYMENT_SUCCEEDED", occurred_at=NOW)
        enroll(patient_id=stranger.pk, journey_key="intake", cause=system())

    assert stages(api) == []
    assert stages(api, f"{LOGS}?trigger_event_id={event.pk}") == []
    assert stages(api, f"{LOGS}?after_id=0") == []


@pytest.mark.parametrize("number", [1, 25])
def test_a_list_costs_as_many_queries_for_one_as_for_many(api, organization, number):
    a_journey(organization)
    for _ in range(number):
        put(PatientFactory(organization=organization), "CONFIRMED", hours_ago(9))
    api.get(LOGS)

    with CaptureQueriesContext(connection) as queries:
        response = api.get(LOGS)

    assert len(response.json()["results"]) == number
    assert len(queries) == 4  # the caller; rows, templates, definitions


# --- keeping up ---------------------------------------------------------------------------------


@pytest.fixture
def practice(committed_db):
    organization = OrganizationFactory()
    a_template(organization)
    with tenancy.scope(organization):
        yield organization


def enrolled(practice):
    patient = PatientFactory(organization=practice)
    enroll(patient_id=patient.pk, journey_key="intake", cause=system())
    return patient


def walked(api, after_id=0, size=2):
    """Ids as a program that keeps up gets them, by the last id it has seen."""
    ids = []
    while True:
        page = api.get(f"{LOGS}?after_id={after_id}&page_size={size}").json()["results"]
        if not page:
            return ids
        ids += [one["id"] for one in page]
        after_id = ids[-1]


def walked_in_time(api, after_id=0):
    """The first ids that are told, while something is running that nobody may wait for."""
    for _attempt in range(200):
        if ids := walked(api, after_id):
            return ids
        time.sleep(0.05)
    return []


def test_who_keeps_up_gets_every_move_once(practice):
    api = by_token(a_user(practice, "viewer"))
    for _ in range(5):
        enrolled(practice)
    once_settled()
    everything = list(JourneyLog.objects.order_by("pk").values_list("pk", flat=True))

    assert walked(api) == everything
    assert walked(api, everything[2]) == everything[3:]
    assert walked(api, everything[-1]) == []
    first = api.get(f"{LOGS}?after_id=0&page_size=2").json()
    assert [one["id"] for one in api.get(first["next"]).json()["results"]] == everything[2:4]


def test_another_practices_move_says_nothing_to_who_keeps_up(practice):
    api = by_token(a_user(practice, "viewer"))
    before = enrolled(practice)
    other = OrganizationFactory()
    a_template(other)
    with tenancy.scope(other):
        theirs = ids_of(enrolled(other))[0]
    after = enrolled(practice)
    once_settled()

    assert walked(api) == ids_of(before) + ids_of(after)
    assert walked(api, theirs) == ids_of(after)
    assert walked(api, 10**12) == []


@contextmanager
def a_slow_transaction(practice, *, wrote_first=True):
    """Yields `act`, which runs in a transaction of its own that has written already, and `end`."""
    orders, done = [], threading.Event()
    ready, ordered, acted = threading.Event(), threading.Event(), threading.Event()

    def work():
        with tenancy.scope(practice):
            try:
                with transaction.atomic():
                    if wrote_first:
                        Patient.objects.filter(pk=uuid.uuid4()).update(phone="1")
                        with connection.cursor() as cursor:
                            cursor.execute("SELECT pg_current_xact_id()")
                    ready.set()
                    while ordered.wait(20) and not done.is_set():
                        ordered.clear()
                        orders.pop()()
                        acted.set()
            finally:
                connections.close_all()

    thread = threading.Thread(target=work)
    thread.start()
    assert ready.wait(20)

    def act(order):
        acted.clear()
        orders.append(order)
        ordered.set()
        assert acted.wait(20)

    def end():
        done.set()
        ordered.set()
        thread.join(20)

    try:
        yield act, end
    finally:
        end()


def test_a_move_that_is_committed_late_is_not_skipped(practice):
    api = by_token(a_user(practice, "viewer"))
    slow, quick = enrolled(practice), enrolled(practice)
    once_settled()
    seen = walked(api)

    with a_slow_transaction(practice) as (act, end):
        act(lambda: confirm(slow))
        confirm(quick)
        while_open = walked(api, seen[-1])
        end()
    once_settled()
    afterwards = walked(api, seen[-1])

    assert while_open == []
    assert afterwards == ids_of(slow)[1:] + ids_of(quick)[1:]


def test_a_late_move_of_a_younger_transaction_with_a_lower_id_is_not_skipped(practice):
    """The old transaction draws the higher id and ends first; the younger one ends last."""
    api = by_token(a_user(practice, "viewer"))
    old, young = enrolled(practice), enrolled(practice)
    once_settled()
    seen = walked(api)

    with a_slow_transaction(practice) as (act_old, end_old):
        with a_slow_transaction(practice) as (act_young, end_young):
            act_young(lambda: confirm(young))
            act_old(lambda: confirm(old))
            end_old()
            first = walked_in_time(api, seen[-1])
            end_young()
        once_settled()
        rest = walked(api, (seen + first)[-1])

    assert ids_of(young)[1:] < ids_of(old)[1:]
    assert first == ids_of(old)[1:]
    assert first + rest == ids_of(old)[1:] + ids_of(young)[1:]


def test_another_database_of_the_server_holds_nobody_back(practice):
    api = by_token(a_user(practice, "viewer"))
    parameters = connection.get_connection_params() | {"dbname": "postgres"}
    del parameters["cursor_factory"], parameters["context"]

    with psycopg.connect(**parameters) as elsewhere:
        elsewhere.execute("SELECT pg_current_xact_id()")
        moved = enrolled(practice)
        assert walked_in_time(api) == ids_of(moved)


def confirm(patient):
    transition(patient_id=patient.pk, journey_key="intake", to_stage="CONFIRMED", cause=system())


def ids_of(patient):
    logs = JourneyLog.objects.filter(patient=patient)
    return list(logs.order_by("pk").values_list("pk", flat=True))
