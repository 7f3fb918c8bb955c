"""The two demo practices, each made whole in one transaction or left exactly as it is.

What is there is never touched: from the first log-in on, a demo practice belongs to whoever
tries it out. So the test for "is there" is wide: the short name or anybody's address.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import Group
from django.db import transaction
from django.db.models import Q

from automation.library import install
from journeys.services.templates import create_template, set_active
from kura import tenancy
from kura.accounts.models import Language, Organization, User
from kura.demo.centro_sol import CENTRO_SOL
from kura.demo.clinica_om import CLINICA_OM
from kura.demo.history import Happening, happenings, let_happen, replay
from kura.demo.people import Colleague, Practice
from patients.models import Patient

PRACTICES: Final = (CLINICA_OM, CENTRO_SOL)
PASSWORD: Final = "kura-demo"  # noqa: S105  printed for everybody; only demo log-ins ever have it
PAPERWORK: Final = timedelta(minutes=20)  # from registration to the first enrollment


@transaction.atomic
def make_practice(practice: Practice, *, now: datetime) -> bool:
    """Make the practice with all its history up to `now`; False when it was there already.

    Somebody else making it at this moment is waited for.
    """
    if _is_there(practice):
        return False
    organization, is_new = Organization.objects.get_or_create(
        slug=practice.slug,
        defaults={
            "name": practice.name,
            "timezone": practice.timezone,
            "language": Language.SPANISH,
        },
    )
    if is_new:
        with tenancy.scope(organization):
            _fill(organization, practice, now)
    return is_new


def _is_there(practice: Practice) -> bool:
    addresses = [colleague.email for colleague in practice.colleagues]
    return Organization.objects.filter(
        Q(slug=practice.slug) | Q(users__email__in=addresses)
    ).exists()


def _fill(organization: Organization, practice: Practice, now: datetime) -> None:
    templates = {
        journey.key: create_template(organization=organization, blueprint=journey)
        for journey in practice.journeys
    }
    colleagues = _colleagues(organization, practice)
    story_line = happenings(practice, now)
    patients = _patients(
        organization, practice, colleagues, _registrations(practice, story_line, now)
    )
    past = [one for one in story_line if not one.by_rules]
    replay(past, patients=patients, colleagues=colleagues)
    for key in practice.ended:
        set_active(template_id=templates[key].pk, is_active=False)
    install(organization, also_waiting=True)  # after the past, which causes nothing any more
    let_happen([one for one in story_line if one.by_rules], patients=patients)


def _colleagues(organization: Organization, practice: Practice) -> dict[str, User]:
    """By handle. One hash for all: half a second each, and the password is no secret."""
    hashed = make_password(PASSWORD)
    return {one.handle: _colleague(organization, one, hashed) for one in practice.colleagues}


def _colleague(organization: Organization, colleague: Colleague, hashed: str) -> User:
    user = User.objects.create(
        organization=organization,
        email=colleague.email,
        password=hashed,
        display_name=colleague.name,
        language=organization.language,
    )
    user.groups.add(Group.objects.get(name=colleague.role))
    return user


def _registrations(
    practice: Practice, story_line: Sequence[Happening], now: datetime
) -> list[datetime]:
    """When each of the people was registered: shortly before their first journey began."""
    first: dict[str, datetime] = {}
    for happening in story_line:
        first.setdefault(happening.external_id, happening.at - PAPERWORK)
    return [
        first.get(practice.external_id(place), now - timedelta(days=person.registered_days))
        for place, person in enumerate(practice.people)
    ]


def _patients(
    organization: Organization,
    practice: Practice,
    colleagues: Mapping[str, User],
    registrations: Sequence[datetime],
) -> dict[str, Patient]:
    """By external id. One statement."""
    made = [
        Patient(
            organization=organization,
            external_id=practice.external_id(place),
            full_name=person.name,
            email=person.address,
            phone=person.phone,
            language=person.language,
            timezone=person.timezone,
            therapist=colleagues.get(person.therapist),
            created_at=registered,
            updated_at=registered,
        )
        for place, (person, registered) in enumerate(
            zip(practice.people, registrations, strict=True)
        )
    ]
    return {str(one.external_id): one for one in Patient.objects.bulk_create(made)}
