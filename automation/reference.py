"""The tables of docs/rules.md, made from the code, so that they cannot be wrong.

`manage.py rules_reference` prints them, `--write docs/rules.md` puts them between their marks.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from automation.actions import ACTIONS
from automation.fields import EVENT_FIELDS
from automation.library import READY_RULES
from journeys.event_types import EVENT_TYPES, AssertedBy, EventType
from journeys.fields import FIXED_FIELDS
from kura.conditions import OPERATORS, Field

_BLOCK: Final = "<!-- {name}: made by `manage.py rules_reference` -->\n{table}\n<!-- end -->"
_MARKED: Final = re.compile(
    r"<!-- (?P<name>[a-z]+): made by [^\n]*-->\n.*?\n<!-- end -->", re.DOTALL
)
_BY: Final = {
    AssertedBy.ANYONE: "anyone",
    AssertedBy.TRUSTED: "staff, integrations",
    AssertedBy.SYSTEM: "Kura itself",
}


def tables() -> dict[str, str]:
    """By the name of their mark."""
    return {
        "events": _table(("event", "means", "recorded by", "about", "payload"), _events()),
        "fields": _table(("field", "type", "Spanish", "English"), _fields()),
        "operators": _table(("operator", "fits", "reads"), _operators()),
        "actions": _table(("action", "means", "params"), _actions()),
        "ready": _table(("code", "name", "what it is for"), _ready()),
    }


def filled(document: str) -> str:
    """The document with every marked table made anew."""
    made = tables()
    return _MARKED.sub(lambda found: block(found["name"], made[found["name"]]), document)


def block(name: str, table: str) -> str:
    return _BLOCK.format(name=name, table=table)


def _table(heads: Iterable[str], rows: Iterable[tuple[str, ...]]) -> str:
    listed = [tuple(heads), *rows]
    lines = ["| " + " | ".join(row) + " |" for row in listed]
    return "\n".join([lines[0], "|" + "---|" * len(listed[0]), *lines[1:]])


def _events() -> Iterator[tuple[str, ...]]:
    for kind in EVENT_TYPES.values():
        payload = ", ".join(_member(kind, name) for name in kind.payload) or "–"
        about = "a journey" if kind.per_journey else "the person"
        yield (f"`{kind.name}`", kind.labels["en"], _BY[kind.asserted_by], about, payload)
    yield ("`CUSTOM.…`", "an event of your own", "anyone", "a journey", "anything, as text")


def _member(kind: EventType, name: str) -> str:
    part = kind.payload[name]
    choices = f": {', '.join(part.choices)}" if part.choices else ""
    return f"`{name}` ({part.type}{', obligatory' if part.required else ''}{choices})"


def _fields() -> Iterator[tuple[str, ...]]:
    for field in (*EVENT_FIELDS.values(), *FIXED_FIELDS.values()):
        yield _named(field)
    yield ("`event.payload.<name>`", "as above", "–", "a member of the trigger's payload")
    yield ("`journeys.<key>`", "string", "–", "the patient's stage in that journey")
    yield ("`events.<TYPE>.count`", "integer", "–", "how often it happened in this enrollment")
    yield ("`events.<TYPE>.last.<name>`", "as above", "–", "a member of the newest one's payload")


def _named(field: Field) -> tuple[str, ...]:
    return (f"`{field.path}`", field.type, field.labels["es"], field.labels["en"])


def _operators() -> Iterator[tuple[str, ...]]:
    for one in OPERATORS.values():
        reads = str(one.sentence) % {"field": "…", "value": "…"}
        yield (f"`{one.name}`", ", ".join(sorted(one.types)), reads)


def _actions() -> Iterator[tuple[str, ...]]:
    for action in ACTIONS.values():
        yield (f"`{action.name}`", action.labels["en"], ", ".join(_params(action.schema)))


def _params(schema: Mapping[str, Any]) -> Iterator[str]:
    required = schema.get("required", ())
    for name in schema["properties"]:
        yield f"`{name}`" if name in required else f"`{name}` (may be left out)"


def _ready() -> Iterator[tuple[str, ...]]:
    for rule in READY_RULES:
        yield (f"`{rule.code}`", rule.names["en"], rule.descriptions["en"])
