"""The page that shows every part with all its states."""

from __future__ import annotations

import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from journeys.admin.nodes import NodeKind, NodeState
from tests.admin import people
from tests.admin.conftest import logged_in

PAGE = "admin:design_system"


def page_for(ours, role: str) -> str:
    client = logged_in(people.person(ours.organization, role, language="en"))
    return client.get(reverse(PAGE)).content.decode()


def test_it_shows_every_kind_and_state_of_a_node(ours):
    page = page_for(ours, "viewer")

    for kind in NodeKind:
        assert f'aria-labelledby="kind-{kind}"' in page
    for state in NodeState:
        assert f"node-is-{state}" in page


def test_it_shows_every_badge_that_the_partial_knows(ours):
    page = page_for(ours, "viewer")

    shown = set(re.findall(r'class="badge badge-(\w+)"', page))

    assert shown >= {
        "blocked", "active", "done", "closed", "waiting", "stuck", "attention", "failed",
        "unmet", "unknown", "plain",
    }  # fmt: skip


def test_it_names_the_partials_and_shows_a_field_with_its_error(ours):
    page = page_for(ours, "viewer")

    for name in ("_node", "_badge", "_stepper", "_timeline", "_button", "_field", "_problems"):
        assert f"<code>kura/{name}.html</code>" in page
    assert page.count('aria-invalid="true"') == 1
    assert 'aria-busy="true"' in page


def test_each_id_stands_once_and_each_heading_that_is_named_is_there(ours):
    page = page_for(ours, "viewer").partition('id="content-main"')[2].partition("</main>")[0]
    ids = re.findall(r' id="([^"]+)"', page)

    assert len(ids) == len(set(ids))
    assert set(re.findall(r'aria-labelledby="([^"]+)"', page)) <= set(ids)


@pytest.mark.parametrize(("role", "seen"), [("viewer", 0), ("therapist", 0), ("manager", 1)])
def test_the_way_there_stands_at_the_end_of_the_pages_for_managers(ours, role, seen):
    client = logged_in(people.person(ours.organization, role))

    page = client.get(reverse("admin:index")).content.decode()

    assert page.count(reverse(PAGE)) == seen


def test_it_tells_nothing_of_anybody_and_asks_for_nothing_of_theirs(ours):
    client = logged_in(ours.manager)
    client.get(reverse(PAGE))

    with CaptureQueriesContext(connection) as asked:
        page = client.get(reverse(PAGE)).content.decode()

    content = page.partition('id="content-main"')[2]
    assert "Marta Om" not in content
    assert len(asked) <= 7
