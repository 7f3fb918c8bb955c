"""The graph of a template as a drawing: stages in their order, one below the other.

To the stage right below an arrow goes straight; all others run beside the column, forward on the
right and back on the left. Moves to the same stage share one lane, so that a template with thirty
moves is drawn with as many lanes as it has targets at most. The same template always gives the
same picture. Whole numbers only: they are written into SVG, where a decimal comma is an error.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from journeys.admin.badges import KINDS, Badge, badge_of_draft
from journeys.blueprints import Blueprint, StageDraft
from journeys.models.template import StageStatus, Turn
from journeys.review import reachable_stages

# In the units of the drawing: CSS pixels at its natural size.
MARGIN: Final = 14
BOX_WIDTH: Final = 236
GAP: Final = 34  # between two boxes: room for an arrow and its mark
NEAREST_LANE: Final = 34  # from the box's edge; room for a mark and an arrow's head
LANE: Final = 15
PORT: Final = 14  # between two lines that meet a box on one side
BEND: Final = 6  # radius of a corner
LINE: Final = 18  # of text
START_HEIGHT: Final = 32
LONGEST: Final = 22  # characters of a label that fit into one line of a box


@dataclass(frozen=True, slots=True)
class Box:
    """A stage, or where patients enter (`badge` None). `top` and `left` are its corner."""

    left: int
    top: int
    height: int
    lines: Sequence[tuple[int, str]]  # baseline and words
    below: tuple[int, str]
    badge: Badge | None
    is_lost: bool
    width: int = BOX_WIDTH

    @property
    def text_left(self) -> int:
        return self.left + 36

    @property
    def icon_left(self) -> int:
        return self.left + 12

    @property
    def icon_top(self) -> int:
        return self.top + 12


@dataclass(frozen=True, slots=True)
class Arrow:
    """`path` and `head` as SVG reads them; `mark`: where a condition's diamond stands."""

    kind: str
    path: str
    head: str
    mark: str


@dataclass(frozen=True, slots=True)
class Picture:
    width: int
    height: int
    boxes: Sequence[Box]
    arrows: Sequence[Arrow]

    @property
    def has_marks(self) -> bool:
        return any(arrow.mark for arrow in self.arrows)


@dataclass(frozen=True, slots=True)
class _Edge:
    """From one row of the column to another; row 0 is where patients enter."""

    start: int
    end: int
    is_guarded: bool

    @property
    def side(self) -> int:
        """0 straight down, 1 right, -1 left."""
        if self.end == self.start + 1:
            return 0
        return 1 if self.end > self.start else -1


def picture_of(blueprint: Blueprint, entrance: str) -> Picture:
    """`entrance`: what the place is called where patients enter."""
    return _Drawing(blueprint, entrance).picture()


class _Drawing:
    def __init__(self, blueprint: Blueprint, entrance: str) -> None:
        self.stages = list(blueprint.stages)
        self.entrance = entrance
        self.edges = _edges(blueprint)
        reachable = reachable_stages(blueprint) if blueprint.moves else set(blueprint.codes)
        self.lost = {stage.code for stage in self.stages} - reachable
        self.lanes = {side: _lanes(self.edges, side) for side in (1, -1)}
        self.left = MARGIN + self._beside(-1)
        self.right = self.left + BOX_WIDTH
        self.boxes = self._boxes()

    def picture(self) -> Picture:
        last = self.boxes[-1]
        return Picture(
            width=self.right + self._beside(1) + MARGIN,
            height=last.top + last.height + MARGIN,
            boxes=self.boxes,
            arrows=[self._arrow(edge) for edge in self.edges],
        )

    def _beside(self, side: int) -> int:
        lanes = self.lanes[side].values()
        return NEAREST_LANE + LANE * max(lanes) if lanes else 0

    # --- the column ---------------------------------------------------------------------------

    def _boxes(self) -> list[Box]:
        boxes = [self._start()]
        for row, stage in enumerate(self.stages, start=1):
            above = boxes[-1]
            boxes.append(self._box(stage, row, above.top + above.height + GAP))
        return boxes

    def _start(self) -> Box:
        height = max(START_HEIGHT, PORT * (len(self._ports(0, 1)) + 1))
        line = (MARGIN + height // 2 + 5, self.entrance)
        return Box(self.left, MARGIN, height, [line], (0, ""), None, is_lost=False)

    def _box(self, stage: StageDraft, row: int, top: int) -> Box:
        label = badge_of_draft(stage)
        lines = textwrap.wrap(label.word, LONGEST, max_lines=2, placeholder="…") or [stage.code]
        text = 20 + LINE * len(lines)
        ports = max(len(self._ports(row, side)) for side in (1, -1))
        status, turn = StageStatus(stage.status).label, Turn(stage.whose_turn).label
        return Box(
            left=self.left,
            top=top,
            height=max(text + 24, PORT * (ports + 1)),
            lines=[(top + 25 + LINE * number, line) for number, line in enumerate(lines)],
            below=(top + text + 8, f"{status} · {turn}"),
            badge=label,
            is_lost=stage.code in self.lost,
        )

    def _ports(self, row: int, side: int) -> list[tuple[str, int]]:
        """Where lines meet a box, in the direction of travel: in first, then out, outer lanes
        before inner ones, so that lines that leave one box never cross each other.
        """
        mine = [edge for edge in self.edges if edge.side == side]
        arriving = [("in", row)] if any(edge.end == row for edge in mine) else []
        targets = {edge.end for edge in mine if edge.start == row}
        outer_first = sorted(targets, key=lambda end: -self.lanes[side][end])
        return [*arriving, *(("out", end) for end in outer_first)]

    def _height_of(self, row: int, side: int, port: tuple[str, int]) -> int:
        box, ports = self.boxes[row], self._ports(row, side)
        step = box.height * (ports.index(port) + 1) // (len(ports) + 1)
        return box.top + (step if side == 1 else box.height - step)

    # --- the lines ----------------------------------------------------------------------------

    def _arrow(self, edge: _Edge) -> Arrow:
        kind = KINDS[StageStatus(self.stages[edge.end - 1].status)]
        return self._beside_the_column(edge, kind) if edge.side else self._straight(edge, kind)

    def _straight(self, edge: _Edge, kind: str) -> Arrow:
        above, below = self.boxes[edge.start], self.boxes[edge.end]
        x, y = self.left + BOX_WIDTH // 2, above.top + above.height
        return Arrow(
            kind,
            path=f"M{x} {y}V{below.top - 7}",
            head=f"M{x} {below.top}l-5 -8h10z",
            mark=_diamond(x, y + 12) if edge.is_guarded else "",
        )

    def _beside_the_column(self, edge: _Edge, kind: str) -> Arrow:
        side = edge.side
        x = self.right if side == 1 else self.left
        lane = x + side * (NEAREST_LANE + LANE * self.lanes[side][edge.end])
        out = self._height_of(edge.start, side, ("out", edge.end))
        into = self._height_of(edge.end, side, ("in", edge.end))
        bend, turn = side * BEND, BEND if into > out else -BEND
        return Arrow(
            kind,
            path=(
                f"M{x} {out}H{lane - bend}q{bend} 0 {bend} {turn}"
                f"V{into - turn}q0 {turn} {-bend} {turn}H{x + side * 7}"
            ),
            head=f"M{x} {into}l{side * 8} -5v10z",
            mark=_diamond(x + side * 12, out) if edge.is_guarded else "",
        )


def _diamond(x: int, y: int) -> str:
    return f"M{x} {y - 6}l6 6l-6 6l-6 -6z"


def _edges(blueprint: Blueprint) -> list[_Edge]:
    """Enrollment in the initial stage is always possible, whether it is listed or not.

    Without any move every move is allowed: then none is drawn.
    """
    rows: Mapping[str | None, int] = {
        None: 0, **{code: row for row, code in enumerate(blueprint.codes, start=1)}
    }  # fmt: skip
    listed = {
        (rows[move.from_stage], rows[move.to_stage]): bool(move.guard)
        for move in blueprint.moves
        if move.from_stage in rows and move.to_stage in rows and move.from_stage != move.to_stage
    }
    if blueprint.initial_stage in rows:
        listed.setdefault((0, rows[blueprint.initial_stage]), False)
    return [_Edge(start, end, guarded) for (start, end), guarded in sorted(listed.items())]


def _lanes(edges: Iterable[_Edge], side: int) -> dict[int, int]:
    """A lane for each target; the short ways get the inner lanes, and no two share a stretch."""
    stretches: dict[int, tuple[int, int]] = {}
    for edge in edges:
        if edge.side == side:
            low, high = stretches.get(edge.end, (edge.end, edge.end))
            stretches[edge.end] = (min(low, edge.start), max(high, edge.start))
    lanes: dict[int, int] = {}
    for target, stretch in sorted(stretches.items(), key=lambda one: _length(one[1])):
        taken = {lanes[other] for other in lanes if _meet(stretch, stretches[other])}
        lanes[target] = next(lane for lane in range(len(taken) + 1) if lane not in taken)
    return lanes


def _length(stretch: tuple[int, int]) -> tuple[int, int]:
    return (stretch[1] - stretch[0], stretch[0])


def _meet(one: tuple[int, int], other: tuple[int, int]) -> bool:
    return one[0] <= other[1] and other[0] <= one[1]
