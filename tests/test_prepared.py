"""Prepared statements are prepared, and seen by whoever watches Django's statements."""

from __future__ import annotations

from django.db import connection
from django.test.utils import CaptureQueriesContext

from kura.prepared import prepared_cursor

RUNS = 8  # psycopg prepares after five


def test_each_run_is_logged_also_once_it_is_prepared(db):
    with CaptureQueriesContext(connection) as captured:
        for number in range(RUNS):
            with prepared_cursor() as cursor:
                cursor.execute("SELECT %s::integer AS prepared_here", [number])
                assert cursor.fetchone() == (number,)

    assert [query["sql"] for query in captured] == ["SELECT $1::integer AS prepared_here"] * RUNS
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_prepared_statements"
            " WHERE statement LIKE '%%prepared_here%%' AND NOT from_sql",
            [],
        )
        assert cursor.fetchone() == (1,)
