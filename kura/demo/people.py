"""Who appears in a demo practice: colleagues with a log-in, and invented patients.

Addresses end in .example and example.org, which belong to nobody (RFC 2606).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from journeys.blueprints import Blueprint
from kura.accounts.models import Language
from kura.demo.stories import Story


@dataclass(frozen=True, kw_only=True, slots=True)
class Colleague:
    email: str
    name: str
    role: str

    @property
    def handle(self) -> str:
        """What the stories call them: "laura"."""
        return self.email.partition("@")[0]


@dataclass(frozen=True, kw_only=True, slots=True)
class Person:
    """`email` None: made from the name; '': has none. `therapist`: a handle, or '' for nobody.

    `registered_days`: for who has no story; the others were registered when their first began.
    """

    name: str
    stories: tuple[Story, ...] = ()
    therapist: str = ""
    email: str | None = None
    phone: str = ""
    language: Language = Language.SPANISH
    timezone: str = ""
    registered_days: int = 20

    @property
    def address(self) -> str:
        return address_of(self.name) if self.email is None else self.email


@dataclass(frozen=True, kw_only=True, slots=True)
class Practice:
    """`ended`: keys of journeys that take nobody any more. `prefix` begins the external ids."""

    slug: str
    name: str
    timezone: str
    prefix: str
    colleagues: Sequence[Colleague]
    journeys: Sequence[Blueprint]
    ended: frozenset[str]
    people: Sequence[Person]

    def external_id(self, place: int) -> str:
        return f"{self.prefix}-{place + 1:03}"


def address_of(name: str) -> str:
    """Name and first surname: marta.soler@example.org."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    words = ["".join(filter(str.isalpha, word)) for word in plain.split()]
    return f"{'.'.join(words[:2])}@example.org"
