"""The parts of an action as fields, read off the JSON Schema of its parameters.

An action is one file with a schema; a new one has a form as soon as it is registered. Two members
mean more than their schema says: `key` is a journey, and `status` one of its stages.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, Literal

from automation.actions import ACTIONS
from automation.admin.rule_form.values import NO, YES, lines, number_of, shown
from kura.accounts.models import Language

Kind = Literal["journey", "stage", "choice", "words", "number", "flag", "event", "members", "text"]
LANGUAGES: Final = tuple(one.value for one in Language)
ONE: Final = "one"  # marks a text that is one for all languages
CUSTOM: Final = "CUSTOM."


@dataclass(frozen=True, slots=True)
class Part:
    """One member of the parameters. `names`: its fields in the form, in the order shown."""

    name: str
    kind: Kind
    required: bool = False
    choices: tuple[str, ...] = ()
    longest: int = 0  # characters; of words

    @property
    def names(self) -> tuple[str, ...]:
        if self.kind == "words":
            return tuple(f"{self.name}-{language}" for language in (*LANGUAGES, ONE))
        return (self.name,)


@cache
def parts_of(action: str) -> tuple[Part, ...]:
    """Nothing for an action that nobody knows."""
    known = ACTIONS.get(action)
    if known is None:
        return ()
    needed = known.schema.get("required", ())
    return tuple(
        _part(name, schema, name in needed) for name, schema in known.schema["properties"].items()
    )


def _part(name: str, schema: Mapping[str, Any], required: bool) -> Part:
    if "enum" in schema:
        return Part(name, "choice", required, choices=tuple(map(str, schema["enum"])))
    if isinstance(schema.get("type"), list):
        return Part(name, "words", required, longest=schema.get("maxLength", 0))
    return Part(name, _kind(name, schema), required)


def _kind(name: str, schema: Mapping[str, Any]) -> Kind:
    by_type: dict[str, Kind] = {"number": "number", "integer": "number", "boolean": "flag",
                                "object": "members"}  # fmt: skip
    if schema.get("type") in by_type:
        return by_type[schema["type"]]
    if "CUSTOM" in schema.get("pattern", ""):
        return "event"
    named: dict[str, Kind] = {"key": "journey", "status": "stage"}
    return named.get(name, "text")


# --- data to text -------------------------------------------------------------------------------


def texts_of(action: str, params: Mapping[str, Any], point: str) -> dict[str, str]:
    """The fields' texts by name; what is not there is not named."""
    found: dict[str, str] = {}
    for part in parts_of(action):
        if part.name in params:
            found |= _texts(part, params[part.name], point)
    return found


def _texts(part: Part, value: object, point: str) -> Mapping[str, str]:
    if part.kind == "words":
        return _languages(part.name, value)
    if part.kind == "members":
        return {part.name: _member_lines(value)}
    if part.kind == "event" and isinstance(value, str):
        return {part.name: value.removeprefix(CUSTOM)}
    if part.kind == "flag" and value is False:
        return {}
    return {part.name: shown(value, point if part.kind == "number" else ".")}


def _languages(name: str, value: object) -> Mapping[str, str]:
    if isinstance(value, Mapping):
        return {f"{name}-{language}": shown(value.get(language), ".") for language in LANGUAGES}
    both = {f"{name}-{language}": shown(value, ".") for language in LANGUAGES}
    return both | {f"{name}-{ONE}": YES}


def _member_lines(value: object) -> str:
    if not isinstance(value, Mapping):
        return json.dumps(value)
    return "\n".join(f"{name}: {_member(said)}" for name, said in value.items())


def _member(said: object) -> str:
    """A text that reads as something else is written in quotes."""
    if isinstance(said, str) and _said(said.strip()) == said and "\n" not in said:
        return said
    return json.dumps(said, ensure_ascii=False)


def _said(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


# --- text to data -------------------------------------------------------------------------------


def params_of(action: str, texts: Mapping[str, str], point: str) -> dict[str, Any]:
    return dict(_params(action, texts, point))


def _params(action: str, texts: Mapping[str, str], point: str) -> Iterator[tuple[str, Any]]:
    for part in parts_of(action):
        if part.kind == "words":
            yield part.name, _said_in_languages(part.name, texts)
        elif texts.get(part.name, "").strip():
            yield part.name, _READ[part.kind](texts[part.name], point)


def _said_in_languages(name: str, texts: Mapping[str, str]) -> Any:
    """One text for all stays one as long as it says the same in each."""
    said = {language: lines(texts.get(f"{name}-{language}", "")) for language in LANGUAGES}
    is_one = texts.get(f"{name}-{ONE}") == YES and len(set(said.values())) == 1
    return next(iter(said.values())) if is_one else said


def _as_it_is(text: str, point: str) -> Any:  # noqa: ARG001
    return text


def _flag(text: str, point: str) -> Any:  # noqa: ARG001
    return text != NO


def _event(text: str, point: str) -> Any:  # noqa: ARG001
    return CUSTOM + text.strip().removeprefix(CUSTOM)


def _members(text: str, point: str) -> Any:  # noqa: ARG001
    """Each line is "name: value"."""
    found: dict[str, Any] = {}
    for line in lines(text).split("\n"):
        name, _colon, said = line.partition(":")
        if line.strip():
            found[name.strip()] = _said(said.strip())
    return found


_READ: Final[Mapping[Kind, Callable[[str, str], Any]]] = {
    "journey": _as_it_is,
    "stage": _as_it_is,
    "choice": _as_it_is,
    "text": _as_it_is,
    "number": number_of,
    "flag": _flag,
    "event": _event,
    "members": _members,
}
