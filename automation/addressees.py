"""To whom: the address of a patient, of their therapist, of the practice. One address a message."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from automation.models.message import Audience
from kura.accounts.models import Organization, User
from kura.accounts.roles import MANAGER
from patients.models import Patient

MAX_ADDRESS: Final = 254
# Nothing that a header or an SMTP command could read as more than one address.
_ONE_ADDRESS: Final = re.compile(
    r"[^\s\x00-\x1f\x7f\"<>(),;:\\\[\]@]+@[^\s\x00-\x1f\x7f\"<>(),;:\\@]+"
)


@dataclass(frozen=True, slots=True)
class Addressee:
    address: str
    language: str


def usable_address(address: object) -> str | None:
    """The address itself if it is exactly one; else None."""
    if not isinstance(address, str) or len(address) > MAX_ADDRESS:
        return None
    if not _ONE_ADDRESS.fullmatch(address):
        return None
    try:
        validate_email(address)
    except ValidationError:
        return None
    return address


def addressees(audience: str, patient: Patient, practice: Organization) -> list[Addressee]:
    """Nobody: an empty list. A therapist who cannot be reached is replaced by the practice."""
    if audience == Audience.PATIENT:
        return _usable([(patient.email, patient.language)])
    therapist = patient.therapist if audience == Audience.THERAPIST else None
    found = _of_user(therapist) if therapist and therapist.is_active else []
    return found or _of_practice(practice)


def practice_address(practice: Organization) -> str | None:
    settings = practice.settings if isinstance(practice.settings, dict) else {}
    return usable_address(settings.get("email"))


def _of_user(user: User) -> list[Addressee]:
    return _usable([(user.email, user.language)])


def _of_practice(practice: Organization) -> list[Addressee]:
    address = practice_address(practice)
    if address:
        return [Addressee(address, practice.language)]
    managers = User.objects.filter(organization=practice, is_active=True, groups__name=MANAGER)
    return _usable(managers.order_by("email").values_list("email", "language"))


def _usable(people: Iterable[tuple[str, str]]) -> list[Addressee]:
    """Each address once, whatever its case."""
    found: dict[str, Addressee] = {}
    for address, language in people:
        if usable_address(address):
            found.setdefault(address.lower(), Addressee(address, language))
    return list(found.values())
