"""`/journeys` and `/journeys/summary`: a practice's journeys, one by one and in numbers."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from kura import tenancy
from kura.api.scopes import JOURNEYS_READ
from kura.standing.limits import limits_at
from kura.standing.summary import summary_of
from tests.api.conftest import by_key, by_token, problem
from tests.factories import PatientFactory
from tests.standing.practice import NOW, a_journey, a_stale_rule, hours_ago, put, someone

JOURNEYS = "/api/v1/journeys"
SUMMARY = "/api/v1/journeys/summary"


@pytest.fixture
def api(viewer):
    return by_token(viewer)


@pytest.fixture
def stood(organization):
    a_journey(organization)
    a_journey(organization, "yoga")
    a_stale_rule(organization)
    a_stale_rule(organization, "CONFIRMED", "240000", key="yoga")
    someone(organization, "BLOCKED_HIGH_RISK", 1, full_name="Blocked")
    someone(organization, "AWAITING_PAYMENT", 100, full_name="Late")
    someone(organization, "CONFIRMED", 2, key="yoga", full_name="Fine")
    done = someone(organization, "CONFIRMED", 9, full_name="Done").patient
    put(done, "COMPLETED", hours_ago(3))


def told(api, query=""):
    response = api.get(f"{JOURNEYS}{query}")
    assert response.status_code == 200, response.content
    return [one["current_stage"] for one in response.json()["results"]]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ["BLOCKED_HIGH_RISK", "CONFIRMED", "AWAITING_PAYMENT"]),
        ("ordering=entered_at", ["AWAITING_PAYMENT", "CONFIRMED", "BLOCKED_HIGH_RISK"]),
        ("ordering=due_at", ["AWAITING_PAYMENT", "CONFIRMED", "BLOCKED_HIGH_RISK"]),
        ("journey_key=yoga", ["CONFIRMED"]),
        ("stage=AWAITING_PAYMENT", ["AWAITING_PAYMENT"]),
        ("stage=COMPLETED", ["COMPLETED"]),
        ("status=finished", ["COMPLETED"]),
        ("status=onhold", ["BLOCKED_HIGH_RISK"]),
        ("blocked=true", ["BLOCKED_HIGH_RISK"]),
        ("blocked=false", ["CONFIRMED", "AWAITING_PAYMENT"]),
        ("overdue=true", ["AWAITING_PAYMENT"]),
        ("overdue=false", ["BLOCKED_HIGH_RISK", "CONFIRMED"]),
        ("action_required=true", ["BLOCKED_HIGH_RISK", "AWAITING_PAYMENT"]),
        ("action_required=false", ["CONFIRMED"]),
        ("journey_key=nothing", []),
    ],
)
def test_journeys_are_narrowed_and_ordered(api, stood, query, expected):
    assert told(api, f"?{query}") == expected


@pytest.mark.parametrize("ordering", ["-entered_at", "entered_at", "due_at"])
def test_each_order_holds_over_pages(api, stood, ordering):
    whole, url = told(api, f"?ordering={ordering}"), f"{JOURNEYS}?ordering={ordering}&page_size=1"
    walked = []

    while url:
        page = api.get(url).json()
        walked += [one["current_stage"] for one in page["results"]]
        url = page["next"]

    assert walked == whole


@pytest.mark.parametrize("query", ["ordering=rank", "status=open", "blocked=1", "patient=x"])
def test_a_parameter_that_is_none_is_refused(api, query):
    problem(api.get(f"{JOURNEYS}?{query}"), 400, "invalid_parameter")


def test_a_row_is_what_the_patients_own_page_says(api, stood):
    [row] = api.get(f"{JOURNEYS}?blocked=true").json()["results"]

    alone = api.get(f"/api/v1/patients/{row['patient_id']}/journeys/intake").json()

    assert row == alone


def test_another_practices_journeys_are_never_told(api, organization, other_organization):
    with tenancy.scope(other_organization):
        a_journey(other_organization, "theirs")
        someone(other_organization, "BLOCKED_HIGH_RISK", 1, key="theirs")

    for query in ("", "?journey_key=theirs", "?blocked=true", "?ordering=due_at"):
        assert told(api, query) == []
    assert api.get(SUMMARY).json()["by_journey"] == []


@pytest.mark.parametrize("number", [1, 25])
def test_a_list_costs_as_many_queries_for_one_as_for_many(api, organization, number):
    a_journey(organization)
    for _ in range(number):
        someone(organization, "CONFIRMED", 9)
    api.get(JOURNEYS)

    with CaptureQueriesContext(connection) as queries:
        response = api.get(JOURNEYS)
    with CaptureQueriesContext(connection) as summary:
        api.get(SUMMARY)

    assert len(response.json()["results"]) == number
    assert (len(queries), len(summary)) == (6, 8)


# --- in numbers ---------------------------------------------------------------------------------


def test_the_summary_counts_what_the_lists_show(api, stood):
    response = api.get(SUMMARY, **{"Accept-Language": "en"})

    summary = response.json()
    for name in ("blocked", "overdue", "action_required"):
        assert summary[name] == len(told(api, f"?{name}=true"))
    assert summary["active"] == len(told(api)) == 3
    intake = next(one for one in summary["by_journey"] if one["journey_key"] == "intake")
    assert (intake["name"], intake["active"]) == ("Intake", 2)
    assert intake["stages"][1] == {
        "code": "AWAITING_PAYMENT",
        "label": "Awaiting payment",
        "status": "planned",
        "count": 1,
        "overdue": 1,
    }
    assert summary["recent"][0]["patient"]["full_name"] == "Done"
    assert summary["recent"][0]["stage"] == "COMPLETED"
    assert summary["as_of"].endswith("Z")
    assert summary_of(limits_at(NOW)).numbers.active == 3


def test_names_are_for_who_may_read_patients(organization, stood):
    told = by_key(organization, JOURNEYS_READ).get(SUMMARY).json()

    assert {one["patient"]["full_name"] for one in told["recent"]} == {None}


def test_the_same_numbers_are_not_sent_again(api, organization, stood):
    seen = api.get(SUMMARY)
    tag = seen.headers["ETag"]

    again = api.get(SUMMARY, **{"If-None-Match": tag})
    put(PatientFactory(organization=organization), "CONFIRMED", hours_ago(1))
    other = api.get(SUMMARY, **{"If-None-Match": tag})

    assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", tag)
    assert seen.headers["Cache-Control"] == "private, no-cache"
    assert other.status_code == 200
