"""The guards of this floor: what was published, and what people decided, stays as it was."""

from __future__ import annotations

from typing import Final

from journeys.guard_catalog import Guard

GUARDS: Final = tuple(
    Guard(
        table,
        constraint,
        "BEFORE DELETE OR UPDATE OR TRUNCATE",
        "kura_append_only",
        each="STATEMENT",
        argument=constraint,
    )
    for table, constraint in (
        ("automation_rule_versions", "rule_version_append_only"),
        ("automation_rule_switches", "rule_switch_append_only"),
        ("event_decisions", "event_decision_append_only"),
    )
)
