"""ETag, If-Match and If-None-Match name the version somebody has looked at."""

from __future__ import annotations

import pytest
from rest_framework.request import Request
from rest_framework.test import APIRequestFactory

from kura.accounts.models import Organization
from kura.api.callers import Caller
from kura.api.errors import PreconditionRequired, StaleWrite
from kura.api.versions import require_current, versioned


def a_request(settings=None, **headers: str) -> Request:
    request = Request(APIRequestFactory().get("/", headers=headers))
    organization = Organization(settings=settings or {})
    request.auth = Caller(organization=organization, scopes=frozenset())
    return request


@pytest.mark.parametrize("header", ['"7"', 'W/"7"', '"1", "7"', "*", ' "7" ', 'W/"1",W/"7"'])
def test_the_version_that_was_looked_at_is_accepted(header):
    require_current(a_request(**{"If-Match": header}), 7)

    assert versioned(a_request(**{"If-None-Match": header}), 7, dict).status_code == 304


@pytest.mark.parametrize("header", ['"6"', "7", "", '"77"', 'W/"6", "8"', '"7'])
def test_another_version_is_stale_and_the_refusal_names_the_new_one(header):
    with pytest.raises(StaleWrite) as refusal:
        require_current(a_request(**{"If-Match": header}), 7)

    assert refusal.value.context == {"current_version": 7}
    response = versioned(a_request(**{"If-None-Match": header}), 7, lambda: {"a": 1})
    assert (response.status_code, response.data) == (200, {"a": 1})
    assert response.headers["ETag"] == '"7"'


def test_no_version_is_fine_unless_the_practice_asks_for_one():
    require_current(a_request(), 7)
    require_current(a_request({"require_if_match": False}), 7)

    with pytest.raises(PreconditionRequired):
        require_current(a_request({"require_if_match": True}), 7)


def test_nothing_is_read_for_who_has_it_already():
    def read():
        raise AssertionError("it was read")

    assert versioned(a_request(**{"If-None-Match": '"7"'}), 7, read).status_code == 304
