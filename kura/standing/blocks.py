"""Of a block: what set it, said shortly, and who has looked at it since and kept it.

The one reading of both, for the panel, the list of patients, their page and "why did it not move?":
where it is read a second time it would sooner or later say something else. Facts are kept apart
from words, since what an event told is not for everybody (`reason_words`).
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from automation.fields import rule_fields
from automation.selectors.event_page import Sight
from automation.values import in_language, label_of, value_words
from journeys.event_types import event_type
from journeys.selectors.history import event_label, reason_label
from journeys.selectors.positions import as_array
from kura import tenancy
from kura.conditions import Field, InvalidCondition, Leaf, describe_leaf, parse
from kura.conditions.tree import leaves
from kura.prepared import prepared_cursor

MOST_FACTS: Final = 3  # of one reason
_TOLD_BY_EVENTS: Final = ("event.payload.", "events.")
_NOT: Final = frozenset({"ne", "not_in"})
# Which stage it was, is where the patient stood, and not why they were stopped.
_PLACES: Final = frozenset(
    {"event.payload.stage", "event.payload.from_stage", "event.payload.to_stage"}
)


@dataclass(frozen=True, slots=True)
class Kept:
    """`by`: a name."""

    by: str
    at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class BlockTold:
    """`reason`: of a person, in words or by its kind. `judged`: the conditions of the rule's run,
    as they are kept; `asked`: the tree of the version that ran. `payload`: what the event said.

    Each is empty where nothing is known. `kept`: by whoever looked last at this block, not at one
    before it.
    """

    reason: str
    rule: str
    event_type: str
    judged: Sequence[Mapping[str, Any]]
    asked: object
    payload: Mapping[str, Any]
    kept: Kept | None


# Of an enrollment `e`. The move that blocked is the last one, also where it came from a block.
COLUMNS: Final = """
    block_note.body, block_move.reason_code, block_rule.name, block_event.event_type,
    block_run.conditions, block_version.definition -> 'conditions', block_told.payload,
    block_kept.reviewer, block_kept.reviewed_at
"""
WIDTH: Final = COLUMNS.count(",") + 1
JOINS: Final = """
    LEFT JOIN journey_logs block_move ON e.status = 'onhold' AND e.closed_at IS NULL
        AND block_move.enrollment_id = e.id AND block_move.seq = e.seq
    LEFT JOIN journey_log_notes block_note ON block_note.log_id = block_move.id
    LEFT JOIN automation_rules block_rule ON block_rule.id = block_move.rule_id
    LEFT JOIN system_events block_event ON block_event.id = block_move.trigger_event_id
    LEFT JOIN system_event_payloads block_told ON block_told.event_id = block_event.id
    LEFT JOIN rule_runs block_run
        ON block_run.event_id = block_event.id AND block_run.rule_id = block_rule.id
    LEFT JOIN automation_rule_versions block_version
        ON block_version.rule_id = block_rule.id AND block_version.version = block_run.rule_version
    LEFT JOIN LATERAL (
        SELECT coalesce(nullif(u.display_name, ''), u.email) AS reviewer, r.reviewed_at
        FROM block_reviews r JOIN users u ON u.id = r.reviewer_id
        WHERE r.enrollment_id = block_move.enrollment_id AND r.seq = block_move.seq
        ORDER BY r.reviewed_at DESC, r.id DESC LIMIT 1
    ) block_kept ON TRUE
"""
_BLOCKS: Final = f"""
    SELECT e.id, {COLUMNS} FROM journey_enrollments e {JOINS}
    WHERE e.id = ANY(%s::uuid[]) AND e.status = 'onhold' AND e.closed_at IS NULL
        AND (e.organization_id = %s OR %s::boolean)
"""  # noqa: S608  constants


def blocks_of(enrollment_ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, BlockTold]:
    """By enrollment, of those that are blocked. One query; none where nobody is asked about."""
    ids = list(enrollment_ids)
    if not ids:
        return {}
    home = tenancy.organization_in_scope()
    with prepared_cursor() as cursor:
        cursor.execute(_BLOCKS, [as_array(ids), home, home is None])
        return {row[0]: block_from(row[1:]) for row in cursor.fetchall()}


def block_from(columns: Sequence[Any]) -> BlockTold:
    """From what COLUMNS reads."""
    note, code, rule, event, judged, asked, payload, reviewer, reviewed_at = columns
    return BlockTold(
        reason=note or reason_label(code),
        rule=rule or "",
        event_type=event or "",
        judged=judged or (),
        asked=asked or {},
        payload=payload or {},
        kept=Kept(reviewer, reviewed_at) if reviewed_at else None,
    )


# --- in words -----------------------------------------------------------------------------------


def reason_words(block: BlockTold, sight: Sight) -> str:
    """Why, as shortly as it can be said truly; "" if nothing is known.

    What a person wrote; else what the rule found ("high risk"), in the words of its author if it
    has any; where no rule decided, what the event itself says; else the name of the rule, or what
    happened. A rule that did not ask was not led by what the event says.
    """
    found = dict.fromkeys(_found(block, sight) if block.rule else _said(block, sight))
    facts = ", ".join([*found][:MOST_FACTS])
    event = event_label(block.event_type) if block.event_type else ""
    return block.reason or facts or block.rule or event


def _found(block: BlockTold, sight: Sight) -> Iterator[str]:
    """Of the conditions that were met those that say something."""
    labels, field_at = _labels(block.asked), rule_fields(block.event_type)
    for one in block.judged:
        if one.get("result") is not True:
            continue
        path = one["field"]
        labelled = labels.get((one.get("pointer", ""), path))
        if labelled:
            yield describe_leaf(labelled, None)
        elif path.startswith(_TOLD_BY_EVENTS) and path not in _PLACES and sight.of(path):
            yield from _fact(path, field_at(path), one)


def _fact(path: str, field: Field | None, one: Mapping[str, Any]) -> Iterator[str]:
    """That something else was not the case explains nothing, unless its values speak."""
    actual = one.get("actual")
    spoken = field.says.get(actual) if field and field.says and isinstance(actual, str) else None
    if spoken:
        yield in_language(spoken)
    elif actual is not None and one.get("op") not in _NOT:
        name = label_of(field, path)
        yield name if actual is True else f"{name}: {value_words(actual, field)}"


def _said(block: BlockTold, sight: Sight) -> Iterator[str]:
    for name, part in event_type(block.event_type).payload.items() if block.event_type else ():
        value = block.payload.get(name)
        spoken = part.says.get(value) if part.says and isinstance(value, str) else None
        if spoken and sight.of(f"event.payload.{name}"):
            yield in_language(spoken)


def _labels(asked: object) -> dict[tuple[str, str], Leaf]:
    """The conditions to which the rule's author gave words, by pointer and path."""
    try:
        tree = parse(asked)
    except InvalidCondition:
        return {}
    found = leaves(tree) if tree else ()
    return {(leaf.pointer, leaf.field): leaf for leaf in found if leaf.label}
