"""What an edit changes, one sentence for each difference."""

from __future__ import annotations

from dataclasses import replace

import pytest
from django.utils import translation

from journeys.blueprints import Blueprint, MoveDraft, stages_from_codes
from journeys.comparison import changes_between
from journeys.models import StageStatus, Turn
from kura.demo.archetypes import ARCHETYPES, PAID

PENDING, CONFIRMED, COMPLETED = stages_from_codes(["PENDING", "CONFIRMED", "COMPLETED"])
GO = MoveDraft(from_stage="PENDING", to_stage="CONFIRMED")
END = MoveDraft(from_stage="CONFIRMED", to_stage="COMPLETED")
BEFORE = Blueprint(
    key="intake", name="Intake", initial_stage="PENDING", stages=[PENDING, CONFIRMED, COMPLETED],
    moves=[GO, END],
)  # fmt: skip
WAITING = replace(PENDING, code="WAITING", label_es="En cola", label_en="Queued")


def told(**changes: object) -> list[str]:
    with translation.override("en"):
        return changes_between(BEFORE, replace(BEFORE, **changes))


@pytest.mark.parametrize("blueprint", ARCHETYPES, ids=lambda one: one.key)
def test_the_same_template_has_no_changes(blueprint):
    again = replace(blueprint, moves=list(reversed(blueprint.moves)), is_active=False)

    assert changes_between(blueprint, again) == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"name": "Welcome"}, "“Intake” becomes “Welcome”"),
        ({"initial_stage": "CONFIRMED"}, "begin in “Confirmed” instead of “Pending”"),
        ({"stages": [*BEFORE.stages, WAITING]}, "New stage: “Queued” (planned)."),
        ({"stages": [PENDING, CONFIRMED]}, "The stage “Completed” goes."),
        ({"stages": [CONFIRMED, PENDING, COMPLETED]}, "becomes: Confirmed, Pending, Completed."),
        (
            {"stages": [replace(PENDING, label_en="New"), CONFIRMED, COMPLETED]},
            "named “Pendiente” in Spanish and “New” in English",
        ),
        (
            {"stages": [replace(PENDING, status=StageStatus.ON_HOLD), CONFIRMED, COMPLETED]},
            "planned becomes on hold",
        ),
        (
            {"stages": [replace(PENDING, whose_turn=Turn.PATIENT), CONFIRMED, COMPLETED]},
            "In “Pending” it is the turn of: patient.",
        ),
        (
            {"stages": [replace(PENDING, help_en="Wait."), CONFIRMED, COMPLETED]},
            "help text of “Pending”",
        ),
        ({"moves": [GO]}, "The move Confirmed → Completed goes."),
        (
            {"moves": [GO, END, MoveDraft(from_stage=None, to_stage="CONFIRMED", guard=PAID)]},
            "New move: enrollment → Confirmed (payment received).",
        ),
        (
            {"moves": [replace(GO, guard=PAID, requires_reason=True, permission="x.y"), END]},
            "; then, payment received; with a reason; with the permission x.y.",
        ),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_each_difference_is_one_sentence(changes, words):
    [sentence] = told(**changes)

    assert words in sentence
    assert sentence.endswith(".")


def test_a_guard_that_nobody_can_read_is_told_and_no_error():
    broken = replace(GO, guard={"field": "x", "op": "nonsense", "value": 1})

    [sentence] = told(moves=[broken, END])

    assert "cannot be used" in sentence
