"""The guards of this floor: every move is an event; what was published or decided stays; no task
says that nobody has reviewed a block once somebody has.
"""

from __future__ import annotations

from typing import Final

from journeys.guard_catalog import Guard


def _kept(table: str, constraint: str) -> Guard:
    return Guard(
        table,
        constraint,
        "BEFORE DELETE OR UPDATE OR TRUNCATE",
        "kura_append_only",
        each="STATEMENT",
        argument=constraint,
    )


KEPT: Final = (
    _kept("automation_rule_versions", "rule_version_append_only"),
    _kept("event_decisions", "event_decision_append_only"),
)
GUARDS: Final = (
    *KEPT,
    Guard(
        "journey_logs",
        "moves_are_events",
        "AFTER INSERT",
        "kura_moves_are_events",
        each="STATEMENT",
        sees="moves",
    ),
    Guard("block_reviews", "block_reviewed", "AFTER INSERT", "kura_block_reviewed"),
    Guard(
        "journey_logs",
        "block_lifted",
        "AFTER INSERT",
        "kura_block_lifted",
        when="(((new.actor_kind)::text = 'user'::text) AND (new.reason_code IS NOT NULL) "
        "AND (new.from_stage IS NOT NULL))",
    ),
)
