"""`/rules`: written, published, switched and archived, and never over somebody else's head."""

from __future__ import annotations

import json
import time
import uuid

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from automation.models import AutomationRule, RuleVersion
from automation.services.rules import create_draft
from kura import tenancy
from tests.api.conftest import by_key, by_token, problem
from tests.automation.practice import a_definition, a_rule, emit, move
from tests.automation.test_monitor import TASK, stuck
from tests.concurrency.test_events import at_once
from tests.factories import OrganizationFactory, a_template

RULES = "/api/v1/rules"
MANY = [f"m{number}" for number in range(5000)]
LEAF = {"field": "event.payload.amount_cents", "op": "gte", "value": 1}


@pytest.fixture
def api(organization, template):
    return by_key(organization)


def made(api, **fields):
    response = api.post(RULES, a_definition(**fields))
    assert response.status_code == 201, response.content
    return response


def path(told):
    return f"{RULES}/{told['id']}"


def a_timeout(**fields):
    return a_definition(
        trigger_event="JOURNEY_STAGE_TIMEOUT", stage="SCREENING_PENDING", max_hours=48,
        actions=[TASK], **fields,
    )  # fmt: skip


# --- making and reading ---------------------------------------------------------------------------


def test_a_rule_is_made_and_read_as_it_was_said(api, manager):
    response = by_token(manager).post(RULES, a_definition(conditions=LEAF))

    told = response.json()
    assert response.status_code == 201, told
    assert response.headers["Location"] == path(told)
    assert (told["version"], told["is_active"], told["draft"]) == (1, True, None)
    assert {name: told[name] for name in a_definition()} == a_definition(conditions=LEAF)
    assert (told["max_hours"], "waiting" in told) == (None, False)
    read = api.get(path(told))
    assert read.json() == told
    assert read.headers["ETag"] == response.headers["ETag"]
    assert RuleVersion.objects.get().published_by == manager


def test_a_rule_can_be_made_asleep(api):
    assert made(api, is_active=False).json()["is_active"] is False


def test_a_rule_is_read_in_words(api):
    told = made(api, conditions=LEAF).json()

    english, spanish = (
        api.get(f"{path(told)}?expand=words", **{"Accept-Language": language}).json()["words"]
        for language in ("en", "es")
    )

    assert english["then"] == ["move to “Confirmed” in “Intake”"]
    assert english["only_if"] == "amount in cents is at least 1"
    assert english["sentence"].startswith("When “payment received” happens in “Intake”, if")
    assert spanish["sentence"] != english["sentence"]


def test_a_time_out_says_how_many_wait_already(api, organization):
    stuck(organization, 60)
    stuck(organization, 10)

    told = api.post(RULES, a_timeout()).json()
    also = api.post(RULES, a_timeout(also_waiting=True)).json()

    assert (told["max_hours"], told["waiting"], also["waiting"]) == (48.0, 1, 1)
    assert told["visits_from"] is not None
    assert also["visits_from"] is None


def test_rules_are_listed_in_the_order_in_which_they_are_asked(api, organization):
    last = made(api, priority=200).json()
    first = made(api, priority=1, trigger_event="CUSTOM.x", actions=[emit("CUSTOM.y")]).json()
    asleep = made(api, journey_key=None, is_active=False).json()
    gone = made(api).json()
    api.delete(path(gone))

    def ids(query=""):
        return [one["id"] for one in api.get(f"{RULES}{query}").json()["results"]]

    assert ids() == [first["id"], asleep["id"], last["id"]]
    assert ids("?trigger_event=CUSTOM.x") == [first["id"]]
    assert ids("?journey_key=intake") == [first["id"], last["id"]]
    assert ids("?is_active=false") == [asleep["id"]]
    assert ids("?is_archived=true") == [gone["id"]]
    assert ids("?page_size=1") == [first["id"]]
    assert api.get(f"{RULES}?expand=words").json()["results"][0]["words"]["sentence"]


@pytest.mark.parametrize(
    "query", ["is_active=x", "is_archived=1", "ordering=name", "expand=draft", "journey_key="]
)
def test_a_filter_that_is_none_is_refused(api, query):
    problem(api.get(f"{RULES}?{query}"), 400, "invalid_parameter")


def test_who_has_the_list_already_gets_no_body_until_it_changes(api):
    told = made(api).json()
    made(api)
    tag = api.get(f"{RULES}?page_size=1").headers["ETag"]

    time.sleep(1.1)  # the links of a page are signed with the second
    assert api.get(f"{RULES}?page_size=1", **{"If-None-Match": tag}).status_code == 304
    api.call("PATCH", path(told), {"draft": {"name": "?"}})
    assert api.get(f"{RULES}?page_size=1", **{"If-None-Match": tag}).status_code == 200


@pytest.mark.parametrize("rules", [1, 20])
@pytest.mark.parametrize(("query", "expected"), [("", 2), ("&expand=words", 5)])
def test_a_list_costs_as_many_queries_for_one_rule_as_for_many(
    api, organization, rules, query, expected
):
    for _ in range(rules):
        a_rule(organization, "PAYMENT_SUCCEEDED", move("intake", "CONFIRMED"), conditions=LEAF)
    api.get(RULES)

    with CaptureQueriesContext(connection) as queries:
        assert len(api.get(f"{RULES}?page_size=100{query}").json()["results"]) == rules

    assert len(queries) == expected, [one["sql"] for one in queries]


# --- what is wrong with a rule --------------------------------------------------------------------


def test_every_problem_has_its_pointer_into_the_body(api):
    wrong = {"all": [LEAF, {"any": [{"field": "event.payload.nothing", "op": "eq", "value": 1}]}]}

    response = api.post(
        RULES, a_definition(conditions=wrong, actions=[move("intake", "NOWHERE"), {"type": "x"}])
    )

    told = problem(response, 400, "validation_error")
    assert {(one["pointer"], one["code"]) for one in told["errors"]} == {
        ("/conditions/all/1/any/0/field", "unknown_field"),
        ("/actions/0/params/status", "stage_not_allowed"),
        ("/actions/1/type", "unknown_action"),
    }
    assert not AutomationRule.objects.exists()


def nested(depth):
    tree = LEAF
    for _ in range(depth):
        tree = {"all": [tree]}
    return tree


@pytest.mark.parametrize(
    ("conditions", "pointer"),
    [
        (nested(6), "/conditions/all/0/all/0/all/0/all/0/all/0"),
        ({"all": [LEAF] * 51}, "/conditions/all/50"),
        ({"all": []}, "/conditions/all"),
        ({"all": [LEAF], "any": [LEAF]}, "/conditions/any"),
        ({"not": LEAF}, "/conditions/not"),
        ([LEAF], "/conditions"),
        ("true", "/conditions"),
        ({"field": "patient.email", "op": "regex", "value": "(a+)+$"}, "/conditions/op"),
        ({"field": "__class__", "op": "eq", "value": 1}, "/conditions/field"),
        ({**LEAF, "value": {"$gt": ""}}, "/conditions/value"),
    ],
)
def test_a_hostile_tree_is_refused_with_a_pointer(api, conditions, pointer):
    told = problem(api.post(RULES, a_definition(conditions=conditions)), 400, "validation_error")

    assert pointer in [one["pointer"] for one in told["errors"]]
    assert not AutomationRule.objects.exists()


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (json.dumps(a_definition(conditions=nested(40))), "parse_error"),
        (json.dumps(a_definition(conditions={"all": [LEAF] * 900})), "validation_error"),
        (json.dumps(a_definition(actions=[{}] * 9000)), "validation_error"),
        (json.dumps(a_definition(actions=[{"type": "x"}] * 4000)), "validation_error"),
        (json.dumps(a_definition(conditions=dict.fromkeys(MANY, 1))), "validation_error"),
        (json.dumps(a_definition(name="\x00")), "parse_error"),
        (b"[]", "validation_error"),
        (b"7", "validation_error"),
    ],
    ids=["deep", "wide", "actions", "types", "members", "nul", "list", "number"],
)  # fmt: skip
def test_a_hostile_body_gets_a_short_answer_soon(api, raw, code):
    began = time.monotonic()

    response = api.call("POST", RULES, raw if isinstance(raw, bytes) else raw.encode())

    told = problem(response, 400, code)
    assert time.monotonic() - began < 3
    assert len(told.get("errors", ())) <= 200
    assert not AutomationRule.objects.exists()


@pytest.mark.parametrize(
    ("members", "code", "pointer"),
    [
        ({"colour": "red"}, "unknown_field", "/colour"),
        ({"version": 7}, "read_only_field", "/version"),
        ({"draft": {}}, "unknown_field", "/draft"),
        ({"is_active": "yes"}, "validation_error", "/is_active"),
        ({"also_waiting": 1}, "validation_error", "/also_waiting"),
        ({"is_active": None}, "validation_error", "/is_active"),
        ({"name": None}, "validation_error", "/name"),
        ({"priority": 10**6}, "validation_error", "/priority"),
        ({"max_hours": 3}, "validation_error", "/max_hours"),
    ],
)
def test_a_member_that_is_wrong_is_told(api, members, code, pointer):
    told = problem(api.post(RULES, a_definition(**members)), 400, code)

    assert pointer in [one["pointer"] for one in told["errors"]]


def test_rules_that_would_call_each_other_without_end_are_refused_with_the_way(api):
    made(api, name="ping", trigger_event="CUSTOM.a", actions=[emit("CUSTOM.b")])
    closing = {"name": "pong", "trigger_event": "CUSTOM.b", "actions": [emit("CUSTOM.a")]}

    told = problem(api.post(RULES, a_definition(**closing)), 409, "rule_cycle")

    assert told["path"] == ["pong", "ping", "pong"]
    asleep = made(api, is_active=False, **closing).json()
    told = problem(api.call("PATCH", path(asleep), {"is_active": True}), 409, "rule_cycle")
    assert told["path"] == ["pong", "ping", "pong"]


# --- changing -------------------------------------------------------------------------------------


def test_a_rule_is_replaced_as_its_next_version(api):
    told = made(api, conditions=LEAF).json()

    response = api.call("PUT", path(told), a_definition(name="Paid at last"))

    now = response.json()
    assert (response.status_code, now["version"], now["name"]) == (200, 2, "Paid at last")
    assert (now["conditions"], now["is_active"]) == ({}, True)
    assert RuleVersion.objects.get(version=1).definition["conditions"] == LEAF


def test_what_says_nothing_new_is_no_new_version(api):
    told = made(api).json()

    assert api.call("PUT", path(told), a_definition()).json()["version"] == 1


def test_members_that_are_not_named_stay(api):
    told = made(api, conditions=LEAF).json()

    now = api.call("PATCH", path(told), {"priority": 5}).json()

    assert (now["version"], now["priority"], now["conditions"]) == (2, 5, LEAF)


def test_the_switch_is_no_version(api):
    told = made(api).json()

    off = api.call("PATCH", path(told), {"is_active": False})
    on = api.call("PATCH", path(told), {"is_active": True})

    assert [(r.json()["is_active"], r.json()["version"]) for r in (off, on)] == [
        (False, 1), (True, 1),
    ]  # fmt: skip
    tags = {off.headers["ETag"], on.headers["ETag"], api.get(path(told)).headers["ETag"]}
    assert len(tags) == 2


def test_off_and_changed_at_once_may_be_in_a_cycle(api):
    made(api, name="ping", trigger_event="CUSTOM.a", actions=[emit("CUSTOM.b")])
    told = made(api, name="pong", trigger_event="CUSTOM.b").json()

    closing = {"actions": [emit("CUSTOM.a")]}
    problem(api.call("PATCH", path(told), closing), 409, "rule_cycle")
    assert api.call("PATCH", path(told), {"is_active": False, **closing}).status_code == 200


def test_a_rule_that_is_switched_on_may_count_for_those_who_wait(api, organization):
    stuck(organization, 60)
    told = api.post(RULES, a_timeout(is_active=False)).json()

    on = api.call("PATCH", path(told), {"is_active": True, "also_waiting": True}).json()

    assert (on["waiting"], on["visits_from"]) == (1, None)
    problem(api.call("PATCH", path(told), {"also_waiting": True}), 400, "validation_error")


def test_a_draft_changes_nothing_until_it_is_published(api):
    told = made(api).json()
    draft = a_definition(name="Soon", conditions=LEAF)

    kept = api.call("PATCH", path(told), {"draft": draft}).json()

    assert (kept["name"], kept["version"], kept["draft"]) == ("Paid", 1, draft)
    published = api.post(f"{path(told)}/publish").json()
    assert (published["name"], published["version"], published["draft"]) == ("Soon", 2, None)
    problem(api.post(f"{path(told)}/publish"), 409, "no_draft")


def test_a_draft_may_be_unfinished_and_is_then_not_published(api):
    told = made(api).json()
    api.call("PATCH", path(told), {"draft": {"name": "Half"}})

    refused = problem(api.post(f"{path(told)}/publish"), 400, "validation_error")

    assert [one["pointer"] for one in refused["errors"]] == [
        "/draft/trigger_event", "/draft/actions",
    ]  # fmt: skip
    assert api.get(path(told)).json()["draft"] == {"name": "Half"}
    assert api.call("PATCH", path(told), {"draft": None}).json()["draft"] is None


def test_a_draft_is_not_lost_when_the_rule_changes_beside_it(api):
    told = made(api).json()
    api.call("PATCH", path(told), {"draft": {"name": "Half"}})

    for method, body in (("PATCH", {"priority": 5}), ("PUT", a_definition(priority=6))):
        assert api.call(method, path(told), body).json()["draft"] == {"name": "Half"}


@pytest.mark.parametrize("draft", [7, [], "x", {"deep": nested(11)}])
def test_a_draft_that_cannot_be_kept_is_refused(api, draft):
    told = made(api).json()

    refused = problem(api.call("PATCH", path(told), {"draft": draft}), 400, "validation_error")

    assert [one["pointer"] for one in refused["errors"]] == ["/draft"]


def test_a_draft_and_a_change_at_once_are_refused(api):
    told = made(api).json()

    body = {"draft": {"name": "Half"}, "name": "Whole"}
    problem(api.call("PATCH", path(told), body), 400, "validation_error")
    assert api.get(path(told)).json()["name"] == "Paid"


def test_what_was_looked_at_is_what_is_changed(api):
    told = made(api)
    seen, where = told.headers["ETag"], path(told.json())
    changed = api.call("PATCH", where, {"is_active": False}, **{"If-Match": seen})
    assert changed.status_code == 200

    for method, place, body in (
        ("PATCH", where, {"name": "Mine"}),
        ("PUT", where, a_definition(name="Mine")),
        ("DELETE", where, None),
        ("POST", f"{where}/publish", {}),
    ):
        response = api.call(method, place, body, **{"If-Match": seen})
        stale = problem(response, 412, "stale_write")
        assert f'"{stale["current_version"]}"' == response.headers["ETag"]
        assert response.headers["ETag"] == changed.headers["ETag"]
    assert api.get(where).json()["name"] == "Paid"
    assert api.get(where, **{"If-None-Match": changed.headers["ETag"]}).status_code == 304


def test_a_practice_may_ask_for_the_version(api, organization):
    told = made(api).json()
    organization.settings = organization.settings | {"require_if_match": True}
    organization.save()

    problem(api.call("PATCH", path(told), {"priority": 1}), 428, "precondition_required")


def test_a_change_that_is_refused_changes_nothing_of_it(api):
    told = made(api).json()

    body = {"is_active": False, "actions": [move("intake", "NOWHERE")]}
    problem(api.call("PATCH", path(told), body), 400, "validation_error")

    assert api.get(path(told)).json()["is_active"] is True


def test_a_rule_is_archived_and_stays_to_be_read(api):
    told = made(api).json()

    first, again = api.delete(path(told)), api.delete(path(told))

    assert (first.status_code, again.status_code) == (204, 204)
    now = api.get(path(told)).json()
    assert (now["is_active"], now["archived_at"][-1]) == (False, "Z")
    for body in ({"is_active": True}, {"name": "Again"}, {"draft": {}}):
        problem(api.call("PATCH", path(told), body), 409, "rule_archived")


def test_anothers_rule_is_as_unknown_as_none(api, other_organization):
    with tenancy.scope(other_organization):
        a_template(other_organization)
        foreign = a_rule(other_organization, "PAYMENT_SUCCEEDED", move("intake", "CONFIRMED"))

    def asked(rule_id, method, body, what=""):
        response = api.call(method, f"{RULES}/{rule_id}{what}", body)
        return {**problem(response, 404, "not_found"), "request_id": ""}

    for asking in (
        ("GET", None), ("PUT", a_definition()), ("PATCH", {"is_active": False}),
        ("DELETE", None), ("POST", {}, "/publish"),
    ):  # fmt: skip
        assert asked(foreign.pk, *asking) == asked(uuid.uuid4(), *asking)
    with tenancy.scope(other_organization):
        rule = AutomationRule.objects.get(pk=foreign.pk)
    assert (rule.is_active, rule.version, rule.archived_at) == (True, 1, None)
    assert api.get(RULES).json()["results"] == []


def test_a_rule_sent_twice_under_one_key_is_one(api):
    first, again = (
        api.post(RULES, a_definition(), **{"Idempotency-Key": "k"}).json()["id"] for _ in "12"
    )

    assert first == again
    assert AutomationRule.objects.count() == 1


def test_of_two_writers_who_saw_the_same_one_is_told(committed_db):
    practice = OrganizationFactory()
    with tenancy.scope(practice):
        a_template(practice)
    apis = [by_key(practice), by_key(practice)]
    told = made(apis[0])
    seen, where = {"If-Match": told.headers["ETag"]}, path(told.json())

    answers = at_once(
        lambda: apis[0].call("PATCH", where, {"name": "One"}, **seen),
        lambda: apis[1].call("PATCH", where, {"draft": {"name": "Other"}}, **seen),
    )

    assert sorted(response.status_code for response in answers) == [200, 412]
    [kept] = [response for response in answers if response.status_code == 200]
    now = apis[0].get(where).json()
    assert (now["name"], now["draft"]) == (kept.json()["name"], kept.json()["draft"])


def test_a_rule_that_was_only_begun_is_told_and_published_as_version_1(api, organization, template):
    with tenancy.scope(organization):
        begun = create_draft(organization=organization, definition={"name": "Begun"})
    address = f"{RULES}/{begun.pk}"

    told = api.get(f"{address}?expand=words").json()
    kept = api.call("PATCH", address, {"draft": a_definition()})
    published = api.post(f"{address}/publish", {})

    assert (told["version"], told["is_active"], told["draft"]) == (0, False, {"name": "Begun"})
    assert kept.status_code == 200, kept.content
    assert published.status_code == 200, published.content
    assert (published.json()["version"], published.json()["is_active"]) == (1, False)
