"""The headers of the answers, for the description: which operation sends which, with which status.

A header that is always sent is required there, so that a contract test finds the answer without it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from drf_spectacular.utils import OpenApiParameter

_TEXT: Final = {"type": "string"}
_SECONDS: Final = {"type": "integer", "minimum": 0}
_VERSIONED: Final = (200, 201, 304)


@dataclass(frozen=True, kw_only=True, slots=True)
class Answers:
    """What an operation declares. `statuses`: of the answers that are no problems."""

    statuses: Sequence[int]
    preconditions: Sequence[str]
    is_retried: bool
    is_located: bool


def headers_of(answers: Answers) -> Iterator[OpenApiParameter]:
    yield _sent("X-Request-ID", "Name it when you ask us about an answer.", _TEXT)
    yield from _of_limits(answers)
    yield from _of_versions(answers)
    if answers.is_located:
        yield _sent("Location", "Where to read what was made.", _TEXT, answers.statuses)
    if answers.is_retried:
        words = "`true`: this answer was given before, to the same `Idempotency-Key`."
        yield _sometimes("Idempotent-Replayed", words, {"const": "true"}, answers.statuses)
    yield _sent("WWW-Authenticate", "How to ask: `Bearer`, and what was wrong.", _TEXT, [401])


def _of_limits(answers: Answers) -> Iterator[OpenApiParameter]:
    told = [*answers.statuses, 429]
    yield _sometimes("RateLimit-Limit", "Requests in a period.", _SECONDS, told)
    yield _sometimes("RateLimit-Remaining", "How many are left of them.", _SECONDS, told)
    yield _sometimes("RateLimit-Reset", "Seconds until the period ends.", _SECONDS, told)
    yield _sent("Retry-After", "Seconds to wait.", _SECONDS, [429])
    yield _sometimes("Retry-After", "Seconds to wait.", _SECONDS, [409, 503])


def _of_versions(answers: Answers) -> Iterator[OpenApiParameter]:
    """A list is told by its fingerprint, a thing by its version."""
    if not answers.preconditions:
        return
    told = [status for status in answers.statuses if status in _VERSIONED]
    refused = [412] if "If-Match" in answers.preconditions else []
    if told or refused:
        words = "The version now, for `If-Match` and `If-None-Match`."
        yield _sent("ETag", words, _TEXT, [*told, *refused])


def _sent(
    name: str, words: str, shape: dict[str, Any], statuses: Sequence[int] | None = None
) -> OpenApiParameter:
    return _header(name, words, shape, statuses, is_required=True)


def _sometimes(
    name: str, words: str, shape: dict[str, Any], statuses: Sequence[int]
) -> OpenApiParameter:
    return _header(name, words, shape, statuses, is_required=False)


def _header(
    name: str,
    words: str,
    shape: dict[str, Any],
    statuses: Sequence[int] | None,
    *,
    is_required: bool,
) -> OpenApiParameter:
    """None: with every answer."""
    return OpenApiParameter(
        name,
        dict(shape),
        OpenApiParameter.HEADER,
        required=is_required,
        description=words,
        response=True if statuses is None else list(statuses),
    )


def named_once(whole: dict[str, Any]) -> dict[str, Any]:
    """The same description, each header written once and referred to where it is sent."""
    named = whole["components"].setdefault("headers", {})
    for answer in _answers_of(whole):
        for name, header in answer.get("headers", {}).items():
            key = name if header.get("required") else f"{name}.sometimes"
            named.setdefault(key, header)
            answer["headers"][name] = {"$ref": f"#/components/headers/{key}"}
    return whole


def _answers_of(whole: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for methods in whole["paths"].values():
        for operation in methods.values():
            yield from operation["responses"].values()
