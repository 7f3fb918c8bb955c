"""The link from whatever automation did to the page that says why: the event that caused it."""

from __future__ import annotations

import uuid

from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _


def event_url(event_id: uuid.UUID) -> str:
    return reverse("admin:journeys_systemeventlog_change", args=[event_id])


def why_link(event_id: uuid.UUID, about: object) -> str:
    """`about`: for who hears the links without their rows."""
    link = '<a class="why" href="{}">{}<span class="visually-hidden"> {}</span></a>'
    return format_html(link, event_url(event_id), _("Why?"), about)
