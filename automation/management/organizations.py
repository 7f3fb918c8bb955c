"""`--organization SLUG`: which practice a command works for."""

from __future__ import annotations

from django.core.management.base import CommandError, CommandParser

from kura.accounts.models import Organization


def add_organization(parser: CommandParser) -> None:
    parser.add_argument("--organization", required=True, metavar="SLUG", help="the practice")


def organization_named(slug: str) -> Organization:
    """CommandError that lists the ones there are."""
    found = Organization.objects.filter(slug=slug).first()
    if found is None:
        known = ", ".join(Organization.objects.values_list("slug", flat=True)) or "none yet"
        raise CommandError(f"There is no organization “{slug}”. Known: {known}.")
    return found
