"""What a new template begins with, for who does not want to begin from an empty page.

Complete journeys that work as they are: every stage can be reached and left, each can be blocked,
and a block has ways out. It is no way round a questionnaire or a payment, only round a risk that a
person has judged. The editor makes of them what the practice needs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from journeys.blueprints import MoveDraft, StageDraft, stages_from_codes

_FORM: Final = {"field": "events.FORM_SUBMISSION_COMPLETED.count", "op": "gte", "value": 1}
_NO_HIGH_RISK: Final = {
    "field": "events.RISK_ANALYSIS_COMPLETED.last.risk_level",
    "op": "in",
    "value": ["LOW", "MEDIUM"],
}
_PAID: Final = {"field": "events.PAYMENT_SUCCEEDED.count", "op": "gte", "value": 1}
_FREELY: Final[Mapping[str, Any]] = {}


@dataclass(frozen=True, kw_only=True, slots=True)
class Start:
    """`stages`: in order; the first one is where patients begin."""

    key: str
    label: Promise
    stages: Sequence[StageDraft]
    moves: Sequence[MoveDraft]

    @property
    def way(self) -> str:
        """The stages by name, as a person reads them."""
        return ", ".join(stage.label for stage in self.stages)


def _moves(way: Mapping[str, Mapping[str, Any]], first: str, block: str) -> Iterator[MoveDraft]:
    """`way`: the stages that are passed, each with the condition for the next one; then the end."""
    passed = [*way]
    entered_if = dict(zip(passed[1:], way.values(), strict=False))
    yield MoveDraft(from_stage=None, to_stage=first)
    for here, there in zip(passed, [*passed[1:], "COMPLETED"], strict=True):
        yield MoveDraft(from_stage=here, to_stage=there, guard=way[here])
        yield MoveDraft(from_stage=here, to_stage=block)
        yield MoveDraft(from_stage=here, to_stage="CANCELLED")
    for back in (*passed, "CANCELLED"):
        guard = entered_if.get(back, _FREELY)
        if guard is _NO_HIGH_RISK:
            guard = _FREELY  # whoever lifts the block has judged the risk
        yield MoveDraft(from_stage=block, to_stage=back, guard=guard, requires_reason=True)


def _start(key: str, label: Promise, block: str, way: Mapping[str, Mapping[str, Any]]) -> Start:
    codes = [*way, "COMPLETED", block, "CANCELLED"]
    return Start(
        key=key,
        label=label,
        stages=stages_from_codes(codes),
        moves=tuple(_moves(way, codes[0], block)),
    )


STARTS: Final = {
    one.key: one
    for one in (
        _start(
            "simple",
            _("A simple journey"),
            "BLOCKED",
            {"PENDING": _FREELY, "CONFIRMED": _FREELY},
        ),
        _start(
            "screening",
            _("With a questionnaire, a risk analysis and a payment"),
            "BLOCKED_HIGH_RISK",
            {
                "SCREENING_PENDING": _FORM,
                "SCREENING_COMPLETED": _NO_HIGH_RISK,
                "AWAITING_PAYMENT": _PAID,
                "CONFIRMED": _FREELY,
            },
        ),
    )
}
