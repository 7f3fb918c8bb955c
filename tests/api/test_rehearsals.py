"""`/rules/validate` and `/rules/dry-run`: they say what would be, and leave no trace."""

from __future__ import annotations

import uuid

import pytest
from django.core import mail
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django_q.models import OrmQ

from automation import bell
from automation.models import RuleRun
from journeys.blueprints import MoveDraft
from journeys.models import JourneyLog
from journeys.services.transitions import enroll, transition
from kura import tenancy
from tests.api.conftest import by_key, by_token, problem
from tests.api.test_rules import LEAF, nested
from tests.automation.practice import a_definition, a_rule, drain, emit, move, tell
from tests.automation.test_monitor import TASK, stuck
from tests.factories import OrganizationFactory, PatientFactory, a_template, a_user, system

VALIDATE = "/api/v1/rules/validate"
DRY_RUN = "/api/v1/rules/dry-run"
WRONG = {"amount_cents": "x"}
MAIL = {
    "type": "send_email",
    "params": {"audience": "patient", "subject": "Hi {patient.first_name}", "body": "{stage.name}"},
}


@pytest.fixture
def api(organization, template):
    return by_key(organization)


@pytest.fixture
def enrolled(template, patient):
    enroll(patient_id=patient.pk, journey_key="intake", cause=system())
    return patient


def supposed(someone, **members):
    return {
        "event_type": "PAYMENT_SUCCEEDED",
        "patient": {"id": str(someone.pk)},
        "journey_key": "intake",
        "payload": {"amount_cents": 9000},
    } | members


def rehearsed(api, rule, event):
    response = api.post(DRY_RUN, {"rule": rule, "event": event}, **{"Accept-Language": "en"})
    assert response.status_code == 200, response.content
    return response.json()


def everything():
    """A fingerprint of each table; `rate_counts` counts the requests themselves."""
    with connection.cursor() as cursor:
        names = sorted(set(connection.introspection.table_names()) - {"rate_counts"})
        found = {}
        for name in names:
            cursor.execute(
                f"SELECT count(*), md5(coalesce(string_agg(t::text, '' ORDER BY t::text), ''))"
                f" FROM {connection.ops.quote_name(name)} t"
            )
            found[name] = cursor.fetchone()
    return found


# --- validate -------------------------------------------------------------------------------------


def judged(api, rule, **members):
    response = api.post(VALIDATE, {"rule": rule, **members}, **{"Accept-Language": "en"})
    assert response.status_code == 200, response.content
    return response.json()


def test_a_rule_without_problems_reads_as_a_sentence(api):
    told = judged(api, a_definition(conditions=LEAF))

    words = told.pop("words")
    assert told == {"is_valid": True, "problems": [], "cycle": None, "waiting": None}
    assert words["sentence"].startswith("When “payment received” happens in “Intake”, if")
    assert words["then"] == ["move to “Confirmed” in “Intake”"]


def test_every_problem_has_its_pointer_into_the_body(api):
    told = judged(api, a_definition(conditions=nested(6), actions=[move("intake", "NOWHERE")]))

    assert (told["is_valid"], told["words"]) == (False, None)
    assert {(one["pointer"], one["code"]) for one in told["problems"]} == {
        ("/rule/conditions" + "/all/0" * 5, "too_deep"),
        ("/rule/actions/0/params/status", "stage_not_allowed"),
    }


def test_a_rule_without_anything_is_judged_as_well(api):
    pointers = [one["pointer"] for one in judged(api, {})["problems"]]

    assert pointers == ["/rule/name", "/rule/trigger_event", "/rule/actions"]


def test_a_wide_rule_gets_a_short_answer(api):
    told = judged(api, a_definition(actions=[{}] * 5000, conditions={"all": [LEAF] * 200}))

    assert 0 < len(told["problems"]) <= 200


def test_it_tells_how_many_wait_and_which_rules_would_turn_in_circles(api, organization):
    stuck(organization, 60)
    timeout = a_definition(
        trigger_event="JOURNEY_STAGE_TIMEOUT", stage="SCREENING_PENDING", max_hours="48",
        actions=[TASK],
    )  # fmt: skip
    ping = a_rule(organization, "CUSTOM.a", emit("CUSTOM.b"), name="ping")
    pong = a_definition(name="pong", trigger_event="CUSTOM.b", actions=[emit("CUSTOM.a")])

    assert judged(api, timeout)["waiting"] == 1
    closing = judged(api, pong)
    assert (closing["is_valid"], closing["cycle"]) == (False, ["pong", "ping", "pong"])
    assert closing["words"] is not None
    assert judged(api, pong, rule_id=str(ping.pk))["cycle"] is None


def test_anothers_rule_to_be_replaced_is_as_unknown_as_none(api, other_organization):
    with tenancy.scope(other_organization):
        foreign = a_rule(other_organization, "CUSTOM.a", emit("CUSTOM.b"))

    def asked(rule_id):
        body = {"rule": a_definition(), "rule_id": str(rule_id)}
        return {**problem(api.post(VALIDATE, body), 404, "not_found"), "request_id": ""}

    assert asked(foreign.pk) == asked(uuid.uuid4())


@pytest.mark.parametrize("rules", [1, 20])
def test_an_opinion_costs_as_many_queries_among_one_rule_as_among_many(api, organization, rules):
    for _ in range(rules):
        a_rule(organization, "CUSTOM.a", emit("CUSTOM.b"))
    judged(api, a_definition())

    with CaptureQueriesContext(connection) as queries:
        judged(api, a_definition())

    assert len(queries) == 5, [one["sql"] for one in queries]


# --- dry run --------------------------------------------------------------------------------------


def test_it_tells_what_would_happen(api, enrolled):
    rule = a_definition(
        conditions=LEAF, actions=[move("intake", "CONFIRMED"), MAIL, TASK, emit("CUSTOM.paid")]
    )
    enrolled.email = "marta@example.org"
    enrolled.full_name = "Marta Ruiz"
    enrolled.save()

    told = rehearsed(api, rule, supposed(enrolled))

    assert (told["deaf"], told["status"], told["matched"]) == (None, "done", True)
    assert [(one["actual"], one["result"]) for one in told["conditions"]] == [(9000, True)]
    assert [one["status"] for one in told["actions"]] == ["done"] * 4
    assert "log_id" not in told["actions"][0]
    assert told["moves"] == [
        {"journey_key": "intake", "from_stage": "SCREENING_PENDING", "to_stage": "CONFIRMED"}
    ]
    [message] = told["messages"]
    assert (message["audience"], message["subject"], message["body"]) == (
        "patient", "Hi Marta", "Confirmado",
    )  # fmt: skip
    assert [(one["kind"], one["text"]) for one in told["tasks"]] == [("rule", "Look")]
    assert {one["event_type"] for one in told["events"]} == {
        "JOURNEY_STAGE_CHANGED", "CUSTOM.paid",
    }  # fmt: skip


def test_a_condition_that_does_not_hold_is_named(api, enrolled):
    rule = a_definition(conditions={"all": [LEAF, {**LEAF, "value": 10_000}]})

    told = rehearsed(api, rule, supposed(enrolled))

    assert (told["status"], told["matched"], told["failed_on"]) == ("not_matched", False, "/all/1")
    assert (told["actions"], told["moves"]) == ([], [])


def test_what_would_be_refused_says_why(api, patient, enrolled):
    """Not enrolled, blocked, a stage left out by the graph: the production's own reasons."""
    other = PatientFactory(organization=patient.organization)
    transition(
        patient_id=enrolled.pk, journey_key="intake", to_stage="BLOCKED_HIGH_RISK", cause=system()
    )
    rule = a_definition(actions=[move("intake", "CONFIRMED"), MAIL])

    def refusal(someone):
        told = rehearsed(api, rule, supposed(someone))
        assert told["status"] == "refused"
        return [(one["status"], one["error_code"]) for one in told["actions"]]

    assert refusal(other) == [("refused", "not_enrolled"), ("skipped", "after_refusal")]
    assert refusal(enrolled) == [("refused", "journey_blocked"), ("skipped", "after_refusal")]
    told = rehearsed(api, rule, supposed(enrolled))
    assert "blocked" in told["actions"][0]["error_words"].lower()
    assert [one["kind"] for one in told["tasks"]] == ["held_back"]


def test_a_guard_that_would_refuse_says_what_is_missing(api, organization, patient):
    paid = {"field": "events.PAYMENT_SUCCEEDED.count", "op": "gte", "value": 1}
    moves = [
        MoveDraft(from_stage=None, to_stage="A"),
        MoveDraft(from_stage="A", to_stage="B", guard=paid),
    ]
    a_template(organization, "guarded", ["A", "B", "COMPLETED"], moves)
    enroll(patient_id=patient.pk, journey_key="guarded", cause=system())
    rule = a_definition(
        trigger_event="CUSTOM.call", journey_key="guarded", actions=[move("guarded", "B")]
    )

    told = rehearsed(
        api, rule, supposed(patient, event_type="CUSTOM.call", journey_key="guarded", payload={})
    )

    assert told["actions"][0]["error_code"] == "guard_failed"
    assert "payment received" in told["actions"][0]["error_words"]


def test_a_stored_event_is_judged_by_the_facts_that_were_kept_with_it(api, organization, enrolled):
    a_rule(organization, "PAYMENT_SUCCEEDED", emit("CUSTOM.seen"))
    event_id = tell(enrolled, "PAYMENT_SUCCEEDED", payload={"amount_cents": 5}).event_id
    drain()
    transition(patient_id=enrolled.pk, journey_key="intake", to_stage="CONFIRMED", cause=system())
    was = {"field": "journey.stage", "op": "eq", "value": "SCREENING_PENDING"}

    told = rehearsed(api, a_definition(conditions={"all": [was, LEAF]}), {"id": str(event_id)})

    assert [one["actual"] for one in told["conditions"]] == ["SCREENING_PENDING", 5]
    assert told["matched"] is True
    [action] = told["actions"]
    assert (action["status"], action["error_code"]) == ("unchanged", "stage_unchanged")
    assert told["events"] == []  # what the event caused then is not told again


@pytest.mark.parametrize(
    ("members", "deaf"),
    [
        ({"event_type": "PAYMENT_FAILED"}, "other_event"),
        ({"journey_key": "yoga"}, "other_journey"),
    ],
)
def test_an_event_that_the_rule_would_not_hear(api, enrolled, members, deaf):
    told = rehearsed(api, a_definition(), supposed(enrolled, **members))

    assert (told["deaf"], told["matched"], told["conditions"]) == (deaf, None, [])


def test_a_time_out_may_be_supposed(api, enrolled):
    rule = a_definition(
        trigger_event="JOURNEY_STAGE_TIMEOUT", stage="SCREENING_PENDING", max_hours=48,
        actions=[MAIL],
    )  # fmt: skip
    event = supposed(enrolled, event_type="JOURNEY_STAGE_TIMEOUT", payload={})

    told = rehearsed(api, rule, event)

    assert (told["matched"], told["actions"][0]["error_code"]) == (True, "no_address")
    assert [one["kind"] for one in told["tasks"]] == ["no_address"]
    elsewhere = supposed(enrolled, event_type="JOURNEY_STAGE_TIMEOUT", payload={"stage": "X"})
    assert rehearsed(api, rule, elsewhere)["matched"] is False


def test_nothing_is_written_sent_or_rung(committed_db):
    """Really committed, and every row of every table compared."""
    practice = OrganizationFactory()
    with tenancy.scope(practice):
        a_template(practice)
        someone = PatientFactory(organization=practice, email="marta@example.org")
        enroll(patient_id=someone.pk, journey_key="intake", cause=system())
        a_rule(practice, "CUSTOM.paid", emit("CUSTOM.more"))
        kept = tell(someone, "PAYMENT_SUCCEEDED", payload={"amount_cents": 5}).event_id
        unenrolled = PatientFactory(organization=practice)
    api = by_token(a_user(practice, "manager"))
    api.get("/api/v1/auth/me")
    everything_before, rung = everything(), dict(bell._last_rung)
    actions = [move("intake", "CONFIRMED"), MAIL, TASK, emit("CUSTOM.paid")]

    for event in (supposed(someone), {"id": str(kept)}, supposed(unenrolled)):
        told = rehearsed(api, a_definition(actions=actions), event)
        assert told["matched"] is True
    refused = api.post(DRY_RUN, {"rule": a_definition(), "event": {"id": str(uuid.uuid4())}})
    problem(refused, 404, "not_found")

    assert everything() == everything_before
    assert (bell._last_rung, mail.outbox) == (rung, [])
    with tenancy.scope(practice):
        assert drain() >= 1  # what waited before is not lost, and nothing else is there
        assert not RuleRun.objects.exists()
        assert JourneyLog.objects.count() == 1


def test_a_dry_run_in_another_transaction_undoes_itself_alone(api, organization, enrolled):
    api.get("/api/v1/auth/me")
    before = everything()

    rehearsed(api, a_definition(), supposed(enrolled))

    assert everything() == before
    assert OrmQ.objects.count() == before["django_q_ormq"][0]
    tell(enrolled, "PAYMENT_SUCCEEDED")  # the connection is of use afterwards


# --- what is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "scopes",
    [
        ("rules:write",),
        ("rules:write", "events:read"),
        ("rules:write", "patients:read"),
    ],
)
def test_facts_of_patients_are_not_found_out_by_conditions(organization, enrolled, scopes):
    body = {"rule": a_definition(), "event": supposed(enrolled)}

    problem(by_key(organization, *scopes).post(DRY_RUN, body), 403, "permission_denied")
    enough = by_key(organization, "rules:write", "events:read", "patients:read")
    assert enough.post(DRY_RUN, body).status_code == 200


def test_anothers_event_or_patient_is_as_unknown_as_none(api, other_organization):
    stranger = PatientFactory(organization=other_organization)
    with tenancy.scope(other_organization):
        foreign_id = tell(stranger, "PAYMENT_SUCCEEDED").event_id

    def asked(event):
        response = api.post(DRY_RUN, {"rule": a_definition(), "event": event})
        return {**problem(response, 404, "not_found"), "request_id": ""}

    assert asked({"id": str(foreign_id)}) == asked({"id": str(uuid.uuid4())})
    nobody = PatientFactory.build(organization=other_organization)
    assert asked(supposed(stranger)) == asked(supposed(nobody))


@pytest.mark.parametrize(
    ("rule", "event", "status", "code", "pointer"),
    [
        ({"conditions": nested(6)}, {}, 400, "validation_error", "/rule/conditions" + "/all/0" * 5),
        ({"actions": []}, {}, 400, "validation_error", "/rule/actions"),
        ({"draft": {}}, {}, 400, "unknown_field", "/rule/draft"),
        ({}, {"id": "x"}, 400, "validation_error", "/event/id"),
        ({}, {"id": str(uuid.uuid4())}, 400, "validation_error", "/event"),
        ({}, {"payload": WRONG}, 400, "validation_error", "/event/payload/amount_cents"),
        ({}, {"patient": {}}, 400, "validation_error", "/event/patient"),
        ({}, {"event_type": "NOTHING"}, 422, "unknown_event_type", None),
        ({}, {"source": "x"}, 400, "unknown_field", "/event/source"),
    ],
)  # fmt: skip
def test_what_is_wrong_has_its_pointer(api, enrolled, rule, event, status, code, pointer):
    body = {"rule": a_definition(**rule), "event": supposed(enrolled, **event)}

    told = problem(api.post(DRY_RUN, body), status, code)

    if pointer is not None:
        assert pointer in [one["pointer"] for one in told["errors"]]


@pytest.mark.parametrize("rules", [1, 20])
def test_a_dry_run_costs_as_many_queries_among_one_rule_as_among_many(
    api, organization, enrolled, rules
):
    for _ in range(rules):
        a_rule(organization, "PAYMENT_SUCCEEDED", emit("CUSTOM.b"))
    rehearsed(api, a_definition(), supposed(enrolled))

    with CaptureQueriesContext(connection) as queries:
        rehearsed(api, a_definition(), supposed(enrolled))

    # What a process remembers for a moment (who listens, that it has rung) is asked now and then.
    passing = ("SAVEPOINT", "django_q", "SELECT EXISTS (\n    SELECT FROM automation_rules")
    ours = [one["sql"] for one in queries if not any(part in one["sql"] for part in passing)]
    assert len(ours) == 34, (len(ours), ours)
