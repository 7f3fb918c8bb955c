"""Whoever a session names, and what they may: as Django says it, in fewer queries."""

from __future__ import annotations

import uuid

import pytest
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import Permission

from kura.accounts.backend import PeopleBackend
from kura.accounts.models import User
from tests.factories import OrganizationFactory, a_user

pytestmark = pytest.mark.django_db


def fresh(user: User) -> User:
    """Permissions are kept on the instance."""
    return User.objects.get(pk=user.pk)


@pytest.mark.parametrize("role", ["viewer", "therapist", "manager"])
def test_a_person_may_what_django_says_they_may(role: str) -> None:
    user = a_user(OrganizationFactory(), role)
    user.user_permissions.add(Permission.objects.get(codename="delete_session"))

    ours, theirs = (
        backend.get_all_permissions(fresh(user)) for backend in (PeopleBackend(), ModelBackend())
    )
    found = PeopleBackend().get_user(user.pk)

    assert found is not None
    assert ours == theirs == found.get_all_permissions()
    assert "sessions.delete_session" in ours


def test_platform_staff_may_everything_and_whoever_is_switched_off_nothing() -> None:
    staff = User.objects.create_superuser("root@example.org", "a-long-password")
    gone = a_user(OrganizationFactory(), is_active=False)

    assert PeopleBackend().get_all_permissions(fresh(staff)) == {
        f"{app}.{name}"
        for app, name in Permission.objects.values_list("content_type__app_label", "codename")
    }
    assert PeopleBackend().get_all_permissions(fresh(gone)) == set()
    found = PeopleBackend().get_user(staff.pk)
    assert found is not None
    assert found.has_perm("patients.view_patient")


def test_who_it_is_and_what_they_may_takes_one_query(django_assert_num_queries) -> None:
    user = a_user(OrganizationFactory(), "manager")

    with django_assert_num_queries(1):
        found = PeopleBackend().get_user(user.pk)
        assert found == user
        assert found.organization
        assert found.has_perm("patients.view_patient")


def test_nobody_is_found_who_is_unknown_or_switched_off() -> None:
    gone = a_user(OrganizationFactory(), is_active=False)

    assert PeopleBackend().get_user(gone.pk) is None
    assert PeopleBackend().get_user(uuid.uuid4()) is None


def test_a_role_taken_away_is_gone_with_the_next_request() -> None:
    user = a_user(OrganizationFactory(), "therapist")
    assert user.has_perm("journeys.transition_enrollment")

    user.groups.clear()

    assert not fresh(user).has_perm("journeys.transition_enrollment")


def test_permissions_on_single_things_are_nobodys() -> None:
    user = a_user(OrganizationFactory(), "manager")

    assert not user.has_perm("journeys.transition_enrollment", user.organization)
