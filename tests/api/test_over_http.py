"""What a hostile client says to the real web server, byte by byte."""

from __future__ import annotations

import gzip
import http.client
import json
import socket
from contextlib import ExitStack

import pytest

from journeys.models import SystemEventLog
from kura import tenancy
from kura.accounts.models import IntegrationKey
from patients.models import Patient
from tests.factories import OrganizationFactory, PatientFactory
from tests.http_server import serving

EVENTS, PATIENTS = "/api/v1/events", "/api/v1/patients"
EVENT = b'{"id": "e-1", "event_type": "CUSTOM.call", "patient": {"email": "a@example.org"}}'
DEEP = 100_000
TEN_MB = 10 * 1024 * 1024
SECONDS = 10  # for any answer
THREADS = 16  # of the server
QUIET = {"KURA_RATE_INTEGRATION": "off"}
PARSE, LARGE, KIND = "parse_error", "payload_too_large", "unsupported_media_type"


@pytest.fixture
def practice(committed_db):
    organization = OrganizationFactory()
    with tenancy.scope(organization):
        yield organization


@pytest.fixture
def port(practice, tmp_path):
    with serving(tmp_path / "web.log", **QUIET) as server:
        yield server.port


@pytest.fixture
def clinic(practice):
    made = {
        "organization": practice,
        "name": "clinic",
        "scopes": ["events:write", "journeys:write"],
    }
    _key, text = IntegrationKey.objects.create_key(**made)
    return {"Authorization": f"Bearer {text}", "Content-Type": "application/json"}


def said(
    port: int, method: str, path: str, headers: dict[str, str], body: bytes, seconds: int = SECONDS
):
    """The answer to exactly these bytes. The sender hangs up its side, and may be cut off."""
    lines = {"Host": "127.0.0.1", "Connection": "close"} | headers
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    with socket.create_connection(("127.0.0.1", port), seconds) as line:
        try:
            line.sendall(f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode("latin-1") + body)
            line.shutdown(socket.SHUT_WR)
        except (BrokenPipeError, ConnectionResetError):
            pass  # the answer came before the end of the body
        response = http.client.HTTPResponse(line)
        response.begin()
        return response, response.read()


def refused(told, status: int, code: str) -> None:
    response, raw = told
    assert (response.status, json.loads(raw)["code"]) == (status, code)
    assert response.headers["Content-Type"] == "application/problem+json"


def nothing_is_kept() -> bool:
    return not SystemEventLog.objects.exists()


def sized(body: bytes) -> dict[str, str]:
    return {"Content-Length": str(len(body))}


def chunked(body: bytes) -> bytes:
    return b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)


def payload(text: bytes) -> bytes:
    return EVENT[:-1] + b', "payload": ' + text + b"}"


def test_a_body_that_cannot_be_kept_is_refused(port, clinic):
    for body, status, code in [
        (b"[" * 20_000, 400, PARSE),
        (b"[" * 20_000 + b"]" * 20_000, 400, PARSE),
        (b'{"":' * (DEEP // 2), 400, PARSE),
        (b'{"a":' * DEEP + b"1" + b"}" * DEEP, 413, LARGE),
        (payload(b'{"a": 1e400}'), 400, PARSE),
        (payload(rb'{"a": "\u0000"}'), 400, PARSE),
        (payload(rb'{"\u0000": 1}'), 400, PARSE),
        (payload(rb'{"a": "\ud800"}'), 400, PARSE),
        (payload(rb'{"\udfff": 1}'), 400, PARSE),
        (payload(b'{"a": 1, "a": 2}'), 400, PARSE),
        (b'"' + b"x" * TEN_MB + b'"', 413, LARGE),
    ]:
        refused(said(port, "POST", EVENTS, clinic | sized(body), body), status, code)
    assert nothing_is_kept()


def test_an_upload_that_is_too_large_is_answered_before_it_is_sent(port, clinic):
    ten_mb = clinic | {"Content-Length": str(TEN_MB)}
    asking = clinic | {"Expect": "100-continue"}

    refused(said(port, "POST", EVENTS, ten_mb, b""), 413, LARGE)
    refused(said(port, "POST", EVENTS, ten_mb | asking, b""), 413, LARGE)
    response, raw = said(port, "POST", EVENTS, asking | sized(EVENT), EVENT)
    assert (response.status, json.loads(raw)["status"]) == (202, "unmatched")


def test_a_body_without_a_length_is_refused_and_not_taken_for_none(port, clinic, practice):
    """A PATCH of nothing is fine, so it would be thanked for what it did not do."""
    patient = PatientFactory(organization=practice, phone="+34600000000")
    headers = clinic | {"Transfer-Encoding": "chunked"}
    path = f"{PATIENTS}/{patient.pk}"

    told = said(port, "PATCH", path, headers, chunked(b'{"phone": "+34611111111"}'))

    refused(told, 400, PARSE)
    refused(said(port, "POST", EVENTS, headers, chunked(b"x" * TEN_MB)), 400, PARSE)
    assert Patient.objects.get().phone == "+34600000000"


def test_a_body_that_is_not_as_long_as_announced_is_not_taken_for_whole(port, clinic):
    cloud = {
        "ce-specversion": "1.0",
        "ce-id": "1",
        "ce-source": "/s",
        "ce-type": "CUSTOM.call",
        "ce-subject": "a@example.org",
    }

    for headers, length, body in [
        (clinic, 200, EVENT),
        (clinic | cloud, 200, b""),
        (clinic, 5, EVENT),
        (clinic, len(EVENT) - 1, EVENT),
    ]:
        told = said(port, "POST", EVENTS, headers | {"Content-Length": str(length)}, body)
        refused(told, 400, PARSE)
    assert nothing_is_kept()


def test_a_length_that_is_none_is_refused(port, clinic):
    for length in ["-5", "+5", "abc", "0x10", "5, 6"]:
        response, _raw = said(port, "POST", EVENTS, clinic | {"Content-Length": length}, EVENT)
        assert response.status == 400, length
    both = clinic | sized(EVENT) | {"Transfer-Encoding": "chunked"}
    response, _raw = said(port, "POST", EVENTS, both, chunked(EVENT))
    assert response.status == 400
    assert nothing_is_kept()


def test_a_body_of_another_kind_is_refused(port, clinic):
    for kind in ["", "text/plain", "application/json, x/y", "application/json; a*=no-such''x"]:
        told = said(port, "POST", EVENTS, clinic | sized(EVENT) | {"Content-Type": kind}, EVENT)
        refused(told, 415, KIND)
    body = gzip.compress(EVENT)
    for coding in ["gzip", "br", "gzip, identity"]:
        headers = clinic | sized(body) | {"Content-Encoding": coding}
        refused(said(port, "POST", EVENTS, headers, body), 415, KIND)
    assert nothing_is_kept()


def test_a_path_or_query_that_is_none_is_a_problem(port, clinic):
    for path, status in [
        ("/api/v1/%ff", 404),
        ("/api/v1/%00", 404),
        ("/api/v1/journey-templates/%00", 404),
        ("/api/v1/journey-templates/%ff", 404),
        ("/api/v1//events", 404),
        ("/api/v1/./events", 404),
        ("/api/v1/auth/../events", 404),
        ("/api/v1/events%0d%0aX:1", 404),
        ("/api/v1/auth/me?x=%00", 400),
        ("/api/v1/auth/me?format=xml", 400),
        ("/api/v1/auth/me?" + "&" * 3000, 400),
    ]:
        response, raw = said(port, "GET", path, clinic, b"")
        assert (response.status, json.loads(raw)["status"]) == (status, status), path
        assert response.headers["Content-Type"] == "application/problem+json"


def test_headers_that_mean_nothing_change_nothing(port, clinic):
    for headers in [
        {"Accept-Language": "xx;q=abc"},
        {"Accept-Language": "es-" * 2500},
        {"Accept-Language": "\xff\xfe"},
        {"Accept": "*/*," * 1000},
        {"Accept": "application/json; indent=99999999"},
        {"X-Forwarded-Host": "evil.example"},
        {"X_Forwarded_Host": "evil.example"},
        {"X-HTTP-Method-Override": "DELETE"},
        {"X-Request-ID": "a b\xff"},
        {"Cookie": 'sessionid="\\000"; csrftoken="\\377"'},
    ]:
        response, raw = said(port, "GET", "/api/v1/auth/me", clinic | headers, b"")
        assert (response.status, json.loads(raw)["integration"]["name"]) == (200, "clinic")
        assert b"evil.example" not in raw
        assert "a b" not in response.headers["X-Request-ID"]


def test_clients_that_fall_silent_keep_nobody_waiting(port, clinic):
    """More of them than threads: some in the first line, the others in the body."""
    head = "".join(f"{name}: {value}\r\n" for name, value in clinic.items())
    begun = f"POST {EVENTS} HTTP/1.1\r\nHost: 127.0.0.1\r\n{head}Content-Length: 90\r\n\r\n"
    with ExitStack() as held:
        for text in ["P", begun] * THREADS:
            line = socket.create_connection(("127.0.0.1", port), SECONDS)
            held.enter_context(line).sendall(text.encode())

        response, _raw = said(port, "GET", "/healthz", {}, b"", seconds=3 * SECONDS)

    assert response.status == 200
