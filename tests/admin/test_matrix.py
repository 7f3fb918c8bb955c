"""Every URL of the admin, asked and posted to by whoever may not: nothing told, nothing done.

The table of `test_permissions` names every route, or fails; here each is also posted to with all
that a form of ours could hold. What belongs to the other practice carries the word FOREIGN, and
each row that names something of theirs is compared before and after.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import fields
from typing import Any

import pytest
from django.db import connection, models
from django.test import Client
from django.urls import reverse

from kura.accounts.models import Organization, User
from kura.admin.site import site
from tests.admin.conftest import Practice, logged_in, text_of
from tests.admin.test_permissions import NO, TABLE, url_of
from tests.sizes import AT_FULL_SIZE, FULL

CANARY = "FOREIGN"
REFUSED = {NO, 404, 405}
# What changes with any request: sessions, and counts of requests, log-ins and queued tasks.
UNWATCHED = {"django_session", "rate_counts", "axes_accessattempt", "axes_accesslog"}
# Everybody's own matters: their language, theme, password and tokens, and how they get in and out.
OWN = {"language", "theme", "logout", "login", "password_change", "accounts_apitoken_add"}


def everything(about: Practice) -> dict[str, Any]:
    """What a form of ours could hold, with the ids of that practice."""
    template = f"{about.template.pk}/AWAITING_SCREENING"
    return {
        "reason": "una razón muy larga", "note": "una nota muy larga", "to_stage": "CONFIRMED",
        "expected_seq": "2", "target": template, "template": str(about.template.pk),
        "patient": [str(about.patient.pk), str(about.blocked.patient_id)], "journey": "retreat",
        "seen": "", "act": "save", "version": "1", "name": "x", "key": "x", "to": "off",
        "step": "apply", "confirm": "1", "confirmed": "1", "way": "password", "post": "yes",
        "full_name": "X", "language": "es", "email": "x@example.org", "role": "manager",
        "therapist": str(about.therapist.pk), "organization": str(about.organization.pk),
        "display_name": "X", "slug": "x", "timezone": "UTC", "document": "{}", "for_whom": "all",
        "scopes": ["events:read"], "max_hours": "1", "place": "retreat:AWAITING_PAYMENT",
        "until": "2099-01-01", "days": "3", "decision": "unblock", "user": str(about.viewer.pk),
        "user_id": str(about.viewer.pk), "object_id": str(about.patient.pk),
    }  # fmt: skip


def ids_of(practice: Practice) -> set[str]:
    """Of everything that the practice was made with; a number is part of many a row of others."""
    found = [getattr(practice, one.name) for one in fields(practice)]
    found += [getattr(practice.automated, one.name) for one in fields(practice.automated)]
    made = [one.pk for one in found if isinstance(one, models.Model)]
    return {str(pk) for pk in made if not isinstance(pk, int)}


def rows(naming: set[str] | None = None) -> set[tuple[str, str]]:
    """Of all tables, as text; those alone that name one of these ids."""
    found: set[tuple[str, str]] = set()
    with connection.cursor() as cursor:
        for table in set(connection.introspection.table_names()) - UNWATCHED:
            cursor.execute(f'SELECT t::text FROM "{table}" t')
            found |= {(table, text) for (text,) in cursor.fetchall()}
    if naming is None:
        return found
    return {(table, text) for table, text in found if any(one in text for one in naming)}


def answer_to(client: Client, method: str, url: str, sent: dict[str, Any]) -> tuple[int, str]:
    response = client.get(url) if method == "get" else client.post(url, sent)
    return response.status_code, text_of(response) + str(response.headers)


# --- another practice -----------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["get", "post"])
@pytest.mark.parametrize("role", ["manager", pytest.param("viewer", marks=AT_FULL_SIZE)])
def test_no_url_tells_or_changes_anything_of_another_practice(ours, theirs, role, method):
    client, watched = logged_in(getattr(ours, role)), ids_of(theirs)
    before, told = rows(watched), {}

    for name in TABLE.keys() - {"logout", "login"}:
        status, text = answer_to(client, method, url_of(name, theirs), everything(theirs))
        assert status < 500, name
        if CANARY in text:
            told[name] = text

    assert told == {}
    assert rows(watched) == before


def changelists() -> Iterator[tuple[str, Any]]:
    for model, model_admin in site._registry.items():
        yield f"{model._meta.app_label}_{model._meta.model_name}_changelist", model_admin


def test_no_action_reaches_rows_of_another_practice_selected_or_all(ours, theirs, rf):
    client, watched = logged_in(ours.manager), ids_of(theirs)
    before, asked = rows(watched), 0
    request = rf.get("/")
    request.user = ours.manager

    for name, model_admin in changelists():
        selected = [value for value in watched if _is_of(model_admin.model, value)]
        for action, across in itertools.product(model_admin.get_actions(request), "01"):
            sent = {"action": action, "select_across": across, "index": "0",
                    "_selected_action": selected}  # fmt: skip
            response = client.post(reverse(f"admin:{name}"), sent, follow=True)
            assert CANARY not in text_of(response), (name, action)
            asked += 1

    assert rows(watched) == before
    assert asked >= 4  # move and enroll, on two lists


def _is_of(model: type[models.Model], value: str) -> bool:
    with connection.cursor() as cursor:
        key = model._meta.pk.column if model._meta.pk else "id"
        cursor.execute(f'SELECT 1 FROM "{model._meta.db_table}" WHERE "{key}"::text = %s', [value])
        return cursor.fetchone() is not None


@pytest.mark.soak
def test_no_filter_search_or_file_of_any_list_reaches_another_practice(ours, theirs):
    client = logged_in(ours.manager)
    lists = [name for name, _admin in changelists()]
    files = [name for name in TABLE if name.endswith("_export") and "template" not in name]

    for name in (*lists, *files):
        for query in _queries(theirs):
            response = client.get(f"{url_of(name, ours)}?{query}", follow=True)
            assert response.status_code in {200, 400}, (name, query)
            assert CANARY not in text_of(response), (name, query)


def _queries(theirs: Practice) -> Iterator[str]:
    """Each filter with an id of its own kind; at full size with ids of other kinds as well."""
    yield "q=foreign"
    patient, organization = theirs.patient.pk, theirs.organization.pk
    therapist, rule = theirs.therapist.pk, theirs.automated.rule.pk
    kinds = {
        "patient__id__exact": patient, "rule__id__exact": rule, "event__id__exact": theirs.event.pk,
        "therapist": therapist, "organization__id__exact": organization,
        "template__id__exact": theirs.template.pk, "user__id__exact": therapist,
    }  # fmt: skip
    for name, own_kind in kinds.items():
        others = {patient, organization, therapist, rule} if FULL else set()
        for value in {own_kind} | others:
            yield f"{name}={value}"


def test_no_autocomplete_of_any_field_reaches_another_practice(ours, theirs):
    client = logged_in(ours.manager)
    related = [
        (model, field)
        for model in site._registry
        for field in model._meta.get_fields()
        if isinstance(field, models.ForeignKey)
    ]

    for model, field in related:
        asked = {"app_label": model._meta.app_label, "model_name": model._meta.model_name,
                 "field_name": field.name, "term": "FOREIGN"}  # fmt: skip
        response = client.get(reverse("admin:autocomplete"), asked)
        assert response.status_code in {200, 403, 404}, (model, field)
        assert CANARY not in text_of(response)

    assert len(related) > 10


# --- the own practice, and a role that may less ---------------------------------------------------


def test_a_viewer_writes_nothing_whatever_is_posted_wherever(ours):
    client, before = logged_in(ours.viewer), rows()

    for name in TABLE.keys() - OWN:
        status, _text = answer_to(client, "post", url_of(name, ours), everything(ours))
        assert status < 500, name
        assert status in REFUSED or TABLE[name][1] != NO, name

    assert rows() == before


def test_a_therapist_writes_nothing_where_the_table_says_no(ours):
    client, before = logged_in(ours.therapist), rows()
    closed = [name for name, row in TABLE.items() if row[2] == NO]

    for name in closed:
        status, _text = answer_to(client, "post", url_of(name, ours), everything(ours))
        assert status in REFUSED, name

    assert rows() == before
    assert len(closed) > 30


def test_nobody_writes_anything_before_the_log_in(ours):
    client, before = Client(), rows()

    for name in TABLE.keys() - {"language", "theme"}:
        answer_to(client, "post", url_of(name, ours), everything(ours))

    assert rows() == before


def test_the_matrix_notices_what_it_is_meant_to_notice(ours, theirs):
    """A row of theirs that changes, and a page of theirs that is told, are both seen."""
    watched = ids_of(theirs)
    before = rows(watched)

    Organization.objects.filter(pk=theirs.organization.pk).update(timezone="UTC")
    User.objects.filter(pk=theirs.viewer.pk).update(language="en")

    assert len(rows(watched) ^ before) == 4
    client = logged_in(theirs.viewer)
    assert CANARY in answer_to(client, "get", url_of("patients_patient_change", theirs), {})[1]
