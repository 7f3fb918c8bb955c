"""Bodies and queries that hold what they may and nothing else.

A member that no field names is refused, and so is one that only Kura writes: who sends it believes
that it does something.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final

from django.http import QueryDict
from django.utils.translation import gettext as _
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail, ValidationError
from rest_framework.fields import empty

from kura.api.errors import InvalidParameter

UNKNOWN: Final = "unknown_field"
READ_ONLY: Final = "read_only_field"


class Body(serializers.Serializer[Any]):
    # The base of every request body, and of every object inside one (no docstring: the schema
    # would give it to each body that has none).
    is_open: ClassVar[bool] = False  # whether `_flaw` lets unknown members pass
    # What `validate` asks of the members together, as JSON Schema keywords; for the schema alone.
    shape: ClassVar[Mapping[str, Any]] = {}

    def run_validation(self, data: Any = empty) -> Any:
        """A body that is null is no object, as a list is none; the framework has words of its own
        for it, in English alone.
        """
        is_whole = self.root is self and data is None
        return self.to_internal_value(data) if is_whole else super().run_validation(data)

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, Mapping):
            refused = {name: [flaw] for name in data if (flaw := self._flaw(name)) is not None}
            if refused:
                raise ValidationError(refused)
        return super().to_internal_value(data)

    def _flaw(self, name: str) -> ErrorDetail | None:
        field = self.fields.get(name)
        if field is None:
            return ErrorDetail(_("There is no such member."), code=UNKNOWN)
        if field.read_only:
            return ErrorDetail(_("Kura alone writes this."), code=READ_ONLY)
        return None


class Query(serializers.Serializer[Any]):
    """The parameters of one method: all that may stand after the question mark, once each."""

    def values(self, given: QueryDict) -> dict[str, Any]:
        """InvalidParameter with every problem at once."""
        problems = [*self._unknown(given), *self._repeated(given)]
        self.initial_data = {name: given[name] for name in given if name in self.fields}
        if not self.is_valid():
            problems += [
                {"code": flaw.code, "detail": str(flaw), "parameter": name}
                for name, flaws in self.errors.items()
                for flaw in flaws
            ]
        if problems:
            raise InvalidParameter(problems=problems)
        return dict(self.validated_data)

    def _unknown(self, given: QueryDict) -> list[dict[str, str]]:
        words = _("There is no such parameter.")
        return [
            {"code": "unknown", "detail": words, "parameter": name}
            for name in given
            if name not in self.fields
        ]

    def _repeated(self, given: QueryDict) -> list[dict[str, str]]:
        words = _("Give it once.")
        return [
            {"code": "repeated", "detail": words, "parameter": name}
            for name in given
            if len(given.getlist(name)) > 1
        ]


class NoQuery(Query):
    """For a method without parameters."""

    def values(self, given: QueryDict) -> dict[str, Any]:
        return super().values(given) if given else {}
