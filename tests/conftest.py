"""A practice in scope, and a database that really commits."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.db import connection
from django.test.utils import setup_databases, teardown_databases
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


@pytest.fixture(autouse=True)
def quick_passwords(settings) -> None:
    """Hashing slowly on purpose is not what these tests are about."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def committed_db(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """Real commits, for races and processes. The tables are cleared afterwards.

    The product has no way round its guards, so this one goes as the tables' owner: switch the
    triggers off, truncate, switch them on again.
    """
    with django_db_blocker.unblock():
        yield
        clear_tables()
        connection.close()


def clear_tables() -> None:
    assert is_test_database(), "only a test database is ever emptied"
    tables = [name for name in connection.introspection.table_names() if name not in KEPT_TABLES]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT tgrelid::regclass::text, tgname FROM pg_trigger"
            " WHERE NOT tgisinternal AND tgenabled = 'A'"
        )
        guards = cursor.fetchall()
        _each(cursor, "ALTER TABLE {} DISABLE TRIGGER {}", guards)
        cursor.execute(f"TRUNCATE {', '.join(tables)} RESTART IDENTITY CASCADE")
        _each(cursor, "ALTER TABLE {} ENABLE ALWAYS TRIGGER {}", guards)


def _each(cursor, statement: str, guards: list[tuple[str, str]]) -> None:
    for table, trigger in guards:
        cursor.execute(statement.format(table, trigger))


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
