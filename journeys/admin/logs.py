"""The journey log, to read: every move with its cause. Nobody adds or changes a row.

The log of events is read one floor up, with what automation made of each.
"""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from journeys.admin import badges
from journeys.admin.enrollments import patient_link
from journeys.admin.filters import LogJourneyFilter
from journeys.admin.why import event_url, why_link
from journeys.models.log import ActorKind, JourneyLog
from journeys.selectors.history import (
    HistoryLine,
    history_lines,
    history_reader,
    readable,
)
from kura.accounts.exporting import ExportAdmin, Table, local
from kura.accounts.tenant_admin import KnownChoiceFilter, PeriodFilter, moment


class ActorFilter(KnownChoiceFilter):
    title = _("moved by")
    parameter_name = "actor"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:  # noqa: ARG002
        return list(ActorKind.choices)

    def narrow(self, request: HttpRequest, rows: QuerySet[Any], choice: str) -> QuerySet[Any]:  # noqa: ARG002
        return rows.filter(actor_kind=choice)


class MovedFilter(PeriodFilter):
    column = "changed_at"


class JourneyLogAdmin(ExportAdmin):
    list_display = ("when", "patient_name", "journey", "move", "by_and_why", "reason")
    list_filter = (LogJourneyFilter, ActorFilter, MovedFilter)
    fields = ("patient_name", "journey", "move", "when", "recorded", "by", "event",
              "reason", "note")  # fmt: skip
    sortable_by = ()

    def get_queryset(self, request: HttpRequest) -> QuerySet[JourneyLog]:
        return readable(super().get_queryset(request))

    def export_rows(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        return readable(rows)

    def export_table(self, request: HttpRequest) -> Table:
        read = history_reader()
        clock = {"zone": timezone.get_current_timezone_name()}

        def cells(row: JourneyLog) -> list[object]:
            line = read(row)
            cause = _cause(request, row)
            return [
                row.pk,
                local(row.changed_at),
                local(row.recorded_at),
                row.patient,
                row.patient.external_id,
                line.journey,
                line.from_stage.label if line.from_stage else row.from_stage,
                line.to_stage.label if line.to_stage else row.to_stage,
                self.who(row, line),
                line.event,
                line.reason,
                line.note,
                cause,
            ]

        titles = [
            gettext("number"),
            gettext("when (%(zone)s)") % clock,
            gettext("recorded (%(zone)s)") % clock,
            gettext("patient"),
            gettext("external id"),
            gettext("journey"),
            gettext("from stage"),
            gettext("to stage"),
            gettext("moved by"),
            gettext("event that caused it"),
            gettext("reason"),
            gettext("reason in words"),
            gettext("page of the cause"),
        ]
        return Table(titles, cells)

    def prepare(self, rows: list[Any]) -> list[Any]:
        for row, line in zip(rows, history_lines(rows), strict=True):
            row.line = line
        return rows

    def who(self, row: JourneyLog, line: HistoryLine) -> str:  # noqa: ARG002  rules are a floor up
        return line.actor

    def title_of(self, obj: JourneyLog) -> str:
        return f"{obj.patient} · {_line(obj).journey}"

    @admin.display(description=_("patient"))
    def patient_name(self, row: JourneyLog) -> str:
        return patient_link(row.patient)

    @admin.display(description=_("journey"))
    def journey(self, row: JourneyLog) -> str:
        return _line(row).journey

    @admin.display(description=_("move"))
    def move(self, row: JourneyLog) -> str:
        to_badge = badges.html(badges.badge_of(_line(row).to_stage, row.to_stage))
        if row.from_stage is None:
            return to_badge
        left = badges.plain(badges.badge_of(_line(row).from_stage, row.from_stage))
        return format_html(
            '<span class="move">{} → {}</span>',
            badges.html(left),
            to_badge,
        )

    @admin.display(description=_("when"))
    def when(self, row: JourneyLog) -> str:
        return moment(row.changed_at)

    @admin.display(description=_("recorded"))
    def recorded(self, row: JourneyLog) -> str:
        return moment(row.recorded_at)

    @admin.display(description=_("moved by"))
    def by(self, row: JourneyLog) -> str:
        return self.who(row, _line(row))

    @admin.display(description=_("moved by"))
    def by_and_why(self, row: JourneyLog) -> str:
        if not _line(row).event:
            return self.by(row)
        return format_html('{}<span class="words">{}</span>', self.by(row), self.event(row))

    @admin.display(description=_("event that caused it"))
    def event(self, row: JourneyLog) -> str:
        words = _line(row).event
        if not words or row.trigger_event_id is None:
            return "–"
        about = f"{row.patient}: {badges.badge_of(_line(row).to_stage, row.to_stage).word}"
        link, url = '<a href="{}">{}</a> · {}', event_url(row.trigger_event_id)
        return format_html(link, url, words, why_link(row.trigger_event_id, about))

    @admin.display(description=_("reason"))
    def reason(self, row: JourneyLog) -> str:
        return _line(row).reason or "–"

    @admin.display(description=_("reason in words"))
    def note(self, row: JourneyLog) -> str:
        return _line(row).note or "–"


def _line(row: JourneyLog) -> HistoryLine:
    line: HistoryLine = getattr(row, "line")  # noqa: B009  attached by `prepare`
    return line


def _cause(request: HttpRequest, row: JourneyLog) -> str:
    """The address of the event's page, for a file that leaves the workplace."""
    url = event_url(row.trigger_event_id) if row.trigger_event_id else ""
    return request.build_absolute_uri(url) if url else ""
