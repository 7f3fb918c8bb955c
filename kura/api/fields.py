"""Values as the API writes and reads them."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

from django.utils.dateparse import parse_datetime
from django.utils.timezone import is_naive
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from kura.api.bodies import MAX_INTEGER


class Moment(serializers.DateTimeField):
    """RFC 3339 with an offset; written in UTC with `Z`."""

    default_error_messages = {
        "invalid": _("Write it as 2026-01-31T09:00:00Z, with Z or an offset from UTC."),
    }

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(default_timezone=UTC, **kwargs)

    def to_internal_value(self, value: Any) -> datetime:
        try:
            moment = parse_datetime(value) if isinstance(value, str) else None
        except ValueError:
            moment = None
        if moment is None or is_naive(moment):
            self.fail("invalid")
        return super().to_internal_value(value)


class Text(serializers.CharField):
    """A JSON string and nothing that could be read as one; PostgreSQL cannot keep a NUL."""

    default_error_messages = {"invalid": _("This is no text.")}

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class Id(serializers.UUIDField):
    """A JSON string: a number is an id of the sender's own system and must not look like ours."""

    def to_internal_value(self, data: Any) -> uuid.UUID:
        if not isinstance(data, str):
            self.fail("invalid", value=data)
        return super().to_internal_value(data)


class Coded(Text, serializers.RegexField):
    """Text of one form: a key or a code."""

    default_error_messages = {"invalid": _("This is not written as such a code is.")}


class Whole(serializers.IntegerField):
    """A JSON integer that 64 bits hold; JSON calls 3.0 one as well."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"min_value": -MAX_INTEGER, "max_value": MAX_INTEGER, **kwargs})

    def to_internal_value(self, data: Any) -> int:
        is_whole = isinstance(data, int) or (isinstance(data, float) and data.is_integer())
        if isinstance(data, bool) or not is_whole:
            self.fail("invalid")
        return super().to_internal_value(int(data))


class Flag(serializers.BooleanField):
    """A JSON true or false; "yes", 1 and null are neither."""

    default_error_messages = {"invalid": _("This is neither true nor false.")}

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid")
        return data


class QueryFlag(serializers.BooleanField):
    """`true` or `false` in a query; what else could be read as one (1, yes, off) is neither."""

    TRUE_VALUES = {"true"}
    FALSE_VALUES = {"false"}
    NULL_VALUES = set()
