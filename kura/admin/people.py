"""The list of patients: quick views with their numbers, filters, all journeys and the next step.

Who needs a person stands first. The numbers are of the whole practice, and each leads to a list of
so many rows.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Final

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.core.paginator import Paginator
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.functional import Promise, cached_property
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from journeys.admin.badges import Badge
from journeys.admin.filters import JourneyFilter, StageFilter, StatusFilter
from journeys.admin.patients import PatientWithJourneysAdmin
from journeys.cause import ENROLL
from kura.accounts.models import User
from kura.accounts.tenant_admin import KnownChoiceFilter, PreparedChangeList, editor_of
from kura.admin.desk import Desk, desk_of
from kura.admin.told import (
    BlockShown,
    Button,
    badge_of_view,
    block_shown,
    button_of_task,
    button_of_view,
)
from kura.standing.journey import JourneyView, Listed, listed
from kura.standing.limits import Limits
from kura.standing.people import PRIORITY, QuickView, condition_of, people, who_have
from kura.standing.steps_ahead import duration_words
from kura.standing.worklist import Asked
from patients.admin import TherapistFilter
from patients.models import Patient

if TYPE_CHECKING:
    _Paginator = Paginator[Any]
else:
    _Paginator = Paginator

LIST: Final = "patients_patient_changelist"


@dataclass(frozen=True, slots=True)
class Chip:
    """A quick view as a link with the number of people behind it."""

    view: QuickView
    number: int
    chosen: bool

    @property
    def label(self) -> Promise | str:
        return self.view.label


class ViewFilter(KnownChoiceFilter):
    """Blocked, stuck and so on. With a journey or a stage, all of it is said of one enrollment."""

    title = _("show")
    parameter_name = "view"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:  # noqa: ARG002
        return list(QuickView.choices)

    def narrow(self, request: HttpRequest, rows: QuerySet[Any], choice: str) -> QuerySet[Any]:
        return rows.filter(_in_view(QuickView(choice), request))


class OwnJourneyFilter(JourneyFilter):
    """From what the rows need anyway."""

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:  # noqa: ARG002
        return [(one.key, one.name) for one in _desk(request).known.values()]


class OwnStageFilter(StageFilter):
    """From what the rows need anyway."""

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:  # noqa: ARG002
        journey = request.GET.get(JourneyFilter.parameter_name)
        chosen = [one for one in _desk(request).known.values() if one.key == journey]
        return [(code, stage.label) for one in chosen for code, stage in one.stages.items()]


_ASKED: Final = {
    QuickView.NEEDS_DECISION: Asked(action_required=True),
    QuickView.BLOCKED: Asked(blocked=True),
    QuickView.STUCK: Asked(overdue=True),
    QuickView.ACTIVE: Asked(),
}


def _in_view(view: QuickView, request: HttpRequest) -> Q:
    limits = _desk(request).limits
    journey = request.GET.get(JourneyFilter.parameter_name, "")
    stage = request.GET.get(StageFilter.parameter_name, "")
    if view in _ASKED and (journey or stage):
        return who_have(replace(_ASKED[view], journey_key=journey, stage=stage), limits)
    return condition_of(view, limits)


def _desk(request: HttpRequest) -> Desk:
    return desk_of(request) or Desk(editor_of(request))


class KnownCount(_Paginator):
    """Of a quick view that nothing else narrows: the number on its link is how many there are."""

    known: int | None = None

    @cached_property
    def count(self) -> int:
        return super().count if self.known is None else self.known


_WITHIN_A_VIEW: Final = {ViewFilter.parameter_name, "p", "all", "e"}  # the others narrow


class NumberedChangeList(PreparedChangeList):
    """Says which of all rows the page shows."""

    @property
    def first_row(self) -> int:
        return 1 if self.show_all else (self.page_num - 1) * self.list_per_page + 1

    @property
    def last_row(self) -> int:
        return self.first_row + len(self.result_list) - 1


class PatientListAdmin(PatientWithJourneysAdmin):
    change_list_template = "kura/patients.html"
    list_display = ["person", "journeys", "in_stage", "therapist", "next_step"]
    list_display_links = None
    list_filter: ClassVar[tuple[type[KnownChoiceFilter], ...]] = (
        ViewFilter,
        OwnJourneyFilter,
        OwnStageFilter,
        StatusFilter,
        TherapistFilter,
    )
    empty_words = _("No patients yet. Add the first one.")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Patient]:
        """In order of priority where many are listed; one patient needs no rank."""
        if not _is_list(request):
            return super().get_queryset(request)
        return people(_desk(request).limits)

    def get_ordering(self, request: HttpRequest) -> tuple[str, ...]:
        return PRIORITY if _is_list(request) else ("sort_key", "id")

    def get_changelist_instance(self, request: HttpRequest) -> ChangeList:
        shown = super().get_changelist_instance(request)
        _tell(shown.result_list, _desk(request))
        return shown

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:  # noqa: ARG002
        return NumberedChangeList

    def get_paginator(self, request: HttpRequest, *args: Any, **kwargs: Any) -> _Paginator:
        pages = KnownCount(*args, **kwargs)
        if _is_list(request) and set(request.GET) <= _WITHIN_A_VIEW:
            pages.known = _desk(request).numbers[QuickView(_chosen(request))]
        return pages

    def prepare(self, rows: list[Any]) -> list[Any]:
        """What the rows show is read with the changelist: it depends on who reads."""
        return rows

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        desk = _desk(request)
        chosen = _chosen(request)
        chips = [Chip(one, desk.numbers[one], one == chosen) for one in QuickView]
        more = {"chips": chips, "views": {one.name: desk.numbers[one] for one in QuickView}}
        return super().changelist_view(request, more | (extra_context or {}))

    @admin.display(description=_("patient"))
    def person(self, row: Patient) -> str:
        url = reverse("admin:patients_patient_change", args=[row.pk])
        link = format_html('<a href="{}">{}</a>', url, row.full_name)
        erased = _badge(Badge("closed", gettext("Erased"))) if row.erased_at else ""
        return format_html('{} {}<span class="words">{}</span>', link, erased, row.email)

    @admin.display(description=_("journeys and stage"))
    def journeys(self, patient: Patient) -> str:
        return render_to_string("kura/_journey_lines.html", {"told": _told(patient)})

    @admin.display(description=_("in the stage"))
    def in_stage(self, row: Patient) -> str:
        return render_to_string("kura/_in_stage.html", {"told": _told(row)})

    @admin.display(description=_("next step"))
    def next_step(self, row: Patient) -> str:
        return render_to_string("kura/_button.html", {"button": _told(row).button, "about": row})


def _badge(badge: Badge) -> SafeString:
    return render_to_string("kura/_badge.html", {"badge": badge})


def _chosen(request: HttpRequest) -> str:
    return request.GET.get(ViewFilter.parameter_name) or QuickView.ALL


def _is_list(request: HttpRequest) -> bool:
    return bool(request.resolver_match and request.resolver_match.url_name == LIST)


# --- what a row says ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Line:
    """One journey. `block`: why it is blocked, and who looked at it."""

    journey: str
    badge: Badge
    block: BlockShown | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """`task`: what is asked for beside the journeys, "" for nothing.

    `stage_for`: in words, how long in the stage of the first line.
    """

    lines: tuple[Line, ...] = ()
    task: str = ""
    stage_for: str = ""
    first: JourneyView | None = None
    button: Button | None = None


def _told(row: Patient) -> Told:
    found: Told = getattr(row, "told", Told())
    return found


def _tell(rows: list[Any], desk: Desk) -> None:
    """Attaches `told` to each: one query, and the journeys of the practice."""
    found = listed([row.pk for row in rows], desk.limits, desk.known)
    for row in rows:
        row.told = _told_of(row, found[row.pk], desk.limits, desk.user)


def _told_of(row: Patient, one: Listed, limits: Limits, user: User) -> Told:
    first = one.journeys[0] if one.journeys else None
    loose = [task for task in one.tasks if task.enrollment_id is None]
    is_open = first is not None and first.is_open
    return Told(
        lines=tuple(_line(view, one, limits, user) for view in one.journeys),
        task=loose[0].text if loose else "",
        stage_for=duration_words(limits.now - first.entered_at) if first and is_open else "",
        first=first,
        button=None if row.erased_at else _button(row, one, user),
    )


def _line(view: JourneyView, one: Listed, limits: Limits, user: User) -> Line:
    block = block_shown(one.blocks.get(view.enrollment_id), user, limits.now)
    return Line(view.template_name, badge_of_view(view), block)


def _button(row: Patient, one: Listed, user: User) -> Button | None:
    """The most urgent matter first, as on the panel."""
    first = one.journeys[0] if one.journeys else None
    if first and (first.blocked or first.overdue):
        return button_of_view(first, user)
    if one.tasks:
        return button_of_task(one.tasks[0].id, user)
    if first:
        return button_of_view(first, user)
    if not user.has_perm(ENROLL):
        return None
    url = reverse("admin:patients_patient_enroll", args=[row.pk])
    return Button(label=gettext("Enroll in a journey"), url=url, in_dialog=True)
