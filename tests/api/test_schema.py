"""The description says what the code does: nothing guessed, nothing left out, nothing inline."""

from __future__ import annotations

import re

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import Client

from kura.api.schema import description
from tests.api.conftest import by_key, by_token, problem


def operations():
    for path, methods in description()["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def test_the_snapshot_is_what_the_code_says(settings, tmp_path):
    call_command("openapi", "--check")

    settings.BASE_DIR = tmp_path
    (tmp_path / "docs").mkdir()
    with pytest.raises(CommandError, match="is old"):
        call_command("openapi", "--check")
    call_command("openapi")
    call_command("openapi", "--check")


def test_it_is_served_as_openapi_3_1_to_whoever_asks(db):
    response = Client().get("/api/schema")

    assert response.status_code == 200
    assert response.json()["openapi"].startswith("3.1")
    assert response.json()["paths"] == description()["paths"]
    problem(Client().get("/api/schema?lang=es"), 400, "invalid_parameter")


def test_every_operation_tells_its_codes_with_examples():
    for name, operation in operations():
        for status, answer in operation["responses"].items():
            if status < "400":
                continue
            told = answer["content"]["application/problem+json"]
            assert told["schema"] == {"$ref": "#/components/schemas/ProblemDetails"}, name
            codes = re.findall(r"`(\w+)`", answer["description"])
            values = told["examples"].values()
            assert [one["value"]["code"] for one in values] == codes, name
            assert {one["value"]["status"] for one in values} == {int(status)}, name


def test_every_operation_but_the_public_ones_asks_for_a_caller():
    public = {name for name, operation in operations() if not operation.get("security")}

    assert public == {"GET /api/v1/auth/csrf", "POST /api/v1/auth/login"}


def test_every_operation_has_words_for_people_and_a_tag_with_some():
    tags = {tag["name"] for tag in description()["tags"] if tag["description"]}

    for name, operation in operations():
        assert operation["summary"], name
        assert operation["description"], name
        assert set(operation["tags"]) <= tags, name


def test_what_may_be_asked_with_a_version_may_be_answered_by_one():
    for name, operation in operations():
        headers = {one["name"] for one in operation.get("parameters", [])}
        assert ("If-None-Match" in headers) == ("304" in operation["responses"]), name
        assert ("If-Match" in headers) == ("412" in operation["responses"]), name
        assert ("If-Match" in headers) == ("428" in operation["responses"]), name


def test_the_headers_of_answers_are_described():
    for name, operation in operations():
        headers = {
            status: set(answer.get("headers", {}))
            for status, answer in operation["responses"].items()
        }
        assert all("X-Request-ID" in sent for sent in headers.values()), name
        assert "Retry-After" in headers["429"], name
        assert ("401" in headers) == ("WWW-Authenticate" in headers.get("401", ())), name
        assert ("304" in headers) == ("ETag" in headers.get("304", ())), name
    answered = description()["paths"]["/api/v1/rules"]["post"]["responses"]
    assert {"Location", "Idempotent-Replayed"} <= set(answered["201"]["headers"])


def test_what_members_ask_of_each_other_is_described():
    schemas = description()["components"]["schemas"]

    assert schemas["PatientNameRequest"]["maxProperties"] == 1
    assert schemas["MoveRequest"]["dependentRequired"]["journey_key"] == ["to_stage"]
    assert schemas["EventInQuestionRequest"]["dependentSchemas"] == {"id": {"maxProperties": 1}}
    assert schemas["NewTemplateRequest"]["oneOf"]
    assert schemas["WrittenRuleRequest"]["required"] == ["name", "trigger_event", "actions"]
    assert "required" not in schemas["ChangedRuleRequest"]
    assert schemas["NewTokenRequest"]["properties"]["scopes"]["minItems"] == 1
    assert schemas["Token"]["properties"]["expires_at"]["type"] == ["string", "null"]
    assert "oneOf" not in schemas["Rule"]["properties"]["draft"]


def test_an_idempotency_key_is_described_as_it_is_read(organization, manager):
    [key] = [
        one["schema"]["pattern"]
        for one in description()["paths"]["/api/v1/rules/install"]["post"]["parameters"]
        if one["name"] == "Idempotency-Key"
    ]

    for given, status in (("a b", 400), ('"a b"', 200), ("k" * 256, 400), ("k" * 255, 200)):
        headers = {"Idempotency-Key": given}
        answer = by_token(manager).post("/api/v1/rules/install", {}, **headers)
        assert answer.status_code == status, given
        assert bool(re.search(key, given)) == (status == 200), given


def test_bodies_are_closed_and_pages_may_end():
    schemas = description()["components"]["schemas"]

    bodies = {name: one for name, one in schemas.items() if name.endswith("Request")}
    is_open = {name for name, one in bodies.items() if one["additionalProperties"] is not False}
    assert is_open == {"CloudEventRequest"}
    assert not [name for name in schemas if name.startswith("Patched")]
    pages = [one for name, one in schemas.items() if name.endswith("Page")]
    assert pages
    for page in pages:
        assert page["properties"]["next"]["type"] == ["string", "null"]
        assert set(page["required"]) == {"results", "next", "previous"}


def test_an_answer_has_the_members_that_are_described(organization, patient):
    schemas = description()["components"]["schemas"]

    [event] = by_key(organization).get("/api/v1/events").json()["results"]
    me = by_key(organization).get("/api/v1/auth/me").json()

    assert set(event) == set(schemas["Event"]["properties"])
    assert set(me) == set(schemas["Me"]["properties"])


def test_the_page_that_shows_it_needs_no_looser_policy(db):
    response = Client().get("/api/docs", headers={"Accept": "text/html"})

    page = response.content.decode()
    assert response.status_code == 200
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\bstyle=|\son\w+=", page)
    assert "unsafe" not in response.headers["Content-Security-Policy"]
    assert not re.findall(r"(?:src|href)=\"(?:https?:)?//", page)
