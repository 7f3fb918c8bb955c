"""What goes with every answer: caching, other sites, and who asked."""

from __future__ import annotations

import pytest
from django.test import RequestFactory
from rest_framework.request import Request

from kura.api.errors import CrossSiteRequest
from kura.api.origins import refuse_cross_site
from tests.api.conftest import by_key, nobody

ME = "/api/v1/auth/me"
FRONT = "https://app.example.org"


def test_nothing_about_people_is_cached_and_answers_differ_by_caller(organization):
    for response in (by_key(organization).get(ME), nobody().get(ME)):
        assert response.headers["Cache-Control"] == "no-store"
        varied = {name.strip() for name in response.headers["Vary"].split(",")}
        assert varied >= {"Authorization", "Cookie", "Accept-Language"}


def test_no_other_site_is_let_in_unless_it_is_named(organization, settings):
    preflight = {"Origin": FRONT, "Access-Control-Request-Method": "POST"}
    closed = nobody().call("OPTIONS", ME, **preflight)

    settings.CORS_ALLOWED_ORIGINS = [FRONT]
    opened = nobody().call("OPTIONS", ME, **preflight)
    answer = by_key(organization).get(ME, Origin=FRONT)
    stranger = by_key(organization).get(ME, Origin="https://evil.example")

    assert "Access-Control-Allow-Origin" not in closed.headers
    assert opened.headers["Access-Control-Allow-Origin"] == FRONT
    assert "idempotency-key" in opened.headers["Access-Control-Allow-Headers"]
    assert answer.headers["Access-Control-Allow-Origin"] == FRONT
    assert "ETag" in answer.headers["Access-Control-Expose-Headers"]
    assert "Access-Control-Allow-Origin" not in stranger.headers


@pytest.mark.parametrize("site", ["same-origin", "same-site", "none", None])
def test_a_browser_that_is_on_our_own_site_and_a_program_may_ask(site):
    headers = {"Sec-Fetch-Site": site} if site else {}

    refuse_cross_site(Request(RequestFactory().get("/", headers=headers)))


def test_another_sites_page_may_not_make_the_browser_ask():
    request = Request(RequestFactory().get("/", headers={"Sec-Fetch-Site": "cross-site"}))

    with pytest.raises(CrossSiteRequest):
        refuse_cross_site(request)
