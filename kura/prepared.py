"""Statements that PostgreSQL parses and plans once per connection: of moves, and of callers.

Django writes the parameters into the text of each statement, so each is new to PostgreSQL. The few
statements that move a patient, and the one that recognizes a caller, are always the same ones;
planning takes as long as running them, and Django takes longer than both to write a wide join.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import psycopg
from django.db import connection, models
from django.db.backends.utils import CursorWrapper
from psycopg.pq import Format

_Row = TypeVar("_Row", bound=models.Model)
_BINARY: Final = Format.BINARY  # psycopg reads times and ids from it in half the time


class _RememberingCursor(psycopg.Cursor[Any]):
    """Keeps the text of a statement that is prepared already: Django's query log asks for it."""

    def _convert_query(self, query: Any, params: Any = None) -> Any:
        self._query = super()._convert_query(query, params)
        return self._query


def prepared_cursor() -> CursorWrapper:
    """A cursor like `connection.cursor()`: it connects if need be, is logged and counted like it.

    Parameters travel apart from the statement, so the query log has no values in it. Psycopg
    prepares the statement from its fifth run on, or never (setting PREPARED_STATEMENTS=off).
    """
    connection.close_if_health_check_failed()
    connection.ensure_connection()
    cursor: Any = _RememberingCursor(connection.connection)
    cursor.format = _BINARY
    wrapped = connection.make_debug_cursor if connection.queries_logged else connection.make_cursor
    return wrapped(cursor)


@dataclass(frozen=True, slots=True)
class Columns:
    """Which columns of a model a statement reads, and the object made from them."""

    alias: str
    names: tuple[str, ...]

    @classmethod
    def of(cls, alias: str, model: type[models.Model], *, without: Sequence[str] = ()) -> Columns:
        """Whoever asks the object for a column `without` which it was made reads it then."""
        fields = [field.attname for field in model._meta.concrete_fields]
        return cls(alias, tuple(name for name in fields if name not in without))

    def __str__(self) -> str:
        return ", ".join(f"{self.alias}.{name} AS {self.alias}_{name}" for name in self.names)

    def object(self, model: type[_Row], values: Sequence[Any]) -> _Row:
        return model.from_db("default", self.names, values)
