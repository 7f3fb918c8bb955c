"""`/journey-templates`: the blueprints of a practice, told and made."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from journeys.blueprints import MoveDraft
from journeys.models import JourneyTemplate
from journeys.services.templates import set_active
from journeys.services.transitions import enroll
from kura import tenancy
from kura.api.scopes import JOURNEYS_READ
from tests.api.conftest import by_key, by_token, problem
from tests.factories import OrganizationFactory, PatientFactory, a_template, a_user, system
from tests.standing.practice import a_journey, a_stale_rule

TEMPLATES = "/api/v1/journey-templates"
ENGLISH = {"Accept-Language": "en"}


@pytest.fixture
def api(viewer):
    return by_token(viewer)


def test_templates_are_told_whole(api, organization, patient, therapist):
    template = a_journey(organization)
    a_stale_rule(organization, max_hours="48")
    enroll(patient_id=patient.pk, journey_key="intake", cause=system())

    response = api.get(TEMPLATES, **ENGLISH)

    [told] = response.json()["results"]
    stages = told.pop("stages")
    assert response.status_code == 200
    assert told == {
        "id": str(template.pk),
        "key": "intake",
        "name": "Intake",
        "allowed_stages": template.allowed_stages,
        "initial_stage": "SCREENING_PENDING",
        "is_active": True,
        "transitions": None,
        "version": 1,
        "active_journeys": 1,
    }
    assert stages[1] == {
        "code": "AWAITING_PAYMENT",
        "label": "Awaiting payment",
        "label_es": "Pendiente de pago",
        "label_en": "Awaiting payment",
        "status": "planned",
        "whose_turn": "patient",
        "help_es": "",
        "help_en": "",
        "blocking": False,
        "terminal": False,
        "max_hours": 48.0,
    }
    assert (stages[2]["blocking"], stages[4]["terminal"]) == (True, True)
    assert stages[0]["max_hours"] is None


def test_a_graph_is_told_with_its_guards(api, organization):
    guard = {"field": "events.PAYMENT_SUCCEEDED.count", "op": "gte", "value": 1}
    a_template(
        organization,
        moves=[
            MoveDraft(from_stage=None, to_stage="SCREENING_PENDING"),
            MoveDraft(from_stage="SCREENING_PENDING", to_stage="CONFIRMED", guard=guard),
        ],
    )

    [told] = api.get(TEMPLATES).json()["results"]

    assert told["transitions"] == [
        {"from": None, "to": "SCREENING_PENDING", "guard": {}, "requires_reason": False,
         "permission": ""},
        {"from": "SCREENING_PENDING", "to": "CONFIRMED", "guard": guard, "requires_reason": False,
         "permission": ""},
    ]  # fmt: skip


def test_templates_are_narrowed_and_only_ones_own(api, organization, other_organization):
    for key in ("a", "b", "c"):
        a_template(organization, key)
    set_active(template_id=a_template(organization, "old").pk, is_active=False)
    a_template(other_organization, "theirs")

    def keys(query):
        return [one["key"] for one in api.get(f"{TEMPLATES}{query}").json()["results"]]

    assert keys("") == ["a", "b", "c", "old"]
    assert keys("?is_active=true") == ["a", "b", "c"]
    assert keys("?is_active=false") == ["old"]
    assert keys("?key=b") == ["b"]
    assert keys("?key=theirs") == keys("?key=nothing") == []


@pytest.mark.parametrize("query", ["?is_active=1", "?is_active=", "?name=x", "?key="])
def test_a_filter_that_is_none_is_refused(api, query):
    problem(api.get(TEMPLATES + query), 400, "invalid_parameter")


def test_templates_come_in_pages(api, organization):
    for key in ("a", "b", "c"):
        a_template(organization, key)

    first = api.get(f"{TEMPLATES}?page_size=2").json()
    second = api.get(first["next"]).json()

    assert [one["key"] for one in first["results"]] == ["a", "b"]
    assert [one["key"] for one in second["results"]] == ["c"]
    assert second["next"] is None


def test_templates_seen_already_are_not_sent_again(api, patient, template):
    seen = api.get(TEMPLATES)

    again = api.get(TEMPLATES, **{"If-None-Match": seen.headers["ETag"]})
    enroll(patient_id=patient.pk, journey_key="intake", cause=system())
    moved = api.get(TEMPLATES, **{"If-None-Match": seen.headers["ETag"]})

    assert (again.status_code, again.content) == (304, b"")
    assert seen.headers["Cache-Control"] == "private, no-cache"
    assert moved.status_code == 200
    assert moved.json()["results"][0]["active_journeys"] == 1


@pytest.mark.parametrize("number", [1, 20])
def test_many_templates_cost_as_many_queries_as_one(api, organization, number):
    for one in range(number):
        a_template(organization, f"t{one}")
        patient = PatientFactory(organization=organization)
        enroll(patient_id=patient.pk, journey_key=f"t{one}", cause=system())
    api.get(TEMPLATES)

    with CaptureQueriesContext(connection) as queries:
        response = api.get(TEMPLATES)

    assert len(response.json()["results"]) == number
    assert len(queries) == 5  # the caller; rows, definitions, time limits, enrollments


# --- making -------------------------------------------------------------------------------------


@pytest.fixture
def boss(manager):
    return by_token(manager)


def one(key="intake"):
    return f"{TEMPLATES}/{key}"


def a_body(**members):
    return {
        "key": "retreat",
        "name": "Retreat",
        "initial_stage": "AWAITING_PAYMENT",
        "allowed_stages": ["AWAITING_PAYMENT", "BLOCKED", "CONFIRMED", "COMPLETED"],
    } | members


def test_bare_codes_make_a_template_with_the_specifications_meaning(boss):
    response = boss.post(TEMPLATES, a_body(), **ENGLISH)

    told = response.json()
    assert response.status_code == 201, response.content
    assert response.headers["Location"] == one("retreat")
    assert response.headers["ETag"] == '"1"'
    assert told["allowed_stages"] == a_body()["allowed_stages"]
    assert [stage["status"] for stage in told["stages"]] == [
        "planned",
        "onhold",
        "active",
        "finished",
    ]
    assert (told["transitions"], told["is_active"], told["active_journeys"]) == (None, True, 0)
    assert boss.get(one("retreat"), **ENGLISH).json() == told


def test_stages_and_moves_may_be_said_whole(boss):
    guard = {"field": "events.PAYMENT_SUCCEEDED.count", "op": "gte", "value": 1}
    body = a_body(
        stages=[
            {"code": "TRIAL", "label_es": "Prueba", "label_en": "Trial", "status": "active",
             "whose_turn": "patient"},
            {"code": "COMPLETED"},
        ],
        initial_stage="TRIAL",
        transitions=[
            {"from": None, "to": "TRIAL"},
            {"from": "TRIAL", "to": "COMPLETED", "guard": guard, "requires_reason": True},
        ],
    )  # fmt: skip
    del body["allowed_stages"]

    told = boss.post(TEMPLATES, body, **ENGLISH).json()

    assert (told["stages"][0]["label"], told["stages"][0]["whose_turn"]) == ("Trial", "patient")
    assert told["transitions"] == [
        {"from": None, "to": "TRIAL", "guard": {}, "requires_reason": False, "permission": ""},
        {"from": "TRIAL", "to": "COMPLETED", "guard": guard, "requires_reason": True,
         "permission": ""},
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("members", "status", "code"),
    [
        ({"key": "Not a key"}, 422, "invalid_template"),
        ({"initial_stage": "NOWHERE"}, 422, "invalid_template"),
        ({"allowed_stages": ["AWAITING_PAYMENT"]}, 422, "invalid_template"),
        ({"allowed_stages": []}, 422, "invalid_template"),
        ({"transitions": [{"from": "X", "to": "CONFIRMED"}]}, 422, "invalid_template"),
        (
            {"transitions": [{"from": None, "to": "CONFIRMED", "guard": {"op": "eq"}}]},
            422,
            "invalid_template",
        ),
        ({"transitions": [{"to": "CONFIRMED"}]}, 400, "validation_error"),
        ({"transitions": [{"from": None, "to": "CONFIRMED", "x": 1}]}, 400, "unknown_field"),
        ({"stages": [{"code": "CONFIRMED"}]}, 400, "validation_error"),
        ({"allowed_stages": "CONFIRMED"}, 400, "validation_error"),
        ({"name": ""}, 400, "validation_error"),
        ({"is_active": False}, 400, "read_only_field"),
        ({"steps": []}, 400, "unknown_field"),
    ],
)
def test_a_template_that_cannot_be_is_refused_with_reasons(boss, members, status, code):
    told = problem(boss.post(TEMPLATES, a_body(**members)), status, code)

    assert told["errors"]
    assert not JourneyTemplate.objects.exists()


def test_a_template_without_stages_is_refused(boss):
    body = a_body()
    del body["allowed_stages"]

    problem(boss.post(TEMPLATES, body), 400, "validation_error")


def test_a_journey_without_an_end_is_confirmed(boss):
    body = a_body(allowed_stages=["AWAITING_PAYMENT"])

    problem(boss.post(TEMPLATES, body | {"endless": "yes"}), 400, "validation_error")
    assert boss.post(TEMPLATES, body | {"endless": True}).status_code == 201


def test_a_key_is_one_templates(boss, other_organization):
    a_template(other_organization, "retreat")

    assert boss.post(TEMPLATES, a_body()).status_code == 201
    problem(boss.post(TEMPLATES, a_body()), 409, "template_key_taken")


def test_only_managers_and_their_programs_write_templates(organization, therapist, template):
    for api in (by_token(therapist), by_key(organization, JOURNEYS_READ)):
        problem(api.post(TEMPLATES, a_body()), 403, "permission_denied")
        problem(api.call("PATCH", one(), {}), 403, "permission_denied")
        problem(api.post(f"{one()}/deactivate"), 403, "permission_denied")
    assert by_key(organization).post(TEMPLATES, a_body()).status_code == 201


# --- editing ------------------------------------------------------------------------------------


def edit(api, body, key="intake", **headers):
    return api.call("PATCH", one(key), body, **headers)


@pytest.fixture
def at_work(committed_db):
    """A manager's client in a practice with real commits: each transaction is one version."""
    organization = OrganizationFactory()
    with tenancy.scope(organization):
        yield by_token(a_user(organization, "manager")), organization


def test_what_is_left_out_stays(at_work):
    boss, organization = at_work
    guard = {"field": "events.PAYMENT_SUCCEEDED.count", "op": "gte", "value": 1}
    graph = [MoveDraft(from_stage="AWAITING_PAYMENT", to_stage="CONFIRMED", guard=guard)]
    a_template(organization, moves=graph)
    before = boss.get(one()).json()

    response = edit(boss, {"name": "First visit"})

    assert response.status_code == 200, response.content
    assert response.headers["ETag"] == '"2"'
    assert response.json() == before | {"name": "First visit", "version": 2}


def test_a_stage_keeps_its_names_when_another_one_joins(boss, template):
    codes = template.allowed_stages
    words = {"CONFIRMED": {"label_en": "Paid", "help_en": "See the bank"}}
    edit(boss, {"stages": [{"code": code, **words.get(code, {})} for code in codes]})

    told = edit(boss, {"allowed_stages": [*codes, "CANCELLED"]}, **ENGLISH).json()

    assert told["allowed_stages"] == [*codes, "CANCELLED"]
    [paid] = [stage for stage in told["stages"] if stage["code"] == "CONFIRMED"]
    assert (paid["label"], paid["help_en"]) == ("Paid", "See the bank")


def test_what_changes_nothing_makes_no_version(at_work):
    boss, organization = at_work
    template = a_template(organization)

    assert edit(boss, {}).json()["version"] == 1
    assert edit(boss, {"allowed_stages": template.allowed_stages}).json()["version"] == 1


def test_a_graph_comes_and_goes(boss, template):
    move = {"from": "SCREENING_PENDING", "to": "CONFIRMED"}

    with_graph = edit(boss, {"transitions": [move]}).json()["transitions"]
    without = edit(boss, {"transitions": None}).json()["transitions"]

    assert [(one["from"], one["to"]) for one in with_graph] == [("SCREENING_PENDING", "CONFIRMED")]
    assert without is None


def test_a_stage_where_patients_stand_stays(boss, patient, template):
    enroll(patient_id=patient.pk, journey_key="intake", cause=system())
    others = [code for code in template.allowed_stages if code != "SCREENING_PENDING"]

    refused = edit(boss, {"allowed_stages": others, "initial_stage": "CONFIRMED"})

    told = problem(refused, 409, "stage_in_use")
    assert (told["stage_code"], told["standing"]) == ("SCREENING_PENDING", 1)
    assert boss.get(one()).json()["version"] == 1


def test_who_looked_at_an_older_version_changes_nothing(at_work):
    boss, organization = at_work
    a_template(organization)
    edit(boss, {"name": "Newer"})

    response = edit(boss, {"name": "Mine"}, **{"If-Match": '"1"'})

    assert problem(response, 412, "stale_write")["current_version"] == 2
    assert response.headers["ETag"] == '"2"'
    assert boss.get(one()).json()["name"] == "Newer"


@pytest.mark.parametrize("name", ["key", "is_active", "version", "id", "active_journeys"])
def test_what_kura_alone_writes_is_refused(boss, template, name):
    problem(edit(boss, {name: "x"}), 400, "read_only_field")


def test_a_template_is_switched_off_and_on(at_work):
    boss, organization = at_work
    patient = PatientFactory(organization=organization)
    a_template(organization)

    off = boss.post(f"{one()}/deactivate")
    again = boss.post(f"{one()}/deactivate")
    entering = boss.post(f"/api/v1/patients/{patient.pk}/journeys", {"journey_key": "intake"})
    on = boss.post(f"{one()}/activate", **{"If-Match": '"2"'})

    assert (off.status_code, off.json()["is_active"], off.headers["ETag"]) == (200, False, '"2"')
    assert again.json() == off.json()
    problem(entering, 422, "template_inactive")
    assert (on.json()["is_active"], on.json()["version"]) == (True, 3)
    problem(boss.post(f"{one()}/activate", **{"If-Match": '"2"'}), 412, "stale_write")


def test_another_practices_template_is_as_unknown_as_none(boss, other_organization):
    a_template(other_organization, "theirs")

    for tail, method in [
        ("", "GET"),
        ("", "PATCH"),
        ("/activate", "POST"),
        ("/deactivate", "POST"),
    ]:
        answers = [
            problem(boss.call(method, one(key) + tail, {}), 404, "not_found")
            for key in ("theirs", "nothing")
        ]
        assert {**answers[0], "request_id": ""} == {**answers[1], "request_id": ""}


@pytest.mark.parametrize("key", ["%00", "Not%20a%20key", "%F1", "a" * 61])
def test_what_cannot_be_a_key_is_no_path(boss, patient, key):
    for path in (one(key), f"/api/v1/patients/{patient.pk}/journeys/{key}"):
        problem(boss.get(path), 404, "not_found")
    problem(boss.call("PATCH", one(key), {}), 404, "not_found")
    problem(
        boss.post(f"/api/v1/patients/{patient.pk}/journeys/{key}/unblock", {}), 404, "not_found"
    )


def test_a_template_costs_as_many_queries_as_its_row_in_the_list(api, template):
    api.get(one())

    with CaptureQueriesContext(connection) as queries:
        api.get(one())

    assert len(queries) == 5
