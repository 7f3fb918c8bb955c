"""Pages by key: every row once, forward and back, whatever the values and whoever comes between."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rest_framework.request import Request
from rest_framework.test import APIRequestFactory

from kura.accounts.models import ApiToken
from kura.api.errors import InvalidCursor
from kura.api.pagination import Ordering
from patients.models import Patient
from tests.api.conftest import by_token, problem
from tests.factories import PatientFactory

BY_TIME = Ordering("-created")
BY_NAME = Ordering("sort_key", personal=("sort_key",))
START = datetime(2026, 1, 1, tzinfo=UTC)


def page_of(ordering: Ordering, rows, size: int, link: str | None = None):
    request = Request(APIRequestFactory().get(link or "/api/v1/x?keep=1"))
    query = {"page_size": size}
    if link:
        query["cursor"] = parse_qs(urlsplit(link).query)["cursor"][0]
    return ordering.page(request, rows, query, lambda found: [row.pk for row in found]).data


def walk(ordering: Ordering, rows, size: int, link: str | None, way: str):
    """Page after page until there is none; and the last one."""
    pages = []
    while True:
        page = page_of(ordering, rows, size, link)
        pages.append(page["results"])
        if page[way] is None:
            return pages, page
        link = page[way]


@settings(max_examples=40, deadline=None,
          suppress_health_check=[HealthCheck.function_scoped_fixture])  # fmt: skip
@given(minutes=st.lists(st.integers(0, 2), min_size=1, max_size=12), size=st.integers(1, 5))
def test_every_row_comes_once_forward_and_back_also_with_equal_values(therapist, minutes, size):
    ApiToken.objects.all().delete()
    for number, minute in enumerate(minutes):
        token, _ = ApiToken.objects.make(user=therapist, name=str(number), expires_at=None)
        created = START + timedelta(minutes=minute, microseconds=minute)
        ApiToken.objects.filter(pk=token.pk).update(created=created)
    rows = ApiToken.objects.all()
    wanted = list(rows.order_by("-created", "-id").values_list("pk", flat=True))

    forward, last = walk(BY_TIME, rows, size, None, "next")
    assert [pk for page in forward for pk in page] == wanted
    assert all(len(page) == size for page in forward[:-1])
    if last["previous"]:
        back, first = walk(BY_TIME, rows, size, last["previous"], "previous")
        before = wanted[: len(wanted) - len(forward[-1])]
        assert [pk for page in reversed(back) for pk in page] == before
        again, _ = walk(BY_TIME, rows, size, first["next"], "next")
        assert [pk for page in again for pk in page] == wanted[len(back[-1]) :]


def test_rows_that_come_and_go_between_pages_lose_nobody_else(therapist):
    tokens = [ApiToken.objects.make(user=therapist, name=f"{n}", expires_at=None)[0]
              for n in range(6)]  # fmt: skip
    first = page_of(BY_TIME, ApiToken.objects.all(), 2)
    tokens[4].delete()  # the last of the first page
    ApiToken.objects.make(user=therapist, name="new", expires_at=None)

    rest = page_of(BY_TIME, ApiToken.objects.all(), 9, first["next"])

    assert rest["results"] == [token.pk for token in reversed(tokens[:4])]


def test_a_name_is_not_in_the_cursor_and_still_sorts(organization):
    patients = [PatientFactory(organization=organization, full_name=f"Secret {n % 2}")
                for n in range(5)]  # fmt: skip
    rows = Patient.objects.all()

    pages, _last = walk(BY_NAME, rows, 2, None, "next")
    link = page_of(BY_NAME, rows, 2)["next"]

    wanted = list(rows.order_by("sort_key", "id").values_list("pk", flat=True))
    assert [pk for page in pages for pk in page] == wanted
    cursor = parse_qs(urlsplit(link).query)["cursor"][0].partition(":")[0]
    assert b"ecret" not in base64.urlsafe_b64decode(cursor + "==")
    assert len(patients) == 5


def test_a_name_that_has_changed_ends_the_walk_instead_of_losing_somebody(organization):
    for name in "abc":
        PatientFactory(organization=organization, full_name=name)
    first = page_of(BY_NAME, Patient.objects.all(), 2)
    changed = Patient.objects.get(pk=first["results"][-1])
    changed.full_name = "z"
    changed.save()

    with pytest.raises(InvalidCursor):
        page_of(BY_NAME, Patient.objects.all(), 2, first["next"])


def test_a_cursor_of_another_ordering_is_refused(therapist):
    for number in range(3):
        ApiToken.objects.make(user=therapist, name=str(number), expires_at=None)
    link = page_of(BY_TIME, ApiToken.objects.all(), 1)["next"]

    with pytest.raises(InvalidCursor):
        page_of(Ordering("created"), ApiToken.objects.all(), 1, link)


def test_links_are_whole_and_keep_what_was_asked(therapist):
    api = by_token(therapist)
    for number in range(3):
        ApiToken.objects.make(user=therapist, name=str(number), expires_at=None)

    first = api.get("/api/v1/auth/tokens?page_size=2").json()
    second = api.get(first["next"]).json()
    back = api.get(second["previous"]).json()

    assert first["next"].startswith("http://testserver/api/v1/auth/tokens?")
    assert "page_size=2" in first["next"]
    assert (first["previous"], second["next"]) == (None, None)
    assert len(second["results"]) == 2  # three, and the one that asks
    assert back["results"] == first["results"]
    problem(api.get(first["next"].replace("cursor=ey", "cursor=eX")), 400, "invalid_cursor")
