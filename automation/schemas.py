"""A JSON Schema's complaints as problems: pointer, code, words in the reader's language."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from itertools import islice
from typing import Any, Final

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from jsonschema.validators import extend

from automation.problems import Problem

MOST_FLAWS: Final = 200  # that are looked for; a hostile value shall not cost seconds
LONGEST_TOKEN: Final = 300  # characters of a member's name in a pointer


def schema_problems(schema: Mapping[str, Any], value: object) -> list[Problem]:
    """The first MOST_FLAWS, each place named once and in the order of the value."""
    found: dict[tuple[str, str], Problem] = {}
    for flaw in islice(_validator(_Key(schema)).iter_errors(value), MOST_FLAWS):
        at = "".join(map(pointer_token, flaw.absolute_path))
        for problem in _problems(flaw):
            found.setdefault((at + problem.pointer, problem.code), problem.below(at))
    return list(found.values())


def pointer_token(member: object) -> str:
    """A step of a JSON pointer (RFC 6901), cut where a name is no name any more."""
    return "/" + str(member)[:LONGEST_TOKEN].replace("~", "~0").replace("/", "~1")


def _problems(flaw: ValidationError) -> Iterator[Problem]:
    if flaw.validator == "required":
        for name in flaw.validator_value:
            if name not in flaw.instance:
                yield missing(pointer_token(name))
    elif flaw.validator == "additionalProperties":
        for name in flaw.instance:
            if name not in flaw.schema.get("properties", {}):
                yield unknown(pointer_token(name))
    else:
        is_empty = flaw.validator == "minLength" and not flaw.instance
        words = _EMPTY if is_empty else _WORDS.get(str(flaw.validator), _WRONG)
        yield Problem("", "wrong_value", str(words) % {"limit": _limit(flaw)})


def missing(pointer: str) -> Problem:
    return Problem(pointer, "missing_member", _("This member is missing."))


def unknown(pointer: str) -> Problem:
    return Problem(pointer, "unknown_member", _("This member is not allowed here."))


def _limit(flaw: ValidationError) -> object:
    limit = flaw.validator_value
    return ", ".join(map(str, limit)) if isinstance(limit, list) else limit


_WRONG: Final = gettext_lazy("This value has not the form that is asked for.")
_EMPTY: Final = gettext_lazy("This text is empty.")
_WORDS: Final[Mapping[str, Promise]] = {
    "type": gettext_lazy("This value is of the wrong kind. Allowed: %(limit)s."),
    "enum": gettext_lazy("This value is none of: %(limit)s."),
    "minimum": gettext_lazy("This number must be at least %(limit)s."),
    "maximum": gettext_lazy("This number must be at most %(limit)s."),
    "minLength": gettext_lazy("This text needs at least %(limit)s characters."),
    "maxLength": gettext_lazy("This text may have at most %(limit)s characters."),
    "minItems": gettext_lazy("This list needs at least %(limit)s entries."),
    "maxItems": gettext_lazy("This list may have at most %(limit)s entries."),
}


class _Key:
    """A schema is a constant of the code: known by identity, so that its validator is made once."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self.schema = schema

    def __hash__(self) -> int:
        return id(self.schema)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Key) and other.schema is self.schema


def _whole_text(
    _validator: object, pattern: str, instance: object, _schema: object
) -> Iterator[ValidationError]:
    """`$` of Python also matches before a line break at the end; no name ends in one."""
    if isinstance(instance, str) and (
        re.search(pattern, instance) is None or instance.endswith("\n")
    ):
        yield ValidationError("does not match")


_Strict: Callable[..., Any] = extend(Draft202012Validator, {"pattern": _whole_text})


@cache
def _validator(key: _Key) -> Any:
    return _Strict(key.schema)
