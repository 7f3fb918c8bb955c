"""A rule goes into its form, through a browser and back: nothing is lost, and it reads the same."""

from __future__ import annotations

import json

import pytest
from django.http import QueryDict
from django.utils import translation
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from automation.actions import ACTIONS
from automation.actions.base import Practice
from automation.admin.rule_form.buttons import settled
from automation.admin.rule_form.choices import Vocabulary
from automation.admin.rule_form.fields import RuleForm
from automation.admin.rule_form.posting import as_posted, posted_rows
from automation.admin.rule_form.rows import rows_of
from automation.admin.rule_form.written import Reading, definition_of, places_of
from automation.definition import normal
from automation.library import READY_RULES
from automation.sentences import sentence
from automation.validation import problems_of
from automation.vocabulary import common_paths, payload_paths, practice_fields
from journeys.event_types import EVENT_TYPES
from kura.conditions import OPERATORS
from tests.sizes import sized

pytestmark = pytest.mark.soak
CALM = settings(
    max_examples=sized(reduced=50, full=500),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
WORDS = st.text("ab .,:ñ{}\"'<\n7-", min_size=1, max_size=12)
NAMES = (
    WORDS.filter(lambda text: text.strip() != "")
    .map(str.strip)
    .map(lambda text: text.replace("\n", " "))
)
NUMBERS = st.integers(-(10**14), 10**14) | st.floats(
    -(10**14), 10**14, allow_nan=False, allow_infinity=False
)
MOMENTS = st.sampled_from(
    ["2026-01-31T09:00:00+01:00", "2026-07-01T23:59:59.123456Z", "2025-10-26T02:30:00+02:00"]
)
TEXTS = st.fixed_dictionaries({"es": WORDS, "en": WORDS}) | WORDS


def browser(rows):
    """Out of the page and in again, as a browser does it: every name, every value, in a query."""
    data = QueryDict(mutable=True)
    for name, value in as_posted(rows):
        data.appendlist(name, value.replace("\n", "\r\n") if "\r" not in value else value)
    return posted_rows(QueryDict(data.urlencode()))


def there_and_back(definition, practice, point="."):
    fields = practice_fields(
        definition["trigger_event"], definition.get("journey_key") or "", practice
    )
    rows = browser(rows_of(definition, point))
    return definition_of(rows, Reading(fields, point)), rows


# --- random rules -------------------------------------------------------------------------------


def a_value(field, op):
    shape = OPERATORS[op].takes.__name__
    if shape == "flag":
        return st.booleans()
    if shape == "timestamp":
        return MOMENTS
    if field.choices:
        one = st.sampled_from(list(field.choices))
    else:
        one = {
            "string": WORDS, "list": WORDS, "number": NUMBERS, "boolean": st.booleans(),
            "integer": st.integers(-(10**14), 10**14),
        }[field.type]  # fmt: skip
    return st.lists(one, min_size=1, max_size=4) if shape == "options" else one


@st.composite
def leaves(draw, fields, paths):
    field = fields(draw(st.sampled_from(paths)))
    op = draw(st.sampled_from([one.name for one in OPERATORS.values() if field.type in one.types]))
    leaf = {"field": field.path, "op": op, "value": draw(a_value(field, op))}
    label = draw(st.none() | st.just({"es": "palabras propias", "en": "own words"}))
    return leaf if label is None else leaf | {"label": label}


def trees(leaf):
    group = st.lists(leaf, min_size=1, max_size=3).map(lambda parts: {"all": parts})
    flat = st.lists(group | leaf, min_size=1, max_size=3).map(lambda parts: {"any": parts})
    deep = st.lists(flat, min_size=1, max_size=2).map(lambda parts: {"all": parts})
    return st.just({}) | leaf | group | flat | deep


def actions(practice):
    key = st.sampled_from(list(practice.journeys))
    stages = {one: list(practice.journeys[one].allowed) for one in practice.journeys}
    staff = st.sampled_from(["therapist", "practice"])
    place = key.flatmap(
        lambda one: st.fixed_dictionaries(
            {"key": st.just(one), "status": st.sampled_from(stages[one])}
        )
    )
    members = st.dictionaries(
        st.sampled_from(["a", "b_c"]), WORDS | NUMBERS | st.booleans() | st.none() | st.just("true")
    )
    params = {
        "update_journey_status": place,
        "enroll": place | key.map(lambda one: {"key": one}),
        "send_email": st.fixed_dictionaries(
            {"audience": staff | st.just("patient"), "subject": TEXTS, "body": TEXTS},
            optional={"reminder": st.booleans()},
        ),
        "create_task": st.fixed_dictionaries(
            {"audience": staff, "text": TEXTS},
            optional={"due_in_hours": st.integers(1, 99) | st.floats(0.5, 99)},
        ),
        "emit_event": st.fixed_dictionaries(
            {"event_type": st.just("CUSTOM.ready")}, optional={"payload": members}
        ),
    }
    assert set(params) == set(ACTIONS)
    return st.sampled_from(list(params)).flatmap(
        lambda kind: st.fixed_dictionaries({"type": st.just(kind), "params": params[kind]})
    )


@st.composite
def rules(draw, practice):
    trigger = draw(st.sampled_from([*EVENT_TYPES, "CUSTOM.sauna_done"]))
    key = draw(st.sampled_from(["", *practice.journeys]))
    clock = {}
    if trigger == "JOURNEY_STAGE_TIMEOUT":
        key = key or next(iter(practice.journeys))
        hours = st.sampled_from(["48", "0.125", "1.125", "1000", "999999.999"]) | st.integers(1, 99)
        clock = {"max_hours": draw(hours)}
        clock |= draw(st.just({}) | st.just({"repeat_hours": "24.000", "max_repeats": 3}))
    stages = list(practice.journeys[key].allowed) if key else []
    stage = draw(st.sampled_from(stages if clock else ["", *stages]))
    fields = practice_fields(trigger, key, practice)
    paths = [
        *payload_paths(trigger), *common_paths(practice), "events.CUSTOM.sauna_done.count",
        *(["event.payload.minutes"] if trigger.startswith("CUSTOM") else []),
    ]  # fmt: skip
    return {
        "name": draw(NAMES),
        "trigger_event": trigger,
        "journey_key": key,
        "stage": stage,
        "conditions": draw(trees(leaves(fields, paths))),
        "actions": draw(st.lists(actions(practice), min_size=1, max_size=3)),
        "priority": draw(st.integers(-100, 1000)),
        **clock,
    }


def same(one, other) -> bool:
    """Also the kind of each number: 1 is not True, and 1.0 reads otherwise than 1."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


@pytest.fixture
def practice(organization, template):
    return Practice(organization=organization)


@pytest.mark.parametrize(("language", "point"), [("es", ","), ("en", ".")])
@CALM
@given(data=st.data())
def test_a_rule_comes_back_from_its_form_as_it_went_in(practice, language, point, data):
    definition = data.draw(rules(practice))

    back, _rows = there_and_back(definition, practice, point)

    assert same(normal(back), normal(definition))
    with translation.override(language):
        assert sentence(normal(back), practice) == sentence(normal(definition), practice)


def test_a_list_of_blanks_alone_comes_back(practice):
    """No line of a form says it; what nobody touched is kept as it was written."""
    leaf = {"field": "event.payload.form_id", "op": "in", "value": [" "]}
    action = {"type": "enroll", "params": {"key": "intake"}}
    trigger = {"name": "Regla", "trigger_event": "FORM_SUBMISSION_COMPLETED"}
    definition = normal({**trigger, "conditions": leaf, "actions": [action]})

    back, _rows = there_and_back(definition, practice)

    assert same(normal(back), definition)


@CALM
@given(data=st.data())
def test_a_condition_that_is_typed_means_what_a_kept_one_means(practice, data):
    """Without the memory of how it was written: only own words and offsets may differ."""
    fields = practice_fields("RISK_ANALYSIS_COMPLETED", "", practice)
    paths = [*payload_paths("RISK_ANALYSIS_COMPLETED"), *common_paths(practice)]
    leaf = data.draw(leaves(fields, paths).filter(is_as_typed))
    said = {"trigger_event": "RISK_ANALYSIS_COMPLETED", "conditions": leaf}

    rows = posted_rows(forgetful(browser(rows_of(said, ","))))
    back = definition_of(rows, Reading(fields, ","))["conditions"]

    assert (back["field"], back["op"]) == (leaf["field"], leaf["op"])
    if OPERATORS[leaf["op"]].takes.__name__ != "timestamp":
        assert same(back["value"], leaf["value"])


def is_as_typed(leaf) -> bool:
    """A list has one value a line, without blanks around it; nothing typed is no value."""
    value = leaf["value"]
    each = value if isinstance(value, list) else [value]
    texts = [one for one in each if isinstance(one, str)]
    if isinstance(value, list):
        return all("\n" not in one and one.strip() == one != "" for one in texts)
    return all(texts)


@CALM
@given(data=st.data())
def test_an_action_that_is_typed_does_what_a_kept_one_does(practice, data):
    action = data.draw(actions(practice))
    said = {"trigger_event": "PAYMENT_SUCCEEDED", "actions": [action]}

    rows = posted_rows(forgetful(browser(rows_of(said, ","))))
    [back] = definition_of(rows, Reading(lambda _path: None, ","))["actions"]

    meant = {name: value for name, value in action["params"].items() if value not in (False, {})}
    assert same(back, {"type": action["type"], "params": meant})


def forgetful(rows) -> QueryDict:
    pairs = as_posted(rows)
    return as_query([(name, "" if name.endswith("kept") else value) for name, value in pairs])


def as_query(pairs) -> QueryDict:
    data = QueryDict(mutable=True)
    for name, value in pairs:
        data.appendlist(name, value)
    return data


@CALM
@given(data=st.data())
def test_every_problem_of_a_shown_rule_has_its_field(practice, data):
    definition = data.draw(rules(practice))
    broken = json.loads(json.dumps(definition)) | {"name": "", "stage": "NOWHERE"}
    _back, rows = there_and_back(broken, practice)

    places = places_of(rows)

    names = dict(as_posted(rows))
    for problem in problems_of(broken, practice):
        pointer = problem.pointer
        while pointer and pointer not in places:
            pointer = pointer.rpartition("/")[0]
        assert pointer or problem.pointer.startswith("/conditions"), problem
        if pointer.startswith(("/name", "/stage", "/journey_key")):
            assert places[pointer] in names


ODD = st.text(max_size=5) | st.sampled_from(
    [
        "", " ", "1e999", "-", "1.000", "9" * 400, "\x00", "\ud800", "{", "[[]]", '{"all": [1]}',
        "null", '{"type": "send_email", "params": 3}', '{"field": [], "op": {}, "value": NaN}',
        "true", "CUSTOM.", "event.payload.", "journeys.", "JOURNEY_STAGE_TIMEOUT", "exists", "in",
        "before", "2026-02-30T9",
    ]
)  # fmt: skip


@CALM
@given(data=st.data())
def test_whatever_is_posted_is_read_shown_and_judged(practice, data):
    pairs = as_posted(rows_of(data.draw(rules(practice)), "."))
    counts = {"groups", "actions"}
    odd = [
        (name, data.draw(ODD) if data.draw(st.integers(0, 3)) == 0 else value)
        if name not in counts and not name.endswith("-count")
        else (name, value)
        for name, value in pairs
    ]

    posted = posted_rows(as_query(odd))
    words = Vocabulary(practice, posted.trigger_event, posted.journey)
    rows = settled(posted, words)
    said = definition_of(rows, Reading(words.field, "."))
    form = RuleForm(rows, said, words, ".")
    form.show(problems_of(said, practice))

    assert len(form.acts) == len(rows.actions)
    assert all(str(field) for field in form)
    assert bool(form.mistakes) is bool(problems_of(said, practice))


def test_every_ready_rule_comes_back_as_it_is(practice):
    for ready in READY_RULES:
        definition = ready.definition("es")

        back, rows = there_and_back(definition, practice, ",")

        assert same(normal(back), normal(definition)), ready.code
        assert not rows.tree
