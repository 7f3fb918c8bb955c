"""What a new template begins with protects patients before anybody has edited it."""

from __future__ import annotations

from journeys.starts import STARTS


def guards_into(stage: str) -> dict[str | None, str]:
    """By the stage before: what has to have happened; "" for nothing."""
    moves = STARTS["screening"].moves
    return {one.from_stage: one.guard.get("field", "") for one in moves if one.to_stage == stage}


def test_nobody_is_confirmed_without_a_payment_not_even_out_of_a_block():
    paid = "events.PAYMENT_SUCCEEDED.count"

    assert guards_into("CONFIRMED") == {"AWAITING_PAYMENT": paid, "BLOCKED_HIGH_RISK": paid}


def test_nobody_pays_before_the_risk_is_known_unless_a_person_has_judged_it():
    assert guards_into("AWAITING_PAYMENT") == {
        "SCREENING_COMPLETED": "events.RISK_ANALYSIS_COMPLETED.last.risk_level",
        "BLOCKED_HIGH_RISK": "",
    }
