"""What was published and what people decided stays, whoever writes."""

from __future__ import annotations

import pytest
from django.db import IntegrityError, connection, transaction

from automation.guard_catalog import GUARDS, KEPT
from automation.models import DispatchDecision, RuleVersion
from journeys import guard_catalog
from kura.errors import constraint_of
from tests.automation.practice import a_rule, tell


@pytest.fixture
def kept(organization, patient, therapist):
    rule = a_rule(organization, "CUSTOM.x")
    RuleVersion.objects.create(rule=rule, version=1, definition=rule.definition)
    told = tell(patient, "CUSTOM.x")
    DispatchDecision.objects.create(
        organization=organization,
        event_id=told.event_id,
        kind="skip",
        reason="Looked at it",
        decided_by=therapist,
    )


@pytest.mark.parametrize("guard", KEPT, ids=lambda guard: guard.table)
@pytest.mark.parametrize(
    "statement", ["DELETE FROM {}", "UPDATE {} SET id = id", "TRUNCATE {} CASCADE"]
)
@pytest.mark.parametrize("session_role", ["origin", "replica"])
def test_no_statement_changes_it(kept, guard, statement, session_role):
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(f"SET LOCAL session_replication_role = {session_role}")

    with (
        pytest.raises(IntegrityError) as refusal,
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(statement.format(guard.table))

    assert constraint_of(refusal.value) == guard.argument


def test_the_catalog_is_true(db):
    found = guard_catalog._triggers()

    assert not list(guard_catalog.trigger_faults(GUARDS))
    for guard in GUARDS:
        assert found[guard.name].definition.replace("public.kura", "kura") == guard.definition
