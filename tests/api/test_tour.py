"""The tour of docs/api.md, walked at the real web server: the page cannot say what is not so."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf.global_settings import PASSWORD_HASHERS
from django.utils import timezone

from automation.library import install
from journeys.services.templates import create_template
from kura import tenancy
from kura.api.schema import description
from kura.demo.archetypes import ARCHETYPES
from tests.acceptance.stuck import RETREAT, stands
from tests.automation.practice import drain
from tests.factories import OrganizationFactory, PatientFactory, a_user
from tests.http_server import Answer, Server, serving

PAGE = Path(__file__).resolve().parents[2] / "docs" / "api.md"
BLOCK = re.compile(r"^```http\n(.*?)^```$", flags=re.MULTILINE | re.DOTALL)
NAME = re.compile(r"\{(\w+)\}")
ANYTHING = "…"


@dataclass(frozen=True)
class Said:
    """A block of the page: a request, or an answer in part."""

    first: str
    headers: dict[str, str]
    body: str

    @classmethod
    def of(cls, text: str) -> Said:
        head, _, body = text.strip().partition("\n\n")
        first, *lines = head.splitlines()
        return cls(first, dict(line.split(": ", 1) for line in lines), body)


@dataclass
class Reader:
    """Who follows the page: their cookies, and what answers have given them."""

    server: Server
    cookies: dict[str, str] = field(default_factory=dict)
    known: dict[str, Any] = field(default_factory=dict)

    def filled(self, text: str) -> str:
        return NAME.sub(lambda name: str((self.known | self.cookies)[name[1]]), text)

    def ask(self, said: Said) -> Answer:
        method, path = self.filled(said.first).split(" ")
        body = json.loads(self.filled(said.body)) if said.body else None
        headers = {name: self.filled(value) for name, value in said.headers.items()}
        headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        answer = self.server.call(method, path, body, **headers)
        self.cookies |= answer.cookies
        return answer

    def compare(self, said: Said, answer: Answer) -> None:
        assert said.first == f"HTTP/1.1 {answer.status}", answer.raw
        if said.body:
            self.same(json.loads(said.body), answer.told)
        for name, value in said.headers.items():
            assert answer.headers[name] == self.filled(value), name

    def same(self, said: Any, told: Any) -> None:
        """What the page says is in the answer; a new `{name}` is learned from it."""
        if said == ANYTHING:
            return
        if isinstance(said, dict):
            for name, value in said.items():
                self.same(value, told[name])
        elif isinstance(said, list):
            shown = said[:-1] if said[-1:] == [ANYTHING] else said
            assert len(shown) <= len(told) if shown != said else len(shown) == len(told), told
            for value, found in zip(shown, told, strict=False):
                self.same(value, found)
        elif isinstance(said, str) and (name := NAME.fullmatch(said)):
            assert self.known.setdefault(name[1], told) == told, said
        else:
            assert said == told


@pytest.fixture
def reader(committed_db, tmp_path, settings):
    settings.PASSWORD_HASHERS = PASSWORD_HASHERS  # the server's
    practice = OrganizationFactory()
    a_user(practice, "therapist", email="sol@example.org", display_name="Dr. Sol")
    with tenancy.scope(practice):
        for blueprint in ARCHETYPES:
            create_template(organization=practice, blueprint=blueprint)
        install(practice)
        marta = PatientFactory(organization=practice, full_name="Marta Ruiz", email="m@example.org")
        for hours, stage in ((3, "SCREENING_PENDING"), (1, "SCREENING_COMPLETED")):
            stands(marta, stage, timezone.now() - timedelta(hours=hours), RETREAT)
        with serving(tmp_path / "web.log") as server:
            yield Reader(server)


def test_the_tour_is_what_the_server_answers(reader):
    """Between two requests the cluster works off what waits."""
    blocks = [Said.of(text) for text in BLOCK.findall(PAGE.read_text())]
    assert len(blocks) % 2 == 0

    for request, answer in zip(blocks[::2], blocks[1::2], strict=True):
        reader.compare(answer, reader.ask(request))
        drain()

    assert {"patient", "event", "moved", "token"} <= reader.known.keys()


def test_the_page_names_every_code_of_the_description():
    page = PAGE.read_text()
    answers = [
        answer
        for methods in description()["paths"].values()
        for operation in methods.values()
        for status, answer in operation["responses"].items()
        if status >= "400"
    ]
    codes = {code for answer in answers for code in re.findall(r"`(\w+)`", answer["description"])}

    assert len(codes) > 50
    assert {code for code in codes if f"`{code}`" not in page} == set()


def test_a_page_that_says_otherwise_is_found_out():
    reader = Reader(Server(port=0, pid=0))
    told = {"a": [{"b": 1}, {"b": 2}], "c": None}

    reader.same({"a": [{"b": 1}, "…"], "c": None}, told)
    for wrong in ({"a": [{"b": 1}]}, {"a": [{"b": 2}, "…"]}, {"c": 0}, {"d": 1}):
        with pytest.raises((AssertionError, KeyError)):
            reader.same(wrong, told)
