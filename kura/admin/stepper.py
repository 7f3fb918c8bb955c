"""The stages of a journey as the patient's page draws them: a few words for each, and no more
than fit on a line.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.utils.functional import Promise
from django.utils.text import Truncator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from kura.admin.moments import when
from kura.standing.journey import JourneyView
from kura.standing.stepper import Step, StepState
from kura.standing.steps_ahead import duration_words

MOST: Final = 7  # stages on a line; of more, those around the person, the first and the last
LONGEST: Final = 60  # characters below a stage
_WORDS: Final[dict[StepState, Promise]] = {
    StepState.DONE: gettext_lazy("Completed"),
    StepState.CURRENT: gettext_lazy("Active now"),
    StepState.BLOCKED: gettext_lazy("Blocked here"),
    StepState.TODO: gettext_lazy("Pending"),
    StepState.SKIPPED: gettext_lazy("Passed over"),
}
_HERE: Final = frozenset({StepState.CURRENT, StepState.BLOCKED})


@dataclass(frozen=True, kw_only=True, slots=True)
class StepShown:
    """`state`: a StepState, or "gap" for stages that are not shown, whose names are the label."""

    state: str
    sign: str
    label: str
    word: str = ""
    note: str = ""
    here: bool = False


@dataclass(frozen=True, slots=True)
class Stepper:
    label: str
    steps: Sequence[StepShown]

    @property
    def is_long(self) -> bool:
        """The names need smaller letters."""
        return len(self.steps) >= MOST


def stepper_of(view: JourneyView, now: datetime) -> Stepper:
    steps = view.stages
    kept = _kept(steps)
    shown: list[StepShown] = []
    hidden: list[Step] = []
    for index, step in enumerate(steps):
        if index not in kept:
            hidden.append(step)
            continue
        if hidden:
            shown.append(_gap(hidden))
            hidden = []
        shown.append(_step(step, index + 1, view, now))
    return Stepper(_progress(view), shown)


def _kept(steps: Sequence[Step]) -> set[int]:
    everything = set(range(len(steps)))
    if len(steps) <= MOST:
        return everything
    here = _place(steps)
    return everything & {0, here - 1, here, here + 1, len(steps) - 1}


def _place(steps: Sequence[Step]) -> int:
    """Where the person is; in a closed journey the last stage that they were in."""
    reached = [i for i, step in enumerate(steps) if step.state is StepState.DONE]
    here = [i for i, step in enumerate(steps) if step.state in _HERE]
    return (here or reached[-1:] or [0])[0]


def _gap(hidden: Sequence[Step]) -> StepShown:
    number = len(hidden)
    words = ngettext("%(number)s more stage", "%(number)s more stages", number)
    return StepShown(
        state="gap",
        sign=f"+{number}",
        label=words % {"number": number},
        word=", ".join(step.label for step in hidden),
    )


def _step(step: Step, number: int, view: JourneyView, now: datetime) -> StepShown:
    return StepShown(
        state=step.state.value,
        sign=str(number),
        label=_("%(stage)s (retired)") % {"stage": step.label} if step.retired else step.label,
        word=str(_WORDS[step.state]),
        note=_note(step, view, now),
        here=step.state in _HERE,
    )


def _note(step: Step, view: JourneyView, now: datetime) -> str:
    if step.state is StepState.BLOCKED and view.blocked:
        reason = Truncator(view.blocked.reason).chars(LONGEST)
        return f"{reason} · {when(view.blocked.since, now).words}"
    if step.state is StepState.CURRENT and view.is_open:
        return _here(step, view, now)
    if step.state is StepState.TODO:
        return _ahead(step, view)
    return when(step.entered_at, now).words if step.entered_at else ""


def _here(step: Step, view: JourneyView, now: datetime) -> str:
    told = {"time": duration_words(now - view.entered_at)}
    if step.limit is None:
        return _("for %(time)s") % told
    told["limit"] = duration_words(step.limit)
    return _("%(time)s · limit %(limit)s") % told


def _ahead(step: Step, view: JourneyView) -> str:
    if step.limit is not None:
        return _("Limit %(limit)s") % {"limit": duration_words(step.limit)}
    missing = [
        one.words
        for option in view.allowed_transitions
        for one in option.missing
        if option.to_stage == step.code
    ]
    if not missing:
        return ""
    return Truncator(_("Needs: %(missing)s") % {"missing": "; ".join(missing)}).chars(LONGEST)


def _progress(view: JourneyView) -> str:
    told = {"journey": view.template_name, "done": view.progress.done, "all": view.progress.total}
    if view.blocked:
        words = _("Progress of %(journey)s: %(done)s of %(all)s stages completed, blocked")
    else:
        words = _("Progress of %(journey)s: %(done)s of %(all)s stages completed")
    return words % told
