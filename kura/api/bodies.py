"""From the bytes of a request to JSON that can be kept, or to a refusal; never to a crash.

The size is counted before the body is read, depth and number of values before it is parsed:
Python's parser calls itself for each level. What PostgreSQL cannot keep (NUL, half of a surrogate
pair) and what two readers may understand differently (a member twice, NaN, a number beyond 64
bits) is refused here, once for every endpoint.
"""

from __future__ import annotations

import io
import json
import math
import re
from collections.abc import Iterator, Mapping
from typing import IO, Any, Final, NoReturn

from django.http import HttpRequest
from django.utils.translation import gettext as _
from rest_framework.exceptions import UnsupportedMediaType
from rest_framework.parsers import BaseParser
from rest_framework.request import Request

from kura.api.errors import ParseError, PayloadTooLarge

MAX_BYTES: Final = 256 * 1024
MAX_DEPTH: Final = 32  # an event's payload may have 20, a condition tree 5
MAX_VALUES: Final = 20_000
MAX_INTEGER: Final = 2**63 - 1
PLAIN: Final = frozenset({"", "identity"})  # content codings

# A text is one token, also one without an end: each byte is looked at once.
_TOKEN: Final = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)|[\[{]|[\]}]|,', flags=re.DOTALL)


def body_of(request: Request) -> bytes:
    """The raw bytes, read once and kept for the parser. PayloadTooLarge."""
    http: HttpRequest = request._request
    if not hasattr(http, "_body"):
        raw = _read(http)
        http._body = raw  # what HttpRequest.body would set
        http._stream = io.BytesIO(raw)
    return http.body


def require_plain(request: Request) -> None:
    """The framework takes a body without a length for none, and would act as if nothing was said.
    ParseError; UnsupportedMediaType for one that is compressed.
    """
    if "HTTP_TRANSFER_ENCODING" in request.META and not request.META.get("CONTENT_LENGTH"):
        raise ParseError(why=_("Send it with a Content-Length."))
    coding = request.headers.get("Content-Encoding", "").strip().lower()
    if coding not in PLAIN:
        raise UnsupportedMediaType(coding)


def _read(http: HttpRequest) -> bytes:
    announced = _announced(http)
    if announced > MAX_BYTES:
        raise PayloadTooLarge(limit=MAX_BYTES // 1024)
    raw = http.read(MAX_BYTES + 1)
    if len(raw) > MAX_BYTES:
        raise PayloadTooLarge(limit=MAX_BYTES // 1024)
    if len(raw) < announced:
        raise ParseError(why=_("It ends before the length that was announced."))
    return raw


def _announced(http: HttpRequest) -> int:
    try:
        return int(http.META.get("CONTENT_LENGTH") or 0)
    except ValueError:
        return 0


class JsonParser(BaseParser):
    media_type = "application/json"

    def parse(
        self,
        stream: IO[bytes],  # noqa: ARG002  the framework's signature
        media_type: str | None = None,  # noqa: ARG002
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        return parsed(body_of((parser_context or {})["request"]))


def parsed(raw: bytes) -> Any:
    """JSON as RFC 8259 and I-JSON (RFC 7493) have it. ParseError."""
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        _refuse(_("It is not UTF-8."))
    _measure(text)
    try:
        value = json.loads(
            text,
            parse_constant=_not_a_number,
            parse_float=_finite,
            parse_int=_integer,
            object_pairs_hook=_members,
        )
    except json.JSONDecodeError as error:
        _refuse(_("It is no JSON: line {line}, column {column}.").format(
            line=error.lineno, column=error.colno
        ))  # fmt: skip
    if "\\u" in text and any(map(_is_unstorable, _texts(value))):
        _refuse(_("A text holds characters that cannot be stored."))
    return value


def _measure(text: str) -> None:
    depth, values = 0, 1
    for token in _TOKEN.finditer(text):
        mark = token[0][0]
        if mark in "[{":
            depth += 1
        elif mark in "]}":
            depth -= 1
        values += mark in "[{,"
        if depth > MAX_DEPTH:
            _refuse(_("It is nested too deeply."))
        if values > MAX_VALUES:
            _refuse(_("It holds too many values."))


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        _refuse(_("An object names a member twice."))
    return members


def _not_a_number(_name: str) -> NoReturn:
    _refuse(_("NaN and Infinity are no JSON."))


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        _refuse(_("A number is too large."))
    return number


def _integer(digits: str) -> int:
    if len(digits) > len(str(-MAX_INTEGER)) or abs(int(digits)) > MAX_INTEGER:
        _refuse(_("A number is too large."))
    return int(digits)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from value
        for part in value.values():
            yield from _texts(part)
    elif isinstance(value, list):
        for part in value:
            yield from _texts(part)


def _is_unstorable(text: str) -> bool:
    return any(c == "\x00" or "\ud800" <= c <= "\udfff" for c in text)


def _refuse(why: str) -> NoReturn:
    raise ParseError(why=why)
