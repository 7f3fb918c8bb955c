"""What a manager should know before a template is saved. Pure: no I/O.

Two kinds: a problem keeps it from being saved, a caution only wants to be confirmed. A caution
is about what the guards will make of the template (`journeys/guards.py`): into a block there
always is a way, out of one always the way back, and without any move every move is allowed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Final

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from journeys import errors
from journeys.blueprints import Blueprint, StageDraft, problems_of
from journeys.models.template import CLOSED_STATUSES, StageStatus


@dataclass(frozen=True, slots=True)
class Usage:
    """Of a stage: how many patients stand there now, and whether anybody ever did."""

    standing: int = 0
    in_history: bool = False


NOT_USED: Final = Usage()


@dataclass(frozen=True, slots=True)
class Caution:
    """`code` for programs; `stage`: which one it is about, '' for the whole template."""

    code: str
    stage: str
    words: str


@dataclass(frozen=True)
class Review:
    problems: Sequence[str]
    cautions: Sequence[Caution] = field(default=())

    @cached_property
    def seal(self) -> str:
        """Names exactly these cautions: a confirmation of others is none of these."""
        named = ";".join(sorted(f"{one.code}:{one.stage}" for one in self.cautions))
        return hashlib.sha256(named.encode()).hexdigest()[:16]


def review(
    wanted: Blueprint,
    *,
    before: Blueprint | None = None,
    usage: Mapping[str, Usage] | None = None,
) -> Review:
    """Everything at once. `usage` by stage code, of the template as it is now."""
    used = usage or {}
    problems = problems_of(replace(wanted, endless=True))
    if before:
        problems += _collisions(wanted, before, used)
    cautions = [*_beginning(wanted), *_end(wanted, before), *_graph(wanted, used)]
    if before:
        cautions += _taken_away(wanted, before, used)
    return Review(problems, [] if problems else cautions)


# --- what is refused --------------------------------------------------------------------------


def _collisions(wanted: Blueprint, before: Blueprint, usage: Mapping[str, Usage]) -> Iterator[str]:
    """What the database would refuse, in the same words."""
    status_of = {stage.code: stage.status for stage in wanted.stages}
    for stage in before.stages:
        used = usage.get(stage.code, NOT_USED)
        stays, redefined = stage.code in status_of, status_of.get(stage.code) != stage.status
        context = {"stage": stage.label, "stage_code": stage.code}
        if redefined and used.standing:
            yield str(errors.StageInUse(**context, standing=used.standing))
        elif stays and redefined and used.in_history:
            yield str(errors.StageInHistory(**context))


# --- what wants to be confirmed -----------------------------------------------------------------


def _beginning(wanted: Blueprint) -> Iterator[Caution]:
    for stage in wanted.stages:
        if stage.code != wanted.initial_stage:
            continue
        if stage.status == StageStatus.ON_HOLD:
            words = _(
                "Patients begin in “%(stage)s”, which is on hold: each new patient waits for a "
                "therapist at once."
            )
            yield _about("initial_on_hold", stage, words)
        if stage.status in CLOSED_STATUSES:
            words = _(
                "Patients begin in “%(stage)s”, which ends the journey: each enrollment is over "
                "as soon as it begins."
            )
            yield _about("initial_closed", stage, words)


def _end(wanted: Blueprint, before: Blueprint | None) -> Iterator[Caution]:
    """An end that was missing already was confirmed already."""
    statuses = {stage.status for stage in wanted.stages}
    if not statuses & CLOSED_STATUSES:
        if before is None or not before.endless:
            words = _("No stage finishes or cancels this journey: nobody ever leaves it.")
            yield Caution("no_end", "", words)
    elif StageStatus.FINISHED not in statuses:
        words = _("No stage has the status “finished”: this journey can only be cancelled.")
        yield Caution("no_finished_stage", "", words)


def _graph(wanted: Blueprint, usage: Mapping[str, Usage]) -> Iterator[Caution]:
    if not wanted.moves:
        return
    reachable, leavable = reachable_stages(wanted), {move.from_stage for move in wanted.moves}
    for stage in wanted.stages:
        if stage.code not in reachable:
            words = _("No move leads to “%(stage)s”: nobody gets there.")
            yield _about("unreachable", stage, words)
        if stage.code in leavable or stage.status in CLOSED_STATUSES:
            continue
        if stage.status == StageStatus.ON_HOLD:
            words = _(
                "No move leads out of “%(stage)s”: a therapist can only send the patient back "
                "to where they stood before the block."
            )
            yield _about("block_without_exit", stage, words)
        else:
            yield _dead_end(stage, usage.get(stage.code, NOT_USED).standing)


def _dead_end(stage: StageDraft, standing: int) -> Caution:
    words = _("No move leads out of “%(stage)s”: whoever is there can only be blocked.")
    if not standing:
        return _about("dead_end", stage, words)
    there = ngettext(
        "%(count)s patient is there now.", "%(count)s patients are there now.", standing
    )
    return _about("dead_end", stage, f"{words} {there % {'count': standing}}")


def _taken_away(
    wanted: Blueprint, before: Blueprint, usage: Mapping[str, Usage]
) -> Iterator[Caution]:
    if before.moves and not wanted.moves:
        words = _("No moves are left: patients may then go from every stage to every other one.")
        yield Caution("graph_removed", "", words)
    for stage in before.stages:
        if stage.code not in wanted.codes and usage.get(stage.code, NOT_USED).in_history:
            words = _(
                "“%(stage)s” is in patients' histories: it is retired, and the histories keep it."
            )
            yield _about("retires", stage, words)


def reachable_stages(blueprint: Blueprint) -> set[str]:
    """Where a patient can come to: along the moves, and into a block from everywhere."""
    doors = [move.to_stage for move in blueprint.moves if move.from_stage is None]
    blocks = [one.code for one in blueprint.stages if one.status == StageStatus.ON_HOLD]
    found: set[str] = set()
    waiting = [blueprint.initial_stage, *doors, *blocks]
    while waiting:
        here = waiting.pop()
        if here not in found:
            found.add(here)
            waiting += [move.to_stage for move in blueprint.moves if move.from_stage == here]
    return found


def _about(code: str, stage: StageDraft, words: str) -> Caution:
    return Caution(code, stage.code, words % {"stage": stage.label})
