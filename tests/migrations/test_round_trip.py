"""Migrating to zero and back leaves the same functions, triggers, constraints and indexes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.core.management import call_command
from django.db import connection

CATALOG = {
    "functions": "SELECT proname, md5(prosrc), proconfig::text, prosecdef FROM pg_proc"
    " WHERE pronamespace = 'public'::regnamespace",
    "triggers": "SELECT tgrelid::regclass::text, tgname, tgenabled, pg_get_triggerdef(oid)"
    " FROM pg_trigger WHERE NOT tgisinternal",
    "constraints": "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid)"
    " FROM pg_constraint WHERE connamespace = 'public'::regnamespace",
    "indexes": "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'",
    "options": "SELECT relname, reloptions::text FROM pg_class WHERE reloptions IS NOT NULL",
    "identities": "SELECT table_name, column_name, identity_generation"
    " FROM information_schema.columns WHERE table_schema = 'public' AND is_identity = 'YES'",
    "roles": "SELECT g.name, p.codename FROM auth_group g"
    " JOIN auth_group_permissions gp ON gp.group_id = g.id"
    " JOIN auth_permission p ON p.id = gp.permission_id",
}


def catalog() -> dict[str, set[tuple[object, ...]]]:
    found = {}
    with connection.cursor() as cursor:
        for name, sql in CATALOG.items():
            cursor.execute(sql)
            found[name] = set(cursor.fetchall())
    return found


@pytest.fixture
def migrated(committed_db) -> Iterator[None]:
    yield
    call_command("migrate", verbosity=0)


def ours() -> list[str]:
    return ["automation", "journeys", "patients", "accounts"]


def test_zero_and_back_is_the_same_database(migrated):
    before = catalog()

    for app in ours():
        call_command("migrate", app, "zero", verbosity=0)
    empty = catalog()
    call_command("migrate", verbosity=0)

    assert not [name for name, *_ in empty["functions"] if name.startswith("kura_")]
    assert not empty["triggers"]
    assert catalog() == before


def test_models_and_migrations_agree(db):
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)
