"""The targets that a page offers: what will happen in each, or in words why it is not possible."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.utils.translation import gettext as _

from journeys.guards import Decision
from journeys.models.template import Turn
from journeys.selectors.definitions import Definition, Stage
from journeys.selectors.options import Entry


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """`words`: the consequence of an allowed target, the reason against an impossible one."""

    value: str
    label: str
    words: str
    allowed: bool = True
    checked: bool = False


def stages(definition: Definition, options: Iterable[Decision], chosen: str) -> list[Choice]:
    """Every other stage, the possible ones first."""
    others = [one for one in options if one.code != "stage_unchanged"]
    made = [_of_stage(definition, one, chosen) for one in others]
    return sorted(made, key=lambda choice: not choice.allowed)


def _of_stage(definition: Definition, option: Decision, chosen: str) -> Choice:
    stage = definition.allowed[option.to_stage]
    return Choice(
        value=option.to_stage,
        label=stage.label,
        words=consequence(stage) if option.allowed else str(option.refusal),
        allowed=option.allowed,
        checked=option.allowed and option.to_stage == chosen,
    )


def all_stages(definition: Definition, chosen: str) -> list[Choice]:
    """Every stage, for many patients at once."""
    return [
        Choice(value=code, label=stage.label, words=consequence(stage), checked=code == chosen)
        for code, stage in definition.allowed.items()
    ]


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
