"""The targets that a page offers: what will happen in each, or in words why it is not possible."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from django.utils.translation import gettext as _

from journeys.guards import Decision, Leap, leap
from journeys.models.template import StageStatus, Turn
from journeys.selectors.definitions import Definition, Stage
from journeys.selectors.options import Entry


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """`words`: the consequence of an allowed target, the reason against an impossible one.

    `ahead`: what happens by itself there. `off_the_way`: impossible, because no arrow leads there.
    """

    value: str
    label: str
    words: str
    allowed: bool = True
    checked: bool = False
    ahead: Sequence[str] = ()
    off_the_way: bool = False

    @property
    def kind(self) -> str:
        if self.allowed:
            return "possible"
        return "off" if self.off_the_way else "missing"


def stages(definition: Definition, options: Iterable[Decision], chosen: str) -> list[Choice]:
    """Every other stage, the possible ones first."""
    others = [one for one in options if one.code != "stage_unchanged"]
    made = [_of_stage(definition, one, chosen) for one in others]
    return sorted(made, key=lambda choice: (not choice.allowed, choice.off_the_way))


def with_outlook(choices: Iterable[Choice], ahead: Mapping[str, Sequence[str]]) -> list[Choice]:
    """`ahead`: what happens by itself, by stage."""
    return [replace(one, ahead=ahead.get(one.value, ())) if one.allowed else one for one in choices]


def as_decisions(
    choices: Iterable[Choice], definition: Definition, blocked_from: str | None
) -> list[Choice]:
    """What a therapist decides about a block: go on, go back, end it. Back comes first."""
    before = definition.stages.get(blocked_from or "")
    reached = before.position if before else -1
    made = [
        replace(one, label=_decision(one, definition, reached)) if one.allowed else one
        for one in choices
    ]
    return sorted(made, key=lambda one: (not one.allowed, one.off_the_way, not one.checked))


def _decision(choice: Choice, definition: Definition, reached: int) -> str:
    stage = definition.allowed[choice.value]
    if stage.status == StageStatus.CANCELLED:
        return _("End this journey: “%(stage)s”") % {"stage": stage.label}
    if stage.is_blocking:
        return _("Keep it on hold in “%(stage)s”") % {"stage": stage.label}
    if stage.position <= reached:
        return _("Unblock and go back to “%(stage)s”") % {"stage": stage.label}
    return _("Unblock and move on to “%(stage)s”") % {"stage": stage.label}


def leaps(definition: Definition, options: Iterable[Decision], from_stage: str) -> dict[str, str]:
    """What to ask before a move that goes back, or over other stages; by stage."""
    asked = {
        Leap.BACK: _("Yes, go back from “%(from)s” to “%(to)s”."),
        Leap.OVER: _("Yes, go from “%(from)s” straight to “%(to)s” and skip what lies between."),
    }
    found = {one.to_stage: leap(definition, from_stage, one.to_stage) for one in options}
    return {
        code: asked[kind] % {"from": definition.label(from_stage), "to": definition.label(code)}
        for code, kind in found.items()
        if kind is not None
    }


def _of_stage(definition: Definition, option: Decision, chosen: str) -> Choice:
    stage = definition.allowed[option.to_stage]
    return Choice(
        value=option.to_stage,
        label=stage.label,
        words=consequence(stage) if option.allowed else str(option.refusal),
        allowed=option.allowed,
        checked=option.allowed and option.to_stage == chosen,
        off_the_way=option.code == "transition_not_permitted",
    )


def journeys(entries: Iterable[Entry], chosen: str) -> list[Choice]:
    """Every active journey, the possible ones first."""
    made = [_of_entry(entry, chosen) for entry in entries]
    return sorted(made, key=lambda choice: not choice.allowed)


def _of_entry(entry: Entry, chosen: str) -> Choice:
    definition, decision = entry.definition, entry.decision
    begins = _("Begins in “%(stage)s”.") % {"stage": definition.label(decision.to_stage)}
    again = (
        _("It will be enrollment no. %(number)s.") % {"number": entry.number + 1}
        if entry.number
        else ""
    )
    return Choice(
        value=definition.key,
        label=definition.name,
        words=f"{begins} {again}".strip() if decision.allowed else str(decision.refusal),
        allowed=decision.allowed,
        checked=decision.allowed and definition.key == chosen,
    )


def consequence(stage: Stage) -> str:
    """What being in this stage means from then on."""
    if stage.is_blocking:
        return _("Nothing moves on until a therapist reviews it.")
    if stage.is_closed:
        return _("The journey ends here. To begin again, the patient is enrolled anew.")
    turns = {
        Turn.PATIENT: _("Then it is the patient's turn."),
        Turn.THERAPIST: _("Then it is the therapist's turn."),
        Turn.PRACTICE: _("Then it is the practice's turn."),
    }
    return stage.help or turns.get(Turn(stage.whose_turn), "")
