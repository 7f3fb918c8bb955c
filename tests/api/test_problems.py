"""Every refusal below /api is problem+json, whoever refuses and however the request looks."""

from __future__ import annotations

import pytest
from django.db import OperationalError
from django.test import Client

from kura.api.errors import StaleWrite
from kura.api.problems import problem_of
from tests.api.conftest import Api, by_session, by_token, nobody, problem

ME = "/api/v1/auth/me"


@pytest.mark.parametrize("path", ["/api", "/api/", "/api/v1/nothing", f"{ME}/", "/api/v1/%ff"])
@pytest.mark.parametrize("method", ["GET", "POST", "PATCH", "DELETE"])
def test_an_unknown_path_is_a_problem_and_never_a_redirect(db, path, method):
    problem(nobody().call(method, path), 404, "not_found")


def test_nobody_is_401_and_told_how_to_log_in(db):
    response = nobody().get(ME)

    problem(response, 401, "not_authenticated")
    assert response.headers["WWW-Authenticate"] == "Bearer"


def test_a_method_that_is_not_there_is_405_and_names_those_that_are(viewer):
    response = by_token(viewer).call("PUT", ME, {})

    problem(response, 405, "method_not_allowed")
    assert "GET" in response.headers["Allow"]


def test_only_json_is_spoken(viewer):
    problem(by_token(viewer).get(ME, Accept="text/html"), 406, "not_acceptable")


def test_a_wrong_content_type_is_415(viewer):
    api = by_token(viewer)

    response = api.post("/api/v1/auth/tokens", b"name=x", content_type="text/plain")

    problem(response, 415, "unsupported_media_type")


def test_a_host_that_is_not_ours_is_a_problem_though_no_view_was_reached(db):
    told = problem(Client().get(ME, headers={"Host": "evil.example"}), 400, "parse_error")

    assert "ALLOWED_HOSTS" in told["detail"]


def test_what_nobody_expected_says_nothing(viewer, monkeypatch):
    monkeypatch.setattr("kura.api.sessions.told", lambda _caller: 1 / 0)

    told = problem(by_token(viewer).get(ME), 500, "internal_error")

    assert "detail" not in told
    assert "division" not in str(told)


def test_a_database_that_does_not_answer_is_503_with_a_time(viewer, monkeypatch):
    def gone(_caller):
        raise OperationalError("connection to patient-db refused")

    monkeypatch.setattr("kura.api.sessions.told", gone)

    response = by_token(viewer).get(ME)

    told = problem(response, 503, "unavailable")
    assert int(response.headers["Retry-After"]) > 0
    assert "patient-db" not in str(told)


def test_outside_the_api_a_page_answers(db):
    response = Client().get("/nothing")

    assert response.status_code == 404
    assert response.headers["Content-Type"].startswith("text/html")


def test_a_refusal_tells_programs_its_members_and_the_version_as_an_etag():
    told = problem_of(StaleWrite(current_version=7, secret="x"))

    assert told.body()["current_version"] == 7
    assert told.headers["ETag"] == '"7"'
    assert "secret" not in told.body()


@pytest.mark.parametrize(("language", "title"), [("es", "es"), ("en", "en")])
def test_a_problem_speaks_the_language_that_is_asked_for(db, language, title):
    response = nobody().get(ME, **{"Accept-Language": language})

    assert response.headers["Content-Language"] == title


def test_a_problem_speaks_its_readers_language(viewer):
    viewer.language = "en"
    viewer.save()

    by_cookie, by_bearer = by_session(viewer), by_token(viewer)

    assert by_cookie.get(ME).headers["Content-Language"] == "en"
    assert by_bearer.get(ME).headers["Content-Language"] == "en"
    asked = by_bearer.get(ME, **{"Accept-Language": "es"})
    assert asked.headers["Content-Language"] == "es"


def test_every_answer_names_the_request(viewer):
    response = Api().get(ME, **{"X-Request-ID": "abc-123"})

    assert response.json()["request_id"] == "abc-123"
