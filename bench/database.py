"""A database of its own for measuring: made beside the configured one, dropped at the end.

Nothing is ever measured in the configured database: this process is pointed away from it before
anything is written, and `require_throw_away` looks again before each load.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final
from urllib.parse import urlsplit

import psycopg
from django.core.management import call_command
from django.db import connection
from psycopg import sql

SUFFIX: Final = "_bench"


class NotThrowAway(Exception):
    """Nothing is written to a database that is not the bench's own."""


@contextmanager
def throw_away_database() -> Iterator[str]:
    """Meanwhile this process works in a fresh, migrated database `<configured name>_bench`."""
    configured = connection.settings_dict["NAME"]
    if not configured or configured.endswith(SUFFIX):
        raise NotThrowAway(f"the configured database is {configured!r}")
    name = f"{configured}{SUFFIX}"
    _administrate("DROP DATABASE IF EXISTS {} WITH (FORCE)", name)
    _administrate("CREATE DATABASE {}", name)
    _point_at(name)
    try:
        call_command("migrate", verbosity=0, interactive=False)
        yield name
    finally:
        _point_at(configured)
        _administrate("DROP DATABASE IF EXISTS {} WITH (FORCE)", name)


def require_throw_away() -> None:
    """Ask the server itself where this connection leads."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_database()")
        [name] = cursor.fetchone()
    if not name.endswith(SUFFIX):
        raise NotThrowAway(name)


def plain_connection() -> psycopg.Connection[Any]:
    """Psycopg without Django: autocommit, statements prepared after five runs (its default)."""
    return psycopg.connect(**_parameters(), autocommit=True)


def environment(name: str) -> dict[str, str]:
    """The environment of a child process that shall work in this database."""
    url = urlsplit(os.environ["DATABASE_URL"])
    return os.environ | {"DATABASE_URL": url._replace(path=f"/{name}").geturl()}


def _point_at(name: str) -> None:
    connection.close()
    connection.settings_dict["NAME"] = name


def _parameters() -> dict[str, Any]:
    """What Django connects with, without what only Django's own cursors need."""
    ours = ("cursor_factory", "context", "prepare_threshold")
    return {k: v for k, v in connection.get_connection_params().items() if k not in ours}


def _administrate(statement: str, name: str) -> None:
    """From the database `postgres`: the one that is dropped must not be in use by ourselves."""
    with psycopg.connect(**_parameters() | {"dbname": "postgres"}, autocommit=True) as server:
        server.execute(sql.SQL(statement).format(sql.Identifier(name)))
