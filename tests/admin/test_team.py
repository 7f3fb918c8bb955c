"""A manager looks after the own team and makes nobody more powerful than a manager."""

from __future__ import annotations

from datetime import time

import pytest
from django.urls import reverse

from kura.accounts.models import User
from kura.accounts.team import role_of
from tests.admin import people
from tests.admin.conftest import logged_in


@pytest.fixture
def client(ours):
    return logged_in(ours.manager)


def change_url(user: User) -> str:
    return reverse("admin:accounts_user_change", args=[user.pk])


def fields(**more: object) -> dict[str, object]:
    return {"display_name": "Vera", "language": "es", "role": "therapist", "is_active": "on"} | more


def test_manager_adds_a_colleague_to_the_own_practice(client, ours):
    new = {"email": "Nueva@Example.org", "display_name": "Nueva", "language": "es",
           "role": "therapist", "password1": people.PASSWORD, "password2": people.PASSWORD,
           "is_superuser": "on", "is_staff": "on"}  # fmt: skip

    client.post(reverse("admin:accounts_user_add"), new)

    made = User.objects.get(email="nueva@example.org")
    assert (made.organization, role_of(made), made.is_superuser) == (
        ours.organization, "therapist", False,
    )  # fmt: skip
    assert made.check_password(people.PASSWORD)


def test_manager_changes_a_role_and_nothing_else_that_is_sent(client, ours):
    client.post(
        change_url(ours.viewer),
        fields(is_superuser="on", organization="", email="other@example.org", groups="1"),
    )

    changed = User.objects.get(pk=ours.viewer.pk)
    assert role_of(changed) == "therapist"
    assert not changed.is_superuser
    assert changed.email == ours.viewer.email
    assert changed.organization == ours.organization


@pytest.mark.parametrize("wrong", [{"is_active": ""}, {"role": "viewer"}])
def test_a_manager_cannot_lock_the_door_behind_herself(client, ours, wrong):
    response = client.post(change_url(ours.manager), fields(role="manager") | wrong)

    assert "Pídeselo a otra persona del equipo" in response.content.decode()


def test_a_managers_reach_ends_below_superusers(client, ours):
    boss = people.person(ours.organization, "", "Boss", is_superuser=True)
    password = reverse("admin:auth_user_password_change", args=[boss.pk])

    assert client.post(change_url(boss), fields()).status_code == 403
    assert client.get(password).status_code == 403


def test_manager_sets_a_new_password(client, ours):
    url = reverse("admin:auth_user_password_change", args=[ours.viewer.pk])
    words = "una frase bastante larga"

    client.post(url, {"password1": words, "password2": words})

    assert User.objects.get(pk=ours.viewer.pk).check_password(words)


def test_manager_describes_the_practice(client, ours):
    url = reverse("admin:accounts_organization_change", args=[ours.organization.pk])

    client.post(url, {"name": "Otro", "timezone": "Atlantic/Canary", "language": "en", "slug": "x"})

    ours.organization.refresh_from_db()
    assert (ours.organization.name, ours.organization.timezone) == ("Otro", "Atlantic/Canary")
    assert ours.organization.slug != "x"


def test_platform_staff_makes_a_practice_and_its_first_manager(db):
    client = logged_in(User.objects.create_superuser("root@example.org", "x"))
    client.post(
        reverse("admin:accounts_organization_add"),
        {"name": "Sol", "slug": "sol", "timezone": "Europe/Madrid", "language": "es"},
    )
    person = {"email": "ana@example.org", "display_name": "Ana", "language": "es",
              "role": "manager", "password1": people.PASSWORD,
              "password2": people.PASSWORD}  # fmt: skip

    without = client.post(reverse("admin:accounts_user_add"), person)
    from kura.accounts.models import Organization  # noqa: PLC0415

    sol = Organization.objects.get(slug="sol")
    client.post(reverse("admin:accounts_user_add"), {**person, "organization": sol.pk})

    assert without.status_code == 200
    assert User.objects.get(email="ana@example.org").organization == sol


PRACTICE = {"name": "Om", "timezone": "Europe/Madrid", "language": "es"}


def save_practice(client, practice, **fields):
    url = reverse("admin:accounts_organization_change", args=[practice.pk])
    return client.post(url, PRACTICE | fields)


def test_the_night_is_what_the_page_shows_until_somebody_says_otherwise(client, ours):
    page = client.get(reverse("admin:accounts_organization_change", args=[ours.organization.pk]))

    assert page.context["adminform"].form["quiet_from"].value() == time(21)
    assert 'value="08:00"' in page.content.decode()


def test_manager_sets_quiet_hours_and_keeps_the_other_settings(client, ours):
    ours.organization.settings = {"email": "om@example.org"}
    ours.organization.save()

    save_practice(client, ours.organization, quiet_from="22:30", quiet_until="07:15")

    ours.organization.refresh_from_db()
    assert ours.organization.settings == {
        "email": "om@example.org",
        "quiet_hours": {"from": "22:30", "until": "07:15"},
    }


def test_both_times_empty_switch_quiet_hours_off(client, ours):
    save_practice(client, ours.organization, quiet_from="", quiet_until="")

    ours.organization.refresh_from_db()
    assert ours.organization.settings == {"quiet_hours": None}


@pytest.mark.parametrize(
    ("begins", "ends", "field"),
    [
        ("21:00", "", "quiet_until"),
        ("", "08:00", "quiet_from"),
        ("08:00", "08:00", "quiet_until"),
        ("25:00", "08:00", "quiet_from"),
        ("21:00:30", "08:00", "quiet_from"),
    ],
)
def test_quiet_hours_that_mean_nothing_are_refused(client, ours, begins, ends, field):
    page = save_practice(client, ours.organization, quiet_from=begins, quiet_until=ends)

    assert page.status_code == 200
    assert list(page.context["adminform"].form.errors) == [field]
    ours.organization.refresh_from_db()
    assert ours.organization.settings == {}
