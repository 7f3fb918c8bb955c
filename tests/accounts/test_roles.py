"""What each role may do, after the migrations and before anything else."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group
from django.db import IntegrityError, transaction

from kura.accounts.models import User
from kura.accounts.roles import ROLES
from tests.factories import a_user

READS = {
    "patients.view_patient",
    "journeys.view_journeytemplate",
    "journeys.view_journeystage",
    "journeys.view_journeytransition",
    "journeys.view_enrollment",
    "journeys.view_journeylog",
    "journeys.view_journeylognote",
    "journeys.view_systemeventlog",
    "automation.view_automationrule",
    "automation.view_ruleversion",
    "automation.view_ruleswitch",
    "automation.view_rulerun",
    "automation.view_message",
    "automation.view_eventdispatch",
    "automation.view_dispatchdecision",
    "automation.view_stafftask",
    "automation.view_heartbeat",
    "automation.view_reminderpause",
    "journeys.view_blockreview",
}
MOVES = {
    "patients.add_patient",
    "patients.change_patient",
    "journeys.transition_enrollment",
    "journeys.enroll_patient",
    "journeys.unblock_enrollment",
    "accounts.view_user",
    "accounts.export_records",
    "automation.decide_event",
    "automation.resend_message",
    "automation.pause_reminders",
    "journeys.view_systemeventpayload",
    "automation.change_stafftask",
}
DESIGNS = {
    f"journeys.{verb}_{model}"
    for verb in ("add", "change", "delete")
    for model in ("journeytemplate", "journeystage", "journeytransition")
} | {
    "automation.add_automationrule",
    "automation.change_automationrule",
    "accounts.add_user",
    "accounts.change_user",
    "accounts.view_organization",
    "accounts.change_organization",
    "accounts.view_integrationkey",
    "accounts.add_integrationkey",
    "accounts.change_integrationkey",
}


@pytest.mark.parametrize(
    ("role", "permissions"),
    [
        ("viewer", READS),
        ("therapist", READS | MOVES),
        ("manager", READS | MOVES | DESIGNS),
    ],
)
def test_role_may_do_exactly_this(organization, role, permissions):
    assert a_user(organization, role).get_all_permissions() == permissions


def test_migrations_make_the_roles_and_no_others(db):
    assert set(Group.objects.values_list("name", flat=True)) == set(ROLES)


@pytest.mark.parametrize("role", ROLES)
def test_nobody_may_change_history(organization, role):
    user = a_user(organization, role)

    for model in ("journeylog", "systemeventlog", "enrollment", "journeylognote"):
        for verb in ("add", "change", "delete"):
            assert not user.has_perm(f"journeys.{verb}_{model}")
    for model in ("rulerun", "ruleversion", "dispatchdecision", "message", "eventdispatch"):
        for verb in ("add", "change", "delete"):
            assert not user.has_perm(f"automation.{verb}_{model}")
    assert not user.has_perm("patients.delete_patient")


def test_person_switched_off_may_nothing(organization):
    user = a_user(organization, "manager", is_active=False)

    assert not user.get_all_permissions()


def test_only_platform_staff_belongs_to_no_organization(db):
    User.objects.create_superuser("root@example.org", "a-long-password")

    with pytest.raises(IntegrityError, match="user_has_organization"), transaction.atomic():
        User.objects.create_user("nobody@example.org", "a-long-password")


def test_addresses_differ_by_more_than_their_case(organization):
    a_user(organization, email="Ana@Example.org")

    assert User.objects.get_by_natural_key("ANA@example.ORG").email == "ana@example.org"
    with pytest.raises(IntegrityError), transaction.atomic():
        a_user(organization, email="ana@EXAMPLE.org")
