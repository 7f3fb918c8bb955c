"""Who tells us that something happened, and what they are believed.

The kind is part of the stored name ("form:tally"), so that the log itself says how far to trust it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from automation import errors
from journeys.event_types import AssertedBy, EventType

_NAME: Final = re.compile(r"[A-Za-z0-9_.:-]{1,100}")


class SourceKind(StrEnum):
    FORM = "form"  # public: anybody can fill it in
    INTEGRATION = "integration"  # has a key of the practice
    STAFF = "staff"  # a person who is logged in
    SYSTEM = "system"  # Kura itself


@dataclass(frozen=True, slots=True)
class Source:
    """InvalidSource for a name that cannot be stored."""

    kind: SourceKind
    name: str

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise errors.InvalidSource

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}"

    def require(self, event_type: EventType) -> None:
        """EventTypeReserved, SourceNotTrusted: what this source may not assert."""
        asserted_by = event_type.asserted_by
        if asserted_by is AssertedBy.SYSTEM and self.kind is not SourceKind.SYSTEM:
            raise errors.EventTypeReserved(event_type=event_type.name)
        if asserted_by is AssertedBy.TRUSTED and self.kind is SourceKind.FORM:
            raise errors.SourceNotTrusted(event_type=event_type.name, source=str(self))


TRANSITIONS: Final = Source(SourceKind.SYSTEM, "transitions")
PATIENTS: Final = Source(SourceKind.SYSTEM, "patients")
RULES: Final = Source(SourceKind.SYSTEM, "rules")
PAUSES: Final = Source(SourceKind.SYSTEM, "pauses")
MONITOR: Final = Source(SourceKind.SYSTEM, "monitor")
