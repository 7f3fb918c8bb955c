"""Statements that PostgreSQL parses and plans once per connection: those of a move.

Django writes the parameters into the text of each statement, so each is new to PostgreSQL. The few
statements that move a patient are always the same ones; planning takes as long as running them.
"""

from __future__ import annotations

from typing import Any, Final

import psycopg
from django.db import connection
from django.db.backends.utils import CursorWrapper
from psycopg.pq import Format

_BINARY: Final = Format.BINARY  # psycopg reads times and ids from it in half the time


class _RememberingCursor(psycopg.Cursor[Any]):
    """Keeps the text of a statement that is prepared already: Django's query log asks for it."""

    def _convert_query(self, query: Any, params: Any = None) -> Any:
        self._query = super()._convert_query(query, params)
        return self._query


def prepared_cursor() -> CursorWrapper:
    """A cursor like `connection.cursor()`, logged and counted like it. Needs a transaction.

    Parameters travel apart from the statement, so the query log has no values in it. Psycopg
    prepares the statement from its fifth run on, or never (setting PREPARED_STATEMENTS=off).
    """
    cursor: Any = _RememberingCursor(connection.connection)
    cursor.format = _BINARY
    wrapped = connection.make_debug_cursor if connection.queries_logged else connection.make_cursor
    return wrapped(cursor)
