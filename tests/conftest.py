"""A practice in scope, and a database that really commits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest
from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper
from django.test.utils import override_settings, setup_databases, teardown_databases
from pytest_django import DjangoDbBlocker

from journeys.models import JourneyTemplate
from kura import tenancy
from kura.accounts.models import Organization, User
from patients.models import Patient
from tests.factories import OrganizationFactory, PatientFactory, a_template, a_user

# Made by migrations; everything else is a test's own.
KEPT_TABLES = frozenset(
    {
        "django_migrations",
        "django_content_type",
        "auth_permission",
        "auth_group",
        "auth_group_permissions",
    }
)


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """A test database even when every collected test commits.

    pytest-django makes one only if some collected test asks for `db`. Without it `committed_db`
    would work on, and in the end empty, the database that DATABASE_URL names.
    """
    if is_test_database():
        yield
        return
    with django_db_blocker.unblock():
        made = setup_databases(verbosity=0, interactive=False, aliases={"default"})
    yield
    with django_db_blocker.unblock():
        teardown_databases(made, verbosity=0)


def is_test_database() -> bool:
    return str(connection.settings_dict["NAME"]).startswith("test_")


@pytest.fixture(scope="session", autouse=True)
def quick_passwords() -> Iterator[None]:
    """Hashing slowly on purpose is not what these tests are about."""
    with override_settings(PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"]):
        yield


@pytest.fixture
def committed_db(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """Real commits, for races and processes. The tables are cleared afterwards."""
    with django_db_blocker.unblock():
        yield
        clear_tables()
        connection.close()


def clear_tables() -> None:
    """As the tables' owner, since the product has no way round its guards.

    They are off for one transaction that nobody sees the inside of. Rows are deleted, and no table
    is truncated: that makes new files, half a second for all of them.
    """
    assert is_test_database(), "only a test database is ever emptied"
    with transaction.atomic(), connection.cursor() as cursor:
        filled = _filled_tables(cursor)
        cursor.execute(
            "SELECT tgrelid::regclass::text, tgname FROM pg_trigger"
            " WHERE NOT tgisinternal AND tgenabled = 'A' AND tgtype & 8 > 0"  # 8: on DELETE
            " AND tgrelid = ANY (%s::regclass[])",
            [filled],
        )
        guards = cursor.fetchall()
        _each(cursor, "ALTER TABLE {} DISABLE TRIGGER {}", guards)
        _each(cursor, "DELETE FROM {}", [(table,) for table in filled])
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # no ALTER while a check is pending
        _each(cursor, "ALTER TABLE {} ENABLE ALWAYS TRIGGER {}", guards)


def _filled_tables(cursor: CursorWrapper) -> list[str]:
    names = [name for name in connection.introspection.table_names() if name not in KEPT_TABLES]
    cursor.execute(" UNION ALL ".join(f"(SELECT '{name}' FROM {name} LIMIT 1)" for name in names))
    return [name for (name,) in cursor.fetchall()]


def _each(cursor: CursorWrapper, statement: str, words: Sequence[tuple[str, ...]]) -> None:
    for chosen in words:
        cursor.execute(statement.format(*chosen))


@pytest.fixture
def organization(db: None) -> Iterator[Organization]:
    """A practice, and the tenant scope for the length of the test."""
    practice = OrganizationFactory()
    with tenancy.scope(practice):
        yield practice


@pytest.fixture
def other_organization(db: None) -> Organization:
    return OrganizationFactory()


@pytest.fixture
def therapist(organization: Organization) -> User:
    return a_user(organization, "therapist")


@pytest.fixture
def viewer(organization: Organization) -> User:
    return a_user(organization, "viewer")


@pytest.fixture
def template(organization: Organization) -> JourneyTemplate:
    """`intake`: any move between its five stages is allowed."""
    return a_template(organization)


@pytest.fixture
def patient(organization: Organization) -> Patient:
    return PatientFactory(organization=organization)
