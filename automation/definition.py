"""What a rule says, as data: the form it is written in, and the one form it is kept in.

`SCHEMA` is the contract that the API shows. `normal()` fills in what may be left out and writes
equal things equally, so that a draft that says nothing new can be told from one that does.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final

MOST_ACTIONS: Final = 20
MOST_HOURS: Final = Decimal("999999.999")  # numeric(9, 3): 114 years
MOST_REPEATS: Final = 1000  # reminders about one stage visit
_STEP: Final = Decimal("0.001")  # 3.6 seconds; finer than any monitor looks
_HOURS: Final = {"type": ["number", "string", "null"]}

ACTION_SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {"type": {"type": "string"}, "params": {"type": "object"}},
    "required": ["type"],
    "additionalProperties": False,
}
SCHEMA: Final[dict[str, Any]] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "AutomationRule",
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 200},
        "trigger_event": {"type": "string", "maxLength": 80},
        "journey_key": {"type": ["string", "null"], "maxLength": 60},
        "stage": {"type": ["string", "null"], "maxLength": 60},
        "max_hours": _HOURS,
        "repeat_hours": _HOURS,
        "max_repeats": {"type": ["integer", "null"], "minimum": 1, "maximum": MOST_REPEATS},
        "conditions": {"type": ["object", "null"]},
        "actions": {
            "type": "array",
            "minItems": 1,
            "maxItems": MOST_ACTIONS,
            "items": ACTION_SCHEMA,
        },
        "priority": {"type": "integer", "minimum": -32768, "maximum": 32767},  # smallint
    },
    "required": ["name", "trigger_event", "actions"],
    "additionalProperties": False,
}
DEFAULT_PRIORITY: Final = 100


_PLAIN: Final = re.compile(r"\d{1,9}(\.\d+)?", re.ASCII)  # Decimal() would take much more


def hours(value: object) -> Decimal | None:
    """The number of hours; None when it is none that the column can hold exactly."""
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        return None
    if isinstance(value, str) and not _PLAIN.fullmatch(value):
        return None
    try:
        number = Decimal(str(value))
        exact = number.quantize(_STEP)
    except InvalidOperation:
        return None
    return exact if exact == number and 0 < exact <= MOST_HOURS else None


def normal(raw: Mapping[str, Any]) -> dict[str, Any]:
    """The form that is kept, of a definition that has no problems. Decimals are text."""
    return {
        "name": raw["name"].strip(),
        "trigger_event": raw["trigger_event"],
        "journey_key": raw.get("journey_key") or "",
        "stage": raw.get("stage") or "",
        "max_hours": _as_text(raw.get("max_hours")),
        "repeat_hours": _as_text(raw.get("repeat_hours")),
        "max_repeats": _whole(raw.get("max_repeats")),
        "conditions": raw.get("conditions") or {},
        "actions": [
            {"type": one["type"], "params": one.get("params", {})} for one in raw["actions"]
        ],
        "priority": _whole(raw.get("priority", DEFAULT_PRIORITY)),
    }


def _as_text(value: object) -> str | None:
    exact = hours(value)
    return None if exact is None else str(exact)


def _whole(value: float | None) -> int | None:
    """JSON Schema calls 100.0 an integer as well."""
    return None if value is None else int(value)
