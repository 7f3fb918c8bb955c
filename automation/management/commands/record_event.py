"""`manage.py record_event`: tell Kura that something happened, as an integration would.

    manage.py record_event --organization clinica-om --type PAYMENT_SUCCEEDED \
        --source integration:bank --id payment-17 --external-id om-052 --journey intake \
        --payload '{"amount_cents": 9000, "currency": "EUR"}'

Prints the event's id and its place in the queue. Exit code 0: it is stored, now or already;
1: it was refused, and nothing was stored. 2: the command line itself was wrong.
"""

from __future__ import annotations

import json
import sys
import uuid
from datetime import datetime
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone, translation
from django.utils.dateparse import parse_datetime

from automation.intake import Recorded, Subject, record_event
from automation.management.organizations import add_organization, organization_named
from automation.sources import Source, SourceKind
from journeys.models.template import JourneyTemplate
from kura import tenancy
from kura.accounts.models import Organization
from kura.errors import KuraError

# What Kura itself tells comes from Kura: under its names nobody may take the key of a coming move.
_OUTSIDE: Final = [kind.value for kind in SourceKind if kind is not SourceKind.SYSTEM]


class Command(BaseCommand):
    help = "Record an event once. The same id from the same source again changes nothing."

    def add_arguments(self, parser: CommandParser) -> None:
        add_organization(parser)
        parser.add_argument("--type", required=True, dest="event_type", help="PAYMENT_SUCCEEDED …")
        kinds = ", ".join(_OUTSIDE)
        parser.add_argument("--source", required=True, help=f"KIND:NAME; kinds: {kinds}")
        parser.add_argument("--id", required=True, dest="key", help="the source's name for it")
        about = parser.add_mutually_exclusive_group(required=True)
        about.add_argument("--patient-id")
        about.add_argument("--external-id")
        about.add_argument("--email")
        parser.add_argument("--journey", metavar="KEY", help="the journey that it is about")
        parser.add_argument("--payload", default="{}", help="a JSON object, or - to read stdin")
        parser.add_argument("--occurred-at", help="2026-01-31T09:00:00+01:00; now if left out")

    def handle(self, **options: Any) -> None:
        organization = organization_named(options["organization"])
        try:
            with tenancy.scope(organization):
                recorded = _recorded(organization, options)
        except KuraError as refusal:
            raise CommandError(_in_english(refusal)) from refusal
        again = ", was there already" if recorded.duplicate else ""
        self.stdout.write(f"{recorded.event_id} {recorded.status}{again}")


def _in_english(refusal: KuraError) -> str:
    """As everything that commands print; the refusal itself speaks when it is asked."""
    with translation.override("en"):
        return f"{refusal} ({refusal.code})"


def _recorded(organization: Organization, options: dict[str, Any]) -> Recorded:
    return record_event(
        organization=organization,
        event_type=options["event_type"],
        source=_source(options["source"]),
        idempotency_key=options["key"],
        subject=_subject(options),
        journey_key=_journey(organization, options["journey"]),
        payload=_payload(options["payload"]),
        occurred_at=_moment(options["occurred_at"]),
    )


def _journey(organization: Organization, key: str | None) -> str | None:
    """A person at a shell mistypes; no rule would listen to the event, and it is kept for ever."""
    known = JourneyTemplate.objects.filter(organization=organization).order_by("key")
    keys = list(known.values_list("key", flat=True))
    if key is not None and key not in keys:
        raise CommandError(f"There is no journey “{key}”. Known: {', '.join(keys) or 'none yet'}.")
    return key


def _source(text: str) -> Source:
    kind, _, name = text.partition(":")
    if kind not in _OUTSIDE or not name:
        kinds = ", ".join(_OUTSIDE)
        raise CommandError(f"--source is KIND:NAME, for example form:tally. Kinds: {kinds}.")
    return Source(SourceKind(kind), name)


def _subject(options: dict[str, Any]) -> Subject:
    patient_id = options["patient_id"]
    try:
        known = uuid.UUID(patient_id) if patient_id is not None else None
    except ValueError:
        raise CommandError("--patient-id is no UUID.") from None
    return Subject(id=known, external_id=options["external_id"], email=options["email"])


def _payload(text: str) -> dict[str, Any]:
    try:
        payload = json.loads(sys.stdin.read() if text == "-" else text)
    except (ValueError, RecursionError) as error:
        raise CommandError(f"--payload is no JSON: {error}.") from None
    if not isinstance(payload, dict):
        raise CommandError("--payload is JSON, but no object.")
    return payload


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        moment = parse_datetime(text)
    except ValueError:
        moment = None
    if moment is None or timezone.is_naive(moment):
        raise CommandError("--occurred-at is no date and time with its offset from UTC.")
    return moment
