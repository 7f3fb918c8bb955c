"""The outbox, to read: what was told to whom, and what became of it. Nobody edits a message; one
that failed, or perhaps arrived, can be sent again.

The text stands on the message's own page alone.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import URLPattern, path, reverse
from django.utils.formats import date_format
from django.utils.html import format_html, linebreaks
from django.utils.safestring import mark_safe
from django.utils.text import capfirst
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from automation.admin import badges
from automation.admin.links import cause_link, rule_link, two_lines
from automation.admin.resending import may_resend, resend_page
from automation.models.message import REASONS, Message, MessageState
from journeys.admin import badges as journey_badges
from journeys.admin.enrollments import patient_link
from kura.accounts.models import Language
from kura.accounts.tenant_admin import KnownChoiceFilter, ReadOnlyAdmin, editor_of, moment
from kura.accounts.timezones import clock


class MessageStateFilter(KnownChoiceFilter):
    title = _("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:  # noqa: ARG002
        return list(MessageState.choices)

    def narrow(self, request: HttpRequest, rows: QuerySet[Any], choice: str) -> QuerySet[Any]:  # noqa: ARG002
        return rows.filter(state=choice)


class MessageAdmin(ReadOnlyAdmin):
    empty_words = _("No rule has written a message yet.")
    list_display = ("about", "state_and_next", "patient_name", "cause", "when")
    list_display_links = None
    list_filter = (MessageStateFilter,)
    list_select_related = ("patient", "event", "rule")
    fields = (
        "status", "recipient", "for_whom", "patient_name", "speaks", "attempts", "next_try", "why",
        "when", "sent", "event_name", "rule_name", "text",
    )  # fmt: skip
    ordering = ("-created_at", "-id")
    sortable_by = ()
    change_form_template = "kura/message.html"

    def get_urls(self) -> list[URLPattern]:
        site = self.admin_site
        again = site.admin_view(partial(resend_page, site))
        own = path("<uuid:message_id>/resend/", again, name="automation_message_resend")
        return [own, *super().get_urls()]

    def beside(self, request: HttpRequest, obj: Any) -> dict[str, Any]:
        url = reverse("admin:automation_message_resend", args=[obj.pk])
        return {"resend_url": url if may_resend(obj, editor_of(request)) else ""}

    def title_of(self, obj: Message) -> str:
        return obj.subject

    @admin.display(description=_("message"))
    def about(self, row: Message) -> str:
        url = reverse("admin:automation_message_change", args=[row.pk])
        link = format_html('<a href="{}">{}</a>', url, row.subject)
        return two_lines(link, f"{row.get_audience_display()} · {row.recipient}")

    @admin.display(description=_("state"))
    def state_and_next(self, row: Message) -> str:
        return two_lines(self.status(row), _what_next(row))

    @admin.display(description=_("because of"))
    def cause(self, row: Message) -> str:
        return two_lines(rule_link(row.rule), cause_link(row.event, row.subject))

    @admin.display(description=_("state"))
    def status(self, row: Message) -> str:
        return journey_badges.html(badges.of_message(row))

    @admin.display(description=_("for"))
    def for_whom(self, row: Message) -> str:
        return str(row.get_audience_display())

    @admin.display(description=_("patient"))
    def patient_name(self, row: Message) -> str:
        return patient_link(row.patient)

    @admin.display(description=_("language"))
    def speaks(self, row: Message) -> str:
        known = dict(Language.choices)
        return str(known.get(row.language, row.language))

    @admin.display(description=_("next attempt"))
    def next_try(self, row: Message) -> str:
        waits = row.state in {MessageState.QUEUED, MessageState.SENDING}
        return moment(row.next_attempt_at if waits else None)

    @admin.display(description=_("last problem"))
    def why(self, row: Message) -> str:
        return capfirst(_until(row)) or "–"

    @admin.display(description=_("when"))
    def when(self, row: Message) -> str:
        return moment(row.created_at)

    @admin.display(description=_("sent"))
    def sent(self, row: Message) -> str:
        return moment(row.sent_at)

    @admin.display(description=_("event that caused it"))
    def event_name(self, row: Message) -> str:
        return cause_link(row.event, row.subject)

    @admin.display(description=_("rule"))
    def rule_name(self, row: Message) -> str:
        return rule_link(row.rule)

    @admin.display(description=_("text"))
    def text(self, row: Message) -> str:
        words = mark_safe(linebreaks(row.body, autoescape=True))  # noqa: S308  escaped just here
        return format_html('<div class="letter" lang="{}">{}</div>', row.language, words)


def _until(row: Message) -> str:
    """Why it waits, and until when: of quiet hours, on the clock that they go by."""
    if row.state != MessageState.QUEUED or row.last_error != "quiet_hours":
        return row.why
    zone = clock(row.patient.timezone if row.patient else "", row.organization.timezone)
    there = row.next_attempt_at.astimezone(zone)
    return gettext("%(why)s (%(zone)s), until %(when)s there") % {
        "why": row.why,
        "zone": str(zone).replace("_", " "),
        "when": date_format(there, "MOMENT"),
    }


def _what_next(row: Message) -> str:
    """How often it was tried, why it is kept back, and when it will be tried again."""
    told = gettext("%(number)s attempts") % {"number": row.attempts} if row.attempts > 1 else ""
    if row.state != MessageState.QUEUED:
        return told
    if row.last_error in REASONS:
        told = capfirst(row.why)
    elif not row.attempts:
        return told
    again = format_html("{} {}", gettext("next attempt"), moment(row.next_attempt_at))
    return format_html("{} {}", f"{told}," if told else "", again)
