"""What stands in the editor of a template: text as it was typed, complete or not.

Every button of the page sends all of it; adding, moving and removing a row gives a new draft.
Stages know each other by their codes, so a new stage gets one as soon as it has a name.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Final, TypeVar

from django.core.exceptions import SuspiciousOperation
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from journeys.admin import conditions
from journeys.blueprints import Blueprint, MoveDraft, StageDraft
from journeys.models.template import StageStatus, Turn

# What one page can carry (Django reads 1000 fields of a form); larger templates go through files.
MOST_STAGES: Final = 40
MOST_MOVES: Final = 120
ENTRANCE: Final = "-"  # where a move begins that is an enrollment; no stage code
LONGEST_CODE: Final = 60
DIGITS: Final = 3  # of a row's number

_Row = TypeVar("_Row", "StageRow", "MoveRow")


@dataclass(frozen=True, slots=True)
class StageRow:
    """`was`: the code it had when the page was made; moves still name it by that."""

    code: str = ""
    was: str = ""
    label_es: str = ""
    label_en: str = ""
    status: str = StageStatus.ACTIVE.value
    whose_turn: str = Turn.PRACTICE.value
    help_es: str = ""
    help_en: str = ""

    def as_draft(self) -> StageDraft:
        """Unknown words in the selects count as their first choice until they are corrected."""
        return StageDraft(
            code=self.code,
            label_es=self.label_es.strip(),
            label_en=self.label_en.strip(),
            status=_known(StageStatus, self.status, StageStatus.ACTIVE),
            whose_turn=_known(Turn, self.whose_turn, Turn.PRACTICE),
            help_es=_lines(self.help_es),
            help_en=_lines(self.help_en),
        )


@dataclass(frozen=True, slots=True)
class MoveRow:
    """`start` is ENTRANCE for enrollment. `kept`: JSON of what the page shows and never edits,
    {"guard": {…}, "permission": "…"}.
    """

    start: str = ""
    end: str = ""
    condition: str = conditions.FREE
    reason: str = ""
    kept: str = ""

    @property
    def guard(self) -> Mapping[str, Any]:
        if self.condition == conditions.OWN:
            return dict(_kept(self.kept).get("guard") or {})
        return conditions.guard_of(self.condition)

    @property
    def permission(self) -> str:
        return str(_kept(self.kept).get("permission") or "")

    def as_draft(self) -> MoveDraft:
        return MoveDraft(
            from_stage=None if self.start == ENTRANCE else self.start,
            to_stage=self.end,
            guard=self.guard,
            requires_reason=bool(self.reason),
            permission=self.permission,
        )


@dataclass(frozen=True, slots=True)
class Draft:
    name: str
    initial_stage: str
    stages: Sequence[StageRow]
    moves: Sequence[MoveRow]

    @property
    def named(self) -> list[StageRow]:
        """The stages that can be chosen: those with a code."""
        return [stage for stage in self.stages if stage.code]

    def blueprint(self, before: Blueprint) -> Blueprint:
        """Of what is complete. Key and activity are none of the editor's."""
        known = {stage.code for stage in self.named}
        moves = [move for move in self.moves if {move.start, move.end} <= {*known, ENTRANCE}]
        return Blueprint(
            key=before.key,
            name=self.name.strip(),
            initial_stage=self.initial_stage,
            stages=[stage.as_draft() for stage in self.named],
            moves=[move.as_draft() for move in moves if move.end != ENTRANCE],
            is_active=before.is_active,
            endless=True,
        )


@dataclass(frozen=True, slots=True)
class Edited:
    """A draft after a button, what to say about it, and the element that takes the focus."""

    draft: Draft
    said: str = ""
    focus: str = ""


# --- from the database and from the page ----------------------------------------------------------


def draft_of(blueprint: Blueprint) -> Draft:
    rows: dict[str | None, int] = {
        None: -1,
        **{code: row for row, code in enumerate(blueprint.codes)},
    }
    moves = sorted(
        blueprint.moves, key=lambda move: (rows[move.from_stage], rows.get(move.to_stage, -1))
    )
    return Draft(
        name=blueprint.name,
        initial_stage=blueprint.initial_stage,
        stages=[_stage_row(stage) for stage in blueprint.stages],
        moves=[_move_row(move) for move in moves],
    )


def _stage_row(stage: StageDraft) -> StageRow:
    return StageRow(
        code=stage.code,
        was=stage.code,
        label_es=stage.label_es,
        label_en=stage.label_en,
        status=str(stage.status),
        whose_turn=str(stage.whose_turn),
        help_es=stage.help_es,
        help_en=stage.help_en,
    )


def _move_row(move: MoveDraft) -> MoveRow:
    choice = conditions.choice_of(move.guard)
    guard = move.guard if choice == conditions.OWN else {}
    kept = {"guard": guard, "permission": move.permission}
    return MoveRow(
        start=ENTRANCE if move.from_stage is None else move.from_stage,
        end=move.to_stage,
        condition=choice,
        reason="on" if move.requires_reason else "",
        kept=json.dumps(kept) if guard or move.permission else "",
    )


def posted_draft(data: Mapping[str, Any], taken: Iterable[str]) -> Draft:
    """As the page sent it. `taken`: the codes that a new stage cannot get."""
    stages = _rows(StageRow, data, "stages", MOST_STAGES)
    moves = _rows(MoveRow, data, "moves", MOST_MOVES)
    draft = Draft(data.get("name", ""), data.get("initial_stage", ""), stages, moves)
    return _follow(_coded(draft, set(taken)))


def _rows(kind: type[_Row], data: Mapping[str, Any], prefix: str, most: int) -> list[_Row]:
    count = data.get(f"{prefix}-count", "")
    if not (count.isascii() and count.isdecimal() and len(count) <= DIGITS):
        raise SuspiciousOperation(f"{prefix}-count is no number")
    if int(count) > most:
        raise SuspiciousOperation(f"more than {most} {prefix}")
    return [_row(kind, data, f"{prefix}-{number}") for number in range(int(count))]


def _row(kind: type[_Row], data: Mapping[str, Any], prefix: str) -> _Row:
    return kind(**{one.name: data.get(f"{prefix}-{one.name}", "") for one in fields(kind)})


def _coded(draft: Draft, taken: set[str]) -> Draft:
    """A code for each stage that has a name and no code: made from its English name."""
    taken |= {stage.code for stage in draft.stages}
    stages = []
    for stage in draft.stages:
        name = stage.label_en.strip() or stage.label_es.strip()
        code = stage.code.strip() or (free_code(name, taken) if name else "")
        taken.add(code)
        stages.append(replace(stage, code=code))
    return replace(draft, stages=stages)


def free_code(name: str, taken: set[str]) -> str:
    """Made from the name of a stage; with a number where that is taken."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().upper()
    stem = re.sub(r"[^A-Z0-9]+", "_", plain).strip("_")[: LONGEST_CODE - 4]
    stem = stem if re.match(r"[A-Z]", stem) else f"STAGE_{stem}".rstrip("_")
    numbered = (f"{stem}_{number}" for number in range(2, MOST_STAGES * 10))
    return next(code for code in (stem, *numbered) if code not in taken)


def _follow(draft: Draft) -> Draft:
    """Moves and the initial stage name a stage by its old code; when it has a new one, they
    follow.
    """
    codes = {stage.was: stage.code for stage in draft.stages if stage.was and stage.code}
    moves = [
        replace(move, start=codes.get(move.start, move.start), end=codes.get(move.end, move.end))
        for move in draft.moves
    ]
    stages = [replace(stage, was=stage.code) for stage in draft.stages]
    initial = codes.get(draft.initial_stage, draft.initial_stage)
    return replace(draft, stages=stages, moves=moves, initial_stage=initial)


# --- the buttons --------------------------------------------------------------------------------


def acted(draft: Draft, act: str, before: Blueprint, retired: Sequence[StageDraft]) -> Edited:
    """What a button makes of the draft; a button that is none leaves it as it is."""
    name, _colon, about = act.partition(":")
    if name == "stage-restore":
        return _restored(draft, about, before, retired)
    button = _BUTTONS.get(name)
    if button is None or not (about.isascii() and about.isdecimal() and len(about) <= DIGITS):
        return Edited(draft)
    return button(draft, int(about))


def _stage_added(draft: Draft, _number: int) -> Edited:
    if len(draft.stages) >= MOST_STAGES:
        return Edited(draft, _("This page takes no more stages. Use a file for larger templates."))
    place = len(draft.stages)
    said = _("New stage at the end: number %(place)s.") % {"place": place + 1}
    return Edited(
        replace(draft, stages=[*draft.stages, StageRow()]), said, f"stages-{place}-label_es"
    )


def _stage_up(draft: Draft, number: int) -> Edited:
    return _swapped(draft, number, number - 1)


def _stage_down(draft: Draft, number: int) -> Edited:
    return _swapped(draft, number, number + 1)


def _swapped(draft: Draft, number: int, place: int) -> Edited:
    last = len(draft.stages) - 1
    if not (0 <= number <= last and 0 <= place <= last):
        return Edited(draft)
    stages = list(draft.stages)
    stages[number], stages[place] = stages[place], stages[number]
    way = "up" if place < number else "down"
    focus = {0: "down", last: "up"}.get(place, way)
    said = _("“%(stage)s” is now number %(place)s of %(count)s.") % {
        "stage": stages[place].as_draft().label,
        "place": place + 1,
        "count": last + 1,
    }
    return Edited(replace(draft, stages=stages), said, f"stage-{focus}:{place}")


def _stage_removed(draft: Draft, number: int) -> Edited:
    """Its moves go with it."""
    if number >= len(draft.stages):
        return Edited(draft)
    gone = draft.stages[number]
    stages = [stage for place, stage in enumerate(draft.stages) if place != number]
    moves = [
        move for move in draft.moves if not gone.code or gone.code not in {move.start, move.end}
    ]
    said = _("“%(stage)s” is removed from the draft.") % {"stage": gone.as_draft().label or "–"}
    lost = len(draft.moves) - len(moves)
    if lost:
        also = ngettext("%(count)s move goes with it.", "%(count)s moves go with it.", lost)
        said = f"{said} {also % {'count': lost}}"
    focus = f"stage-remove:{min(number, len(stages) - 1)}" if stages else "stage-add:0"
    return Edited(replace(draft, stages=stages, moves=moves), said, focus)


def _move_added(draft: Draft, _number: int) -> Edited:
    if len(draft.moves) >= MOST_MOVES:
        return Edited(draft, _("This page takes no more moves. Use a file for larger templates."))
    place = len(draft.moves)
    said = _("New move at the end: number %(place)s.") % {"place": place + 1}
    return Edited(replace(draft, moves=[*draft.moves, MoveRow()]), said, f"moves-{place}-start")


def _move_removed(draft: Draft, number: int) -> Edited:
    if number >= len(draft.moves):
        return Edited(draft)
    moves = [move for place, move in enumerate(draft.moves) if place != number]
    focus = f"move-remove:{min(number, len(moves) - 1)}" if moves else "move-add:0"
    said = _("The move number %(number)s is removed from the draft.") % {"number": number + 1}
    return Edited(replace(draft, moves=moves), said, focus)


def _restored(draft: Draft, code: str, before: Blueprint, retired: Sequence[StageDraft]) -> Edited:
    """A stage that was removed or retired, with the moves it had to stages that are here."""
    here = {stage.code for stage in draft.stages}
    found = [stage for stage in (*before.stages, *retired) if stage.code == code]
    if code in here or not found or len(draft.stages) >= MOST_STAGES:
        return Edited(draft)
    known = {None, code, *here}
    edges = {(move.start, move.end) for move in draft.moves}
    back = [_move_row(move) for move in before.moves
            if code in {move.from_stage, move.to_stage}
            and {move.from_stage, move.to_stage} <= known]  # fmt: skip
    moves = [*draft.moves, *(row for row in back if (row.start, row.end) not in edges)]
    place = len(draft.stages)
    said = _("“%(stage)s” is back, at the end.") % {"stage": found[0].label}
    stages = [*draft.stages, _stage_row(found[0])]
    edited = replace(draft, stages=stages, moves=moves[:MOST_MOVES])
    return Edited(edited, said, f"stage-up:{place}" if place else f"stages-{place}-label_es")


_BUTTONS: Final[Mapping[str, Callable[[Draft, int], Edited]]] = {
    "stage-add": _stage_added,
    "stage-up": _stage_up,
    "stage-down": _stage_down,
    "stage-remove": _stage_removed,
    "move-add": _move_added,
    "move-remove": _move_removed,
}


# --- what was typed -------------------------------------------------------------------------------


def _known(kind: Any, word: str, otherwise: Any) -> Any:
    return kind(word) if word in kind.values else otherwise


def _lines(text: str) -> str:
    """A text area sends line breaks as CRLF; stored as one character."""
    return text.replace("\r\n", "\n").strip()


def _kept(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text or "{}")
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
