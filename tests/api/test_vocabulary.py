"""What a rule may say here is told whole, in the caller's language, and what is ready is made."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from jsonschema import Draft202012Validator

from automation.actions import ACTIONS
from automation.actions.base import Practice
from automation.library import READY_RULES
from automation.models import AutomationRule
from automation.validation import problems_of
from journeys.event_types import EVENT_TYPES
from kura.conditions import OPERATORS
from tests.api.conftest import by_key, by_token, problem
from tests.automation.practice import a_definition
from tests.factories import a_template

VOCABULARY = "/api/v1/rules/vocabulary"
LIBRARY = "/api/v1/rules/library"
INSTALL = "/api/v1/rules/install"
SAMPLES = {
    "string": "x", "number": 1.5, "integer": 2, "boolean": True, "list": "x",
    "datetime": "2026-01-06T10:00:00Z",
}  # fmt: skip


@pytest.fixture
def api(organization, template):
    return by_key(organization)


def asked(api, query="", language="en"):
    response = api.get(f"{VOCABULARY}{query}", **{"Accept-Language": language})
    assert response.status_code == 200, response.content
    return response.json()


def by(rows, name):
    return {row[name]: row for row in rows}


def test_it_names_everything_that_there_is(api):
    told = asked(api)

    assert set(by(told["event_types"], "name")) == set(EVENT_TYPES)
    assert set(by(told["operators"], "name")) == set(OPERATORS)
    assert set(by(told["actions"], "type")) == set(ACTIONS)
    assert told["limits"] == {"depth": 5, "conditions": 50, "actions": 20}
    [journey] = told["journeys"]
    assert (journey["key"], journey["initial_stage"]) == ("intake", "SCREENING_PENDING")
    blocking = [stage["code"] for stage in journey["stages"] if stage["blocking"]]
    assert blocking == ["BLOCKED_HIGH_RISK"]
    for kind in (*told["event_types"], *told["actions"]):
        Draft202012Validator.check_schema(kind["schema"])
    Draft202012Validator.check_schema(told["rule_schema"])


def test_fields_have_a_type_a_unit_and_their_choices_by_name(api):
    told = asked(api)

    fields = by(told["fields"], "path")
    assert (fields["journey.hours_in_stage"]["type"], fields["journey.hours_in_stage"]["unit"]) == (
        "number", "hours",
    )  # fmt: skip
    assert {"value": "CONFIRMED", "label": "Confirmed"} in fields["journeys.intake"]["choices"]
    risk = by(told["event_types"], "name")["RISK_ANALYSIS_COMPLETED"]
    level = by(risk["fields"], "path")["event.payload.risk_level"]
    assert (level["label"], level["choices"][2]) == (
        "risk level", {"value": "HIGH", "label": "high"},
    )  # fmt: skip
    paid = by(told["event_types"], "name")["PAYMENT_SUCCEEDED"]
    assert by(paid["fields"], "path")["event.payload.amount_cents"]["unit"] == "cents"


def test_every_field_that_is_offered_can_be_asked(api, organization):
    """What a builder puts together from the offer is no rule that is refused."""
    told = asked(api)
    practice = Practice(organization=organization)

    for kind in told["event_types"]:
        for field in (*told["fields"], *kind["fields"]):
            one = next(op for op in told["operators"] if field["type"] in op["types"])
            value = field["choices"][0]["value"] if field["choices"] else SAMPLES[field["type"]]
            if one["takes"] == "flag":
                value = True
            leaf = {"field": field["path"], "op": one["name"], "value": value}
            rule = a_definition(
                trigger_event=kind["name"], journey_key="intake", conditions=leaf
            ) | ({"stage": "CONFIRMED", "max_hours": 1} if "TIMEOUT" in kind["name"] else {})
            assert problems_of(rule, practice) == [], leaf


def test_it_speaks_the_callers_language_and_has_a_tag_for_each(api):
    english, spanish = asked(api), asked(api, language="es")

    label = by(english["actions"], "type")["enroll"]["label"]
    assert (label, by(spanish["actions"], "type")["enroll"]["label"]) == ("enroll", "inscribir")
    tag = api.get(VOCABULARY, **{"Accept-Language": "en"}).headers["ETag"]
    for language, status in (("en", 304), ("es", 200)):
        headers = {"Accept-Language": language, "If-None-Match": tag}
        assert api.get(VOCABULARY, **headers).status_code == status


def test_stages_are_those_of_the_journey_asked_for(api, organization):
    a_template(organization, "yoga", ["ENROLLED", "COMPLETED"])

    def stages(query):
        field = by(asked(api, query)["fields"], "path")["journey.stage"]
        return [one["value"] for one in field["choices"]]

    assert stages("?journey_key=yoga") == ["ENROLLED", "COMPLETED"]
    assert {"ENROLLED", "CONFIRMED"} <= set(stages(""))
    problem(api.get(f"{VOCABULARY}?journey_key=No Key"), 400, "invalid_parameter")


def test_another_practices_journeys_are_not_offered(api, other_organization):
    a_template(other_organization, "secret")

    assert set(by(asked(api)["journeys"], "key")) == {"intake"}
    assert "journeys.secret" not in by(asked(api)["fields"], "path")


@pytest.mark.parametrize("journeys", [1, 8])
def test_it_costs_as_many_queries_for_one_journey_as_for_many(api, organization, journeys):
    for number in range(journeys - 1):
        a_template(organization, f"k{number}")
    api.get(VOCABULARY)

    for path, expected in ((VOCABULARY, 3), (LIBRARY, 4)):
        with CaptureQueriesContext(connection) as queries:
            assert api.get(path).status_code == 200
        assert len(queries) <= expected, [one["sql"] for one in queries]


# --- ready rules ----------------------------------------------------------------------------------


def archetype(organization):
    """`intake` with the stages that the ready rules speak of."""
    codes = [
        "SCREENING_PENDING", "SCREENING_COMPLETED", "AWAITING_PAYMENT", "PAYMENT_PENDING",
        "BLOCKED", "CONFIRMED", "COMPLETED", "CANCELLED",
    ]  # fmt: skip
    return a_template(organization, "intake", codes)


def test_ready_rules_are_listed_and_made_once(organization, manager):
    archetype(organization)
    api = by_token(manager)
    listed = by(api.get(LIBRARY, **{"Accept-Language": "en"}).json()["results"], "code")
    assert set(listed) == {rule.code for rule in READY_RULES}
    assert listed["intake.risk_high"]["is_available"] is True
    assert listed["carta_natal.form_completed"]["is_available"] is False
    assert listed["intake.risk_high"]["rule_id"] is None

    made = api.post(INSTALL, {"journey_keys": ["intake"]})
    again = api.post(INSTALL)

    told = made.json()["installed"]
    assert {one["code"] for one in told} == {
        rule.code for rule in READY_RULES if rule.journey_key == "intake"
    }
    assert again.json() == {"installed": []}
    assert AutomationRule.objects.count() == len(told)
    listed = by(api.get(LIBRARY).json()["results"], "code")
    assert listed["intake.risk_high"]["rule_id"] in {one["id"] for one in told}


def test_a_ready_rule_may_be_written_by_hand(organization):
    archetype(organization)
    api = by_key(organization)
    ready = by(api.get(LIBRARY).json()["results"], "code")["intake.risk_high"]

    assert api.post("/api/v1/rules", ready["definition"]).status_code == 201


def test_where_the_template_is_another_one_nothing_is_made(api, template):
    told = problem(api.post(INSTALL), 422, "ready_rule_unfit")

    assert told["journey_key"] == "intake"
    assert told["rule_code"] in {rule.code for rule in READY_RULES}
    assert not AutomationRule.objects.exists()


@pytest.mark.parametrize(
    "body",
    [
        {"journey_keys": "intake"},
        {"journey_keys": ["No Key"]},
        {"journey_keys": [7]},
        {"keys": []},
        [],
    ],
)
def test_a_body_that_is_none_installs_nothing(api, body):
    assert api.post(INSTALL, body).status_code == 400
    assert not AutomationRule.objects.exists()
