"""A backtest as a person reads it: counts with words, and of the sample who, when and why.

What the reader may not see is not told, and neither is what would say the same: without the right
to the contents that a rule asks for, its numbers stay without conditions and without people.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from django.urls import reverse
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from automation.actions.base import Practice
from automation.judging import TIMEOUT, place_of
from automation.models.run import RunStatus
from automation.selectors.event_page import Sight
from automation.selectors.trace import ConditionTold
from automation.sentences import action_words
from automation.tallies import ActionTally, Backtest, Case, Count
from automation.values import label_of, value_words
from automation.vocabulary import practice_fields
from automation.wording import error_words
from journeys.selectors.history import event_label
from kura.conditions import FieldLookup, LeafResult, describe, describe_leaf, paths
from patients.models import Patient

Definition = Mapping[str, Any]
LOOP: Final = "loop"
SAID: Final = 3  # facts that a line of the sample names


@dataclass(frozen=True, kw_only=True, slots=True)
class Bar:
    """One row with a number out of `of`, and `width` in percent. `no_data`: not told by the facts.

    `kind`: events, place, part (of all conditions), group (one of several, the `place`th), matched.
    `pointer`: of the part, into the conditions.
    """

    kind: str
    place: int = 0
    pointer: str = ""
    words: str
    number: int
    of: int
    no_data: int = 0

    @property
    def width(self) -> str:
        return f"{100 * self.number / self.of:.2f}" if self.of else "0"


@dataclass(frozen=True, kw_only=True, slots=True)
class Refusal:
    code: str
    words: str
    number: int


@dataclass(frozen=True, kw_only=True, slots=True)
class ActionLine:
    """What one action would have done, and how often. `why`: of what is not simply done."""

    words: str
    counts: Sequence[tuple[str, int]]
    why: Sequence[Refusal]


@dataclass(frozen=True, kw_only=True, slots=True)
class SampleLine:
    """`then`: why an action would have been refused. `failed_on`: the condition that says no."""

    case: Case
    patient: Patient | None
    failed_on: ConditionTold | None
    reason: str
    then: str

    @property
    def name(self) -> str:
        return str(self.patient) if self.patient else "–"

    @property
    def url(self) -> str:
        """To the event; a time that is up has none yet."""
        if self.case.id is not None:
            return reverse("admin:journeys_systemeventlog_change", args=[self.case.id])
        return reverse("admin:patients_patient_change", args=[self.case.patient_id])


@dataclass(frozen=True, kw_only=True, slots=True)
class Tried:
    """`is_shown_whole` False: what the conditions ask is hidden from this reader."""

    found: Backtest
    event: str
    is_timeout: bool
    bars: Sequence[Bar]
    actions: Sequence[ActionLine]
    refusals: Sequence[Refusal]
    sample: Sequence[SampleLine]
    is_shown_whole: bool

    @property
    def parts(self) -> list[Bar]:
        return [bar for bar in self.bars if bar.kind in {"group", "part"}]


def tried(found: Backtest, definition: Definition, practice: Practice, sight: Sight) -> Tried:
    """`definition`: the normal one that was tried. Needs the tenant scope. One query at most."""
    fields = practice_fields(
        definition["trigger_event"], definition.get("journey_key") or "", practice
    )
    is_shown_whole = sees_all(definition, sight)
    return Tried(
        found=found,
        event=event_label(definition["trigger_event"]),
        is_timeout=definition["trigger_event"] == TIMEOUT,
        bars=list(_bars(found, definition, fields)) if is_shown_whole else [],
        actions=[_action(one, definition, practice) for one in found.effects.actions],
        refusals=_refusals(found.effects.would_fail.most_common()),
        sample=_sample(found, fields) if is_shown_whole else [],
        is_shown_whole=is_shown_whole,
    )


def sees_all(definition: Definition, sight: Sight) -> bool:
    asked = paths(definition["conditions"]) | paths(place_of(definition))
    return sight.values and all(sight.of(path) for path in asked)


# --- conditions -----------------------------------------------------------------------------------


def _bars(found: Backtest, definition: Definition, fields: FieldLookup) -> Iterator[Bar]:
    of = found.events
    tally, tree = found.conditions, definition["conditions"]
    yield Bar(kind="events", words=event_label(definition["trigger_event"]), number=of, of=of)
    place = place_of(definition)
    if place and tally.place and definition["trigger_event"] != TIMEOUT:
        yield _bar("place", describe(place, fields), tally.place, of)
    kind = "group" if "any" in tree else "part"
    for number, (pointer, part) in enumerate(_parts(tree)):
        count = tally.groups[number] if tally.groups else Count()  # the place never held
        bar = _bar(kind, describe(part, fields), count, of)
        yield replace(bar, place=number + 1, pointer=pointer)
    if tree or (place and definition["trigger_event"] != TIMEOUT):
        yield Bar(kind="matched", words=_altogether(tree), number=_fitting(found), of=of)


def _fitting(found: Backtest) -> int:
    """Who fits and was told already, or came too early, fits as well."""
    waiting = found.waiting
    return found.matched + (waiting.told + waiting.before if waiting else 0)


def _bar(kind: str, words: str, count: Count, of: int) -> Bar:
    return Bar(kind=kind, words=capfirst(words), number=count.held, of=of, no_data=count.no_data)


def _parts(tree: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    """The parts of the outermost group with their pointers; a lone condition is its own."""
    for kind in ("any", "all"):
        if kind in tree:
            return [(f"/{kind}/{number}", part) for number, part in enumerate(tree[kind])]
    return [("", tree)] if tree else []


def _altogether(tree: Mapping[str, Any]) -> str:
    return _("At least one group is met") if "any" in tree else _("All conditions are met")


# --- actions --------------------------------------------------------------------------------------


def _action(tally: ActionTally, definition: Definition, practice: Practice) -> ActionLine:
    params = definition["actions"][tally.index].get("params") or {}
    codes = [(code, n) for (_status, code), n in tally.codes.most_common()]
    return ActionLine(
        words=capfirst(action_words(tally.type, params, practice)),
        counts=[
            (str(word), n) for status, word in STATUSES.items() if (n := tally.statuses[status])
        ],
        why=_refusals(codes),
    )


STATUSES: Final = {
    "done": gettext_lazy("would be done"),
    "unchanged": gettext_lazy("nothing to change"),
    "refused": gettext_lazy("would be refused"),
    "skipped": gettext_lazy("not tried"),
    "unknown": gettext_lazy("not known"),
}


def _refusals(counted: Sequence[tuple[str, int]]) -> list[Refusal]:
    return [Refusal(code=code, words=why_words(code), number=number) for code, number in counted]


def why_words(code: str) -> str:
    if code == LOOP:
        return str(RunStatus.LOOP.label)
    if code == "no_data":
        return _("What was kept with the event does not tell.")
    if code == "no_address":
        return _("There is no e-mail address: a person has the task to tell them.")
    return error_words(code)


# --- the sample -----------------------------------------------------------------------------------


def _sample(found: Backtest, fields: FieldLookup) -> list[SampleLine]:
    people = Patient.objects.in_bulk({case.patient_id for case in found.sample})
    version = found.difference.version if found.difference else 0
    return [
        SampleLine(
            case=case,
            patient=people.get(case.patient_id),
            failed_on=_condition(case.deciding, fields) if case.deciding else None,
            reason=_against(case, version, capfirst(reason_of(case, fields))),
            then=_then(case),
        )
        for case in found.sample
    ]


def _against(case: Case, version: int, reason: str) -> str:
    told = {"version": version, "reason": reason}
    if case.change == "added":
        return _("New; version %(version)s did not run. %(reason)s") % told
    if case.change == "removed":
        return _("No longer; version %(version)s ran. %(reason)s") % told
    return reason


def reason_of(case: Case, fields: FieldLookup) -> str:
    """Why it runs, or the first condition that says no, with the value of that moment."""
    if not case.is_heard:
        return _("it does not listen to this event")
    if case.deciding is not None:
        return _unmet(case.deciding, fields)
    if case.withheld:
        return str(_WITHHELD[case.withheld])
    return _met(case.leaves, fields) or _("it has no conditions")


_WITHHELD: Final = {
    "told": gettext_lazy("it was announced before"),
    "before": gettext_lazy("in the stage since before the rule counts"),
}


def _condition(leaf: LeafResult, fields: FieldLookup) -> ConditionTold:
    words = describe_leaf(leaf.leaf, fields(leaf.field))
    return ConditionTold(**leaf.as_json() | {"note": leaf.note or "", "words": words})


def _unmet(leaf: LeafResult, fields: FieldLookup) -> str:
    field = fields(leaf.field)
    words = describe_leaf(leaf.leaf, field)
    if leaf.note == "no_data":
        return _("Expected: %(condition)s; no data") % {"condition": words}
    value = value_words(leaf.actual, field)
    return _("Expected: %(condition)s; it was: %(value)s") % {"condition": words, "value": value}


def _met(leaves: Sequence[LeafResult], fields: FieldLookup) -> str:
    """The facts that held, each once."""
    told = {leaf.field: leaf.actual for leaf in leaves if leaf.result and leaf.actual is not None}
    named = [
        f"{label_of(fields(path), path)}: {value_words(value, fields(path))}"
        for path, value in list(told.items())[:SAID]
    ]
    return ", ".join(named)


def _then(case: Case) -> str:
    for told in case.actions:
        if told.status == "refused" or told.code == LOOP:
            return why_words(told.code)
    return ""
