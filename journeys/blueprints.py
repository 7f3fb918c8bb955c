"""What somebody wants a template to be, and what is wrong with it. Pure: no I/O.

All problems are found at once, each one sentence that names the cause and the way out.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from django.utils.translation import get_language
from django.utils.translation import gettext as _

from journeys.fields import guard_field
from journeys.models.template import (
    CLOSED_STATUSES,
    CODE_PATTERN,
    KEY_PATTERN,
    StageStatus,
    Turn,
)
from journeys.vocabulary import standard_stage
from kura.conditions import InvalidCondition, validate

MAX_HELP: Final = 2000  # characters; a stage's help is read at a glance, not a handbook
MAX_PERMISSION: Final = 120  # characters, as the column has


@dataclass(frozen=True, kw_only=True, slots=True)
class StageDraft:
    code: str
    label_es: str
    label_en: str
    status: StageStatus = StageStatus.ACTIVE
    whose_turn: Turn = Turn.PRACTICE
    help_es: str = ""
    help_en: str = ""

    @property
    def label(self) -> str:
        """The name in the reader's language, or else in the other one, or else the code."""
        names = (self.label_es, self.label_en)
        first, second = names[::-1] if (get_language() or "").startswith("en") else names
        return first or second or self.code


@dataclass(frozen=True, kw_only=True, slots=True)
class MoveDraft:
    """`from_stage` None is enrollment."""

    from_stage: str | None
    to_stage: str
    guard: Mapping[str, Any] = field(default_factory=dict)
    requires_reason: bool = False
    permission: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Blueprint:
    """A whole template as wanted. `endless`: the manager confirmed that no stage closes it."""

    key: str
    name: str
    initial_stage: str
    stages: Sequence[StageDraft]
    moves: Sequence[MoveDraft] = ()
    is_active: bool = True
    endless: bool = False

    @property
    def codes(self) -> list[str]:
        return [stage.code for stage in self.stages]


def stages_from_codes(codes: Iterable[str]) -> list[StageDraft]:
    """Spec 2.2: `allowed_stages` as bare codes, each with the meaning the specification gives."""
    return [
        StageDraft(
            code=known.code,
            label_es=known.label_es,
            label_en=known.label_en,
            status=known.status,
            whose_turn=known.whose_turn,
        )
        for known in map(standard_stage, codes)
    ]


def problems_of(blueprint: Blueprint) -> list[str]:
    """Everything that keeps this template from being saved, in words; empty when nothing does."""
    return [
        *_naming(blueprint),
        *_stages(blueprint),
        *_beginning_and_end(blueprint),
        *_moves(blueprint),
    ]


def _naming(blueprint: Blueprint) -> Iterator[str]:
    if not re.fullmatch(KEY_PATTERN[1:-1], blueprint.key):
        yield _("A key has 1 to 60 small letters, digits, hyphens or underscores.")
    if not blueprint.name.strip():
        yield _("The template needs a name.")
    if not _fits(blueprint.name, 200):
        yield _("The template's name is too long, or has characters that cannot be stored.")


def _stages(blueprint: Blueprint) -> Iterator[str]:
    for code, times in Counter(blueprint.codes).items():
        if times > 1:
            yield _("The stage %(code)s is listed twice.") % {"code": code}
        if not re.fullmatch(CODE_PATTERN[1:-1], code):
            yield _("“%(code)s” is no stage code: use capital letters, digits and underscores.") % {
                "code": code
            }
    for stage in blueprint.stages:
        if not (stage.label_es.strip() and stage.label_en.strip()):
            yield _("The stage %(code)s needs a name in both languages.") % {"code": stage.code}
        if not (_fits(stage.label_es, 120) and _fits(stage.label_en, 120)):
            yield _("A name of the stage %(code)s is too long, or cannot be stored.") % {
                "code": stage.code
            }
        if not (_fits(stage.help_es, MAX_HELP) and _fits(stage.help_en, MAX_HELP)):
            yield _("A help text of the stage %(code)s is too long, or cannot be stored.") % {
                "code": stage.code
            }
        if stage.status not in StageStatus.values or stage.whose_turn not in Turn.values:
            yield _("The stage %(code)s has an unknown status or turn.") % {"code": stage.code}


def _fits(text: str, longest: int) -> bool:
    """PostgreSQL stores neither NUL nor half a character (a lone surrogate)."""
    storable = "\x00" not in text and not any("\ud800" <= letter <= "\udfff" for letter in text)
    return storable and len(text) <= longest


def _beginning_and_end(blueprint: Blueprint) -> Iterator[str]:
    if not blueprint.stages:
        yield _("The template needs at least one stage.")
        return
    if blueprint.initial_stage not in blueprint.codes:
        yield _(
            "The initial stage %(initial)s is not among the allowed stages (%(allowed)s). "
            "Add it to them or choose another."
        ) % {"initial": blueprint.initial_stage or "–", "allowed": ", ".join(blueprint.codes)}
    closed = any(stage.status in CLOSED_STATUSES for stage in blueprint.stages)
    if not (closed or blueprint.endless):
        yield _(
            "No stage finishes or cancels this journey, so nobody would ever leave it. "
            "Add one, or confirm that the journey has no end."
        )


def _moves(blueprint: Blueprint) -> Iterator[str]:
    status_of = {stage.code: stage.status for stage in blueprint.stages}
    for (start, end), times in Counter((m.from_stage, m.to_stage) for m in blueprint.moves).items():
        if times > 1:
            yield _("The move %(move)s is listed twice.") % {"move": _arrow(start, end)}
    for move in blueprint.moves:
        yield from _move(move, status_of)


def _move(move: MoveDraft, status_of: Mapping[str, StageStatus]) -> Iterator[str]:
    arrow = _arrow(move.from_stage, move.to_stage)
    ends = [code for code in (move.from_stage, move.to_stage) if code is not None]
    for code in ends:
        if code not in status_of:
            yield _("The move %(move)s names %(code)s, which is no stage of this template.") % {
                "move": arrow,
                "code": code,
            }
    if move.from_stage == move.to_stage:
        yield _("The move %(move)s goes nowhere.") % {"move": arrow}
    if status_of.get(move.from_stage or "") in CLOSED_STATUSES:
        yield _("The move %(move)s leaves a stage that closes the journey.") % {"move": arrow}
    if not _fits(move.permission, MAX_PERMISSION):
        yield _("The permission of %(move)s is too long, or cannot be stored.") % {"move": arrow}
    yield from _guard(move, arrow)


def _guard(move: MoveDraft, arrow: str) -> Iterator[str]:
    try:
        validate(move.guard, guard_field)
    except InvalidCondition as error:
        for problem in error.errors:
            yield _("The guard of %(move)s: %(problem)s (%(place)s)") % {
                "move": arrow,
                "problem": problem.message,
                "place": problem.pointer or "/",
            }


def _arrow(start: str | None, end: str) -> str:
    return f"{start or _('enrollment')} → {end}"
