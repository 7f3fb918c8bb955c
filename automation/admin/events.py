"""The events that came in: a list with what waits for a person on top, and a page for each that
answers "why did this happen?" and "why did nothing happen?".
"""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from automation.admin import badges
from automation.admin.decisions import DECISIONS, decision_page, possible_decisions
from automation.admin.event_nodes import event_nodes, title_of
from automation.admin.links import event_link, two_lines
from automation.admin.sight import sight_of
from automation.admin.what_if import what_if
from automation.models.dispatch import WAITING, DispatchStatus, EventDispatch
from automation.selectors.event_page import event_page, whole_events
from automation.wording import source_words
from journeys.admin import badges as journey_badges
from journeys.admin.enrollments import patient_link
from journeys.admin.filters import LogJourneyFilter
from journeys.admin.why import event_url
from journeys.event_types import EVENT_TYPES
from journeys.models.event import SystemEventLog
from journeys.models.template import JourneyTemplate
from journeys.selectors.history import definitions_by_key, event_label
from kura.accounts.exporting import ExportAdmin, Table, local
from kura.accounts.tenant_admin import KnownChoiceFilter, PeriodFilter, editor_of, moment

_STATES: Final = {
    DispatchStatus.DEAD.value: (DispatchStatus.DEAD.label, (DispatchStatus.DEAD,)),
    DispatchStatus.UNMATCHED.value: (DispatchStatus.UNMATCHED.label, (DispatchStatus.UNMATCHED,)),
    "waiting": (DispatchStatus.QUEUED.label, WAITING),
    DispatchStatus.DONE.value: (DispatchStatus.DONE.label, (DispatchStatus.DONE,)),
    DispatchStatus.SKIPPED.value: (DispatchStatus.SKIPPED.label, (DispatchStatus.SKIPPED,)),
}
_FOR_PEOPLE: Final = (DispatchStatus.DEAD, DispatchStatus.UNMATCHED)


class StateFilter(KnownChoiceFilter):
    title = _("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:  # noqa: ARG002
        return [(name, label) for name, (label, _statuses) in _STATES.items()]

    def narrow(self, request: HttpRequest, rows: QuerySet[Any], choice: str) -> QuerySet[Any]:  # noqa: ARG002
        return rows.filter(dispatch__status__in=_STATES[choice][1])


class EventTypeFilter(KnownChoiceFilter):
    title = _("event")
    parameter_name = "event"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:  # noqa: ARG002
        return [(name, event_label(name)) for name in EVENT_TYPES]

    def narrow(self, request: HttpRequest, rows: QuerySet[Any], choice: str) -> QuerySet[Any]:  # noqa: ARG002
        return rows.filter(event_type=choice)


@dataclass(frozen=True, slots=True)
class QuickLink:
    """`count`: how many wait for a person's decision; the number of the list behind the link."""

    state: str
    label: str
    count: int
    chosen: bool


class HappenedFilter(PeriodFilter):
    column = "occurred_at"


class EventAdmin(ExportAdmin):
    empty_words = _("No event has come in yet: forms, payments, analyses and moves appear here.")
    list_display = ("what", "patient_and_journey", "state", "happened")
    list_display_links = None
    list_filter = (StateFilter, EventTypeFilter, LogJourneyFilter, HappenedFilter)
    list_select_related = ("patient", "dispatch")
    ordering = ("-id",)  # ids are in the order of time, and have an index
    sortable_by = ()
    change_list_template = "kura/events.html"
    change_form_template = "kura/event.html"
    fields = ("what",)  # the page is its template

    def get_urls(self) -> list[URLPattern]:
        site, wrap = self.admin_site, self.admin_site.admin_view
        own = [
            path(
                f"<uuid:event_id>/{kind}/",
                wrap(partial(decision_page, site, kind)),
                name=f"journeys_systemeventlog_{kind}",
            )
            for kind in DECISIONS
        ]
        return own + super().get_urls()

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        extra = {"quick_links": _quick_links(request)} | (extra_context or {})
        return super().changelist_view(request, extra)

    def get_queryset(self, request: HttpRequest) -> QuerySet[SystemEventLog]:
        found: QuerySet[SystemEventLog] = super().get_queryset(request)
        cause = SystemEventLog.objects.filter(pk=OuterRef("parent_event_id"))
        return found.annotate(cause_type=Subquery(cause.values("event_type")[:1]))

    def export_rows(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        return rows.select_related("patient", "dispatch")

    def export_table(self, request: HttpRequest) -> Table:
        keys = JourneyTemplate.objects.values_list("key", flat=True)
        names = {where: one.name for where, one in definitions_by_key(keys).items()}
        clock = {"zone": timezone.get_current_timezone_name()}

        def page_of(event_id: uuid.UUID | None) -> str:
            return request.build_absolute_uri(event_url(event_id)) if event_id else ""

        def cells(row: SystemEventLog) -> list[object]:
            place = _place(row)
            return [
                row.pk,
                event_label(row.event_type),
                local(row.occurred_at),
                local(row.created_at),
                source_words(row.source),
                row.patient,
                row.patient.external_id if row.patient else None,
                names.get((row.organization_id, row.journey_key or ""), row.journey_key),
                badges.of_event(place).word,
                place.attempts if place else None,
                page_of(row.pk),
                page_of(row.parent_event_id),
            ]

        titles = [
            gettext("number"),
            gettext("event"),
            gettext("happened (%(zone)s)") % clock,
            gettext("recorded (%(zone)s)") % clock,
            gettext("source"),
            gettext("patient"),
            gettext("external id"),
            gettext("journey"),
            gettext("state"),
            gettext("attempts"),
            gettext("page of the event"),
            gettext("page of the cause"),
        ]
        return Table(titles, cells)

    def prepare(self, rows: list[Any]) -> list[Any]:
        known = definitions_by_key({row.journey_key for row in rows if row.journey_key})
        for row in rows:
            found = known.get((row.organization_id, row.journey_key))
            row.journey_name = found.name if found else (row.journey_key or "")
        return rows

    def get_object(
        self,
        request: HttpRequest,  # noqa: ARG002
        object_id: str,
        from_field: str | None = None,  # noqa: ARG002
    ) -> SystemEventLog | None:
        """With all that its page needs, at once."""
        try:
            return whole_events().filter(pk=object_id).first()
        except ValidationError:
            return None  # this is no id

    def title_of(self, obj: SystemEventLog) -> str:
        return event_label(obj.event_type)

    def beside(self, request: HttpRequest, obj: Any) -> dict[str, Any]:
        editor = editor_of(request)
        page = event_page(obj, sight_of(editor))
        return {
            "title": title_of(page),
            "page": page,
            "nodes": event_nodes(page),
            "payload_text": json.dumps(page.payload, indent=2, ensure_ascii=False),
            "decisions": possible_decisions(page, editor),
            "what_if": what_if(request, page),
        }

    @admin.display(description=_("event"))
    def what(self, row: SystemEventLog) -> str:
        return two_lines(event_link(row), _origin(row))

    @admin.display(description=_("patient"))
    def patient_and_journey(self, row: SystemEventLog) -> str:
        return two_lines(patient_link(row.patient), getattr(row, "journey_name", ""))

    @admin.display(description=_("state"))
    def state(self, row: SystemEventLog) -> str:
        return two_lines(journey_badges.html(badges.of_event(_place(row))), _attempts(row))

    @admin.display(description=_("happened"))
    def happened(self, row: SystemEventLog) -> str:
        recorded = format_html("{} {}", gettext("recorded"), moment(row.created_at))
        return two_lines(moment(row.occurred_at), recorded)


def _place(row: SystemEventLog) -> EventDispatch | None:
    return getattr(row, "dispatch", None)


def _origin(row: SystemEventLog) -> str:
    """Who told us, and for what Kura itself added, after which event."""
    cause_type: str | None = getattr(row, "cause_type", None)
    if cause_type is None or row.parent_event_id is None:
        return source_words(row.source)
    link = '{} · {} <a href="{}">{}</a>'
    url, words = event_url(row.parent_event_id), event_label(cause_type)
    return format_html(link, source_words(row.source), gettext("after"), url, words)


def _attempts(row: SystemEventLog) -> str:
    """One attempt is what everybody expects."""
    place = _place(row)
    if place is None or place.attempts < 2:  # noqa: PLR2004
        return ""
    return gettext("%(number)s attempts") % {"number": place.attempts}


def _quick_links(request: HttpRequest) -> list[QuickLink]:
    """One query, through the index that covers only what waits for people."""
    waiting = EventDispatch.objects.filter(status__in=_FOR_PEOPLE).order_by()
    counted = dict(waiting.values_list("status").annotate(Count("pk")))
    chosen = request.GET.get(StateFilter.parameter_name)
    return [
        QuickLink(status.value, str(status.label), counted.get(status, 0), chosen == status)
        for status in _FOR_PEOPLE
    ]
