"""What an event may carry: checked against its type's JSON Schema before it is stored for ever."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Final

from django.utils.translation import gettext as _

from automation import errors
from automation.schemas import schema_problems
from journeys.event_types import event_type

MAX_BYTES: Final = 64 * 1024  # as JSON; longer texts belong where the form keeps them
MAX_DEPTH: Final = 20
MOST_PROBLEMS: Final = 20


def check(name: str, payload: Mapping[str, Any]) -> None:
    """Raises InvalidPayload with every problem; `pointer` leads into the payload."""
    problems = list(unstorable(payload)) or [
        {"pointer": flaw.pointer, "detail": str(flaw.message)}
        for flaw in schema_problems(_schema(name), payload)
    ]
    if problems:
        words = " ".join(f"{one['pointer'] or '/'}: {one['detail']}" for one in problems[:3])
        raise errors.InvalidPayload(problems=problems[:MOST_PROBLEMS], problem_words=words)


@cache
def _schema(name: str) -> dict[str, Any]:
    """One object for each, for which a validator is made once."""
    return event_type(name).as_schema()


def unstorable(payload: object) -> Iterator[dict[str, str]]:
    """What keeps a JSON object from being kept: at most one answer, `pointer` and `detail`."""
    if not isinstance(payload, Mapping):
        yield {"pointer": "", "detail": _("this is no object")}
        return
    try:
        text = json.dumps(payload, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        yield {"pointer": "", "detail": _("this is no JSON")}
        return
    if len(text) > MAX_BYTES:
        yield {"pointer": "", "detail": _("this is longer than 64 KiB")}
    elif not _is_flat(payload):
        yield {"pointer": "", "detail": _("this is nested too deeply")}
    elif _has_unstorable_text(payload):
        yield {"pointer": "", "detail": _("a text holds characters that cannot be stored")}


def _is_flat(node: object, room: int = MAX_DEPTH) -> bool:
    if not isinstance(node, Mapping | list | tuple):
        return True
    inside = node.values() if isinstance(node, Mapping) else node
    return room > 0 and all(_is_flat(part, room - 1) for part in inside)


def _has_unstorable_text(node: object) -> bool:
    """PostgreSQL keeps no NUL and no half of a surrogate pair."""
    if isinstance(node, str):
        return any(c == "\x00" or "\ud800" <= c <= "\udfff" for c in node)
    if isinstance(node, Mapping):
        return any(map(_has_unstorable_text, [*node.keys(), *node.values()]))
    return isinstance(node, list | tuple) and any(map(_has_unstorable_text, node))
