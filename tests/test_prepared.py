"""Prepared statements are prepared, and seen by whoever watches Django's statements."""

from __future__ import annotations

from django.db import connection
from django.test.utils import CaptureQueriesContext

from kura.accounts.models import Organization
from kura.prepared import Columns, prepared_cursor

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


def test_an_object_is_made_as_django_would_make_it(organization):
    organization.settings = {"require_if_match": True, "hours": [9, 17]}
    organization.save()
    columns = Columns.of("o", Organization, without=("name",))

    with prepared_cursor() as cursor:
        cursor.execute(f"SELECT {columns} FROM organizations o")
        made = columns.object(Organization, cursor.fetchone())

    stored = Organization.objects.get()
    assert {n: getattr(made, n) for n in columns.names} == {
        n: getattr(stored, n) for n in columns.names
    }
    assert made == stored
    assert made.get_deferred_fields() == {"name"}


def test_a_cursor_opens_its_connection(committed_db):
    connection.close()

    with prepared_cursor() as cursor:
        cursor.execute("SELECT 1")
        assert cursor.fetchone() == (1,)
