"""A manager looks after the own team and makes nobody more powerful than a manager."""

from __future__ import annotations

import re
from datetime import time
from urllib.parse import urlsplit

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.urls import reverse

from kura.accounts.errors import LastManager
from kura.accounts.models import User
from kura.accounts.team import give_role, role_of, switch_off
from tests.admin import people
from tests.admin.conftest import logged_in


@pytest.fixture
def client(ours):
    return logged_in(ours.manager)


def change_url(user: User) -> str:
    return reverse("admin:accounts_user_change", args=[user.pk])


def access_url(user: User) -> str:
    return reverse("admin:accounts_user_access", args=[user.pk])


def fields(**more: object) -> dict[str, object]:
    return {"display_name": "Vera", "language": "es", "role": "therapist", "is_active": "on"} | more


def test_manager_adds_a_colleague_to_the_own_practice(client, ours):
    new = {"email": "Nueva@Example.org", "display_name": "Nueva", "language": "es",
           "role": "therapist", "is_superuser": "on", "is_staff": "on"}  # fmt: skip

    response = client.post(reverse("admin:accounts_user_add"), new)

    made = User.objects.get(email="nueva@example.org")
    assert (made.organization, role_of(made), made.is_superuser) == (
        ours.organization, "therapist", False,
    )  # fmt: skip
    assert not made.has_usable_password()
    assert response["Location"] == access_url(made)


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


@pytest.mark.parametrize("wrong", [{"is_active": ""}, {"role": "viewer"}])
def test_platform_staff_cannot_take_the_last_manager_from_a_practice(ours, wrong):
    staff = logged_in(people.person(None, "", is_superuser=True, language="en"))

    response = staff.post(change_url(ours.manager), fields(role="manager") | wrong)

    assert "only active manager" in response.content.decode()
    kept = User.objects.get(pk=ours.manager.pk)
    assert (kept.is_active, role_of(kept)) == (True, "manager")


def test_one_of_two_managers_may_go(client, ours):
    other = people.person(ours.organization, "manager", "Otra")

    client.post(change_url(other), fields(is_active=""))
    client.post(change_url(other), fields(role="viewer"))

    gone = User.objects.get(pk=other.pk)
    assert (gone.is_active, role_of(gone)) == (True, "viewer")


@pytest.mark.parametrize("remove", [lambda user: give_role(user=user, role="viewer"),
                                    lambda user: switch_off(user=user)])  # fmt: skip
def test_the_services_keep_the_last_manager_whoever_calls_them(ours, remove):
    people.person(ours.organization, "manager", "Apagada", is_active=False)

    with pytest.raises(LastManager):
        remove(ours.manager)

    assert role_of(User.objects.get(pk=ours.manager.pk)) == "manager"


def test_who_is_switched_off_is_out_with_the_next_request(client, ours):
    theirs = logged_in(ours.therapist)
    assert theirs.get("/admin/").status_code == 200

    client.post(change_url(ours.therapist), fields(is_active=""))

    assert theirs.get("/admin/").status_code == 302


def test_a_managers_reach_ends_below_superusers(client, ours):
    boss = people.person(ours.organization, "", "Boss", is_superuser=True)

    assert client.post(change_url(boss), fields()).status_code == 403
    assert client.get(access_url(boss)).status_code == 403
    assert client.post(access_url(boss), {"way": "password"}).status_code == 403


def test_nobody_finds_out_a_hash_by_filtering(client, ours):
    url = reverse("admin:accounts_user_changelist")

    assert client.get(url, {"password__startswith": "md5"}).status_code in {302, 400}


# --- letting somebody in ----------------------------------------------------------------------


def shown_password(response) -> str:
    return re.search(r'id="new-password">([^<]+)<', response.content.decode())[1]


def test_a_new_password_is_shown_once_works_and_ends_what_was(client, ours):
    before = logged_in(ours.viewer)

    response = client.post(access_url(ours.viewer), {"way": "password"})
    password = shown_password(response)

    assert "no-store" in response["Cache-Control"]
    assert User.objects.get(pk=ours.viewer.pk).check_password(password)
    assert password not in client.get(access_url(ours.viewer)).content.decode()
    assert before.get("/admin/").status_code == 302
    entry = LogEntry.objects.get(object_id=str(ours.viewer.pk))
    assert password not in entry.change_message
    assert entry.user == ours.manager


def test_looking_at_the_page_changes_nothing(client, ours):
    client.get(access_url(ours.viewer))

    assert User.objects.get(pk=ours.viewer.pk).password == ours.viewer.password


def test_a_new_password_ends_the_wait_after_wrong_ones(client, ours):
    login = {"username": ours.viewer.email, "password": "wrong"}
    for _ in range(5):
        Client().post("/admin/login/", login)

    password = shown_password(client.post(access_url(ours.viewer), {"way": "password"}))

    assert Client().post("/admin/login/", login | {"password": password}).status_code == 302


def test_a_manager_takes_the_ordinary_way_to_the_own_password(client, ours):
    response = client.post(access_url(ours.manager), {"way": "password"})

    assert response["Location"] == reverse("admin:password_change")
    assert User.objects.get(pk=ours.manager.pk).password == ours.manager.password


def test_who_is_switched_off_gets_no_access(client, ours):
    User.objects.filter(pk=ours.viewer.pk).update(is_active=False)

    client.post(access_url(ours.viewer), {"way": "password"})

    assert User.objects.get(pk=ours.viewer.pk).password == ours.viewer.password


@pytest.fixture
def mail(settings):
    settings.MAIL_REACHES_PEOPLE = True
    return settings


def link_in(letter) -> str:
    return urlsplit(re.search(r"https?://\S+", letter.body)[0]).path


def test_a_link_works_once_and_in_the_persons_language(client, ours, mail, mailoutbox):
    User.objects.filter(pk=ours.viewer.pk).update(language="en")
    client.post(access_url(ours.viewer), {"way": "link"})
    [letter] = mailoutbox
    words = "una frase bastante larga"

    page = Client().get(link_in(letter), follow=True)
    chosen = {"new_password1": words, "new_password2": words}
    browser = Client()
    form = browser.get(link_in(letter))["Location"]
    done = browser.post(form, chosen)
    again = Client().get(link_in(letter), follow=True)

    assert letter.to == [f"{ours.viewer.display_name} <{ours.viewer.email}>"]
    assert page["Content-Language"] == "en"
    assert done["Location"] == reverse("admin:login")
    assert User.objects.get(pk=ours.viewer.pk).check_password(words)
    assert again.context["validlink"] is False


def test_the_link_of_somebody_switched_off_is_no_use(client, ours, mail, mailoutbox):
    client.post(access_url(ours.viewer), {"way": "link"})
    User.objects.filter(pk=ours.viewer.pk).update(is_active=False)

    page = Client().get(link_in(mailoutbox[0]), follow=True)

    assert page.context["validlink"] is False


def test_without_mail_no_link_is_offered_or_pretended(client, ours, settings, mailoutbox):
    settings.MAIL_REACHES_PEOPLE = False

    page = client.post(access_url(ours.viewer), {"way": "link"})

    assert 'value="link"' not in page.content.decode()
    assert not mailoutbox


def test_a_mail_server_that_is_away_is_said_and_leaves_another_way(client, ours, mail):
    mail.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    mail.EMAIL_HOST, mail.EMAIL_PORT = "127.0.0.1", 9  # discard: nobody listens

    page = client.post(access_url(ours.viewer), {"way": "link"})

    assert page.status_code == 503
    assert 'role="alert"' in page.content.decode()
    assert 'value="password"' in page.content.decode()
    assert not LogEntry.objects.exists()


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
    person = {
        "email": "ana@example.org",
        "display_name": "Ana",
        "language": "es",
        "role": "manager",
    }

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
