"""Hostile bodies: a clear refusal within a moment, never a crash."""

from __future__ import annotations

import time

import pytest

from tests.api.conftest import by_session, by_token, problem

TOKENS = "/api/v1/auth/tokens"
DEEP = 100_000
TEN_MB = 10 * 1024 * 1024
QUICK = 0.2  # seconds of this process: others are busy too


@pytest.fixture
def api(viewer):
    return by_token(viewer)


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"{", 400),
        (b"nope", 400),
        (b'{"name": "\xff"}', 400),
        (b"\xef\xbb\xbf{}", 400),
        (b'{"name": NaN}', 400),
        (b'{"name": -Infinity}', 400),
        (b'{"name": 1e400}', 400),
        (b'{"name": ' + b"9" * 5000 + b"}", 400),
        (b'{"name": 9223372036854775808}', 400),
        (b'{"name": "a", "name": "b"}', 400),
        (b'{"a": {"b": 1, "b": 1}}', 400),
        (rb'{"name": "\u0000"}', 400),
        (rb'{"\u0000": 1}', 400),
        (rb'{"name": ["\ud800"]}', 400),
        (rb'{"\udfff": 1}', 400),
        (b"[" * DEEP, 400),
        (b"[" * DEEP + b"]" * DEEP, 400),
        (b'{"a":' * (DEEP // 3), 400),
        (b'"' + rb"\"" * DEEP, 400),
        (b'"' + b"\\" * 200_001, 400),
        (b'{"a"' * 50_000, 400),
        (b"[" + b"0," * 100_000 + b"0]", 400),
        (b'{"a":' * DEEP + b"1" + b"}" * DEEP, 413),
        (b'{"name": "' + b"x" * TEN_MB + b'"}', 413),
        (b"[" * TEN_MB, 413),
    ],
    ids=range(25),
)
def test_a_body_that_cannot_be_kept_is_refused_at_once(api, raw, status):
    code = "parse_error" if status == 400 else "payload_too_large"
    api.get(TOKENS)

    began = time.process_time()
    response = api.post(TOKENS, raw)
    seconds = time.process_time() - began

    problem(response, status, code)
    assert seconds < QUICK


def test_a_body_without_an_announced_length_is_cut_off_all_the_same(api):
    response = api.post(TOKENS, b"x" * 300_000, **{"Content-Length": "10"})

    assert response.status_code in {400, 413}


def test_a_form_is_refused_before_it_is_read(viewer):
    form = b"name=" + b"x" * TEN_MB

    response = by_session(viewer).post(
        TOKENS, form, content_type="application/x-www-form-urlencoded"
    )

    problem(response, 415, "unsupported_media_type")


def test_brackets_and_commas_in_a_text_are_text(api):
    response = api.post(TOKENS, {"name": '[{,"' * 20 + "\\"})

    assert response.status_code == 201, response.content


@pytest.mark.parametrize("raw", [b"", b"{}", b"[]", b'"text"', b"null", b"7"])
def test_a_body_of_another_shape_is_not_valid(api, raw):
    problem(api.post(TOKENS, raw), 400, "validation_error")


def test_an_unknown_member_is_named_with_its_place(api):
    told = problem(api.post(TOKENS, {"name": "x", "a/b~": 1}), 400, "unknown_field")

    assert [(one["code"], one["pointer"]) for one in told["errors"]] == [
        ("unknown_field", "/a~1b~0")
    ]


def test_every_flaw_is_told_with_its_place(api):
    told = problem(
        api.post(TOKENS, {"name": 7, "expires_in_days": True, "scopes": ["nothing"]}),
        400,
        "validation_error",
    )

    places = {one["pointer"] for one in told["errors"]}
    assert places == {"/name", "/expires_in_days", "/scopes/0"}


@pytest.mark.parametrize(
    "query", ["x=1", "page_size=0", "page_size=201", "page_size=a", "page_size=1&page_size=1"]
)
def test_a_query_that_is_not_understood_is_refused(api, query):
    told = problem(api.get(f"{TOKENS}?{query}"), 400, "invalid_parameter")

    assert told["errors"][0]["parameter"] == query.partition("=")[0]


@pytest.mark.parametrize("cursor", ["", "x", "eyJhIjoxfQ:a:b", "%00", "%ff"])
def test_a_cursor_that_nobody_gave_is_refused(api, cursor):
    response = api.get(f"{TOKENS}?cursor={cursor}")

    assert response.json()["code"] in {"invalid_cursor", "invalid_parameter"}
    assert response.status_code == 400
