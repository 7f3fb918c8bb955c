"""Does a rule ask for something because nobody has reviewed the block? Then a review answers it.

Only if it needs that for certain: said by the rule itself, of a stage that is on hold, and not as
one way of several. What a rule asks for any other reason is still to do when somebody has looked.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from automation.actions.about import About
from automation.actions.base import Doing
from automation.judging import TIMEOUT
from journeys.models.review import BlockReview
from kura.conditions import Leaf, Node, parse

REVIEWED_AT: Final = "journey.reviewed_at"


def rests_on_no_review(doing: Doing, told: About) -> bool:
    """Of the time-out of an on-hold stage. `told`: the visit, which still stands."""
    return (
        doing.event.event_type == TIMEOUT
        and doing.practice.is_blocking(told.journey_key, told.stage)
        and asks_for_no_review(doing.rule.conditions)
    )


def asks_for_no_review(conditions: dict[str, Any]) -> bool:
    """Is it needed that `journey.reviewed_at` does not exist? Raises InvalidCondition."""
    return any(
        (leaf.field, leaf.op, leaf.value) == (REVIEWED_AT, "exists", False)
        for leaf in _needed(parse(conditions))
    )


def _needed(node: Node | None) -> Iterator[Leaf]:
    """Leaves without which the whole is not met: alternatives are left aside."""
    if isinstance(node, Leaf):
        yield node
    elif node is not None and node.kind == "all":
        for part in node.parts:
            yield from _needed(part)


def is_reviewed(told: About) -> bool:
    """Somebody has looked at this visit of the block since."""
    reviews = BlockReview.objects.filter(enrollment=told.enrollment_id)
    return told.seq is not None and reviews.filter(seq=told.seq).exists()
