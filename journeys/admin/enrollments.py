"""Who stands where: a list to read, an action that moves many, and the pages that move one."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from journeys.admin import badges
from journeys.admin.bulk import enrollments_selected
from journeys.admin.filters import JourneyFilter, StageFilter, StatusFilter
from journeys.admin.moving import move_page, unblock_page
from journeys.admin.outlook import Outlook
from journeys.cause import MOVE
from journeys.models.enrollment import Enrollment
from journeys.selectors.definitions import definitions
from kura.accounts.tenant_admin import ReadOnlyAdmin, editor_of, moment
from patients.models import Patient
from patients.selectors import search


def patient_link(patient: Patient | None) -> str:
    if patient is None:
        return "–"
    url = reverse("admin:patients_patient_change", args=[patient.pk])
    return format_html('<a href="{}">{}</a>', url, patient)


class EnrollmentAdmin(ReadOnlyAdmin):
    outlook = Outlook()  # what the floor above knows besides
    list_display = ("patient_name", "journey", "stage_badge", "since", "times")
    list_display_links = None
    list_filter = (JourneyFilter, StageFilter, StatusFilter)
    list_select_related = ("patient", "template")
    fields = ("patient_name", "journey", "stage_badge", "since", "enrolled", "ended", "times")
    search_fields = ("patient__search_key",)
    search_help_text = _("Name, e-mail address, telephone or number. Accents do not matter.")
    sortable_by = ()
    actions = ("move",)
    change_form_template = "kura/enrollment.html"

    def get_urls(self) -> list[URLPattern]:
        site, wrap = self.admin_site, self.admin_site.admin_view
        move = wrap(partial(move_page, site, self.outlook))
        unblock = wrap(partial(unblock_page, site, self.outlook))
        own = [
            path("<uuid:enrollment_id>/move/", move, name="journeys_enrollment_move"),
            path("<uuid:enrollment_id>/unblock/", unblock, name="journeys_enrollment_unblock"),
        ]
        return own + super().get_urls()

    def has_move_permission(self, request: HttpRequest) -> bool:
        return editor_of(request).has_perm(MOVE)

    @admin.action(description=_("Move to another stage…"), permissions=["move"])
    def move(self, request: HttpRequest, queryset: QuerySet[Enrollment]) -> HttpResponse | None:
        return enrollments_selected(self.admin_site, request, queryset)

    def get_search_results(
        self,
        request: HttpRequest,  # noqa: ARG002
        queryset: QuerySet[Enrollment],
        search_term: str,
    ) -> tuple[QuerySet[Enrollment], bool]:
        if not search_term.split():
            return queryset, False
        return queryset.filter(patient__in=search(Patient.objects.order_by(), search_term)), False

    def prepare(self, rows: list[Any]) -> list[Any]:
        known = definitions({row.template_id for row in rows})
        for row in rows:
            row.shown_stage = known[row.template_id].stages.get(row.stage)
        return rows

    def title_of(self, obj: Enrollment) -> str:
        return f"{obj.patient} · {obj.template.name}"

    @admin.display(description=_("patient"))
    def patient_name(self, row: Enrollment) -> str:
        return patient_link(row.patient)

    @admin.display(description=_("journey"))
    def journey(self, row: Enrollment) -> str:
        return row.template.name

    @admin.display(description=_("stage"))
    def stage_badge(self, row: Enrollment) -> SafeString:
        badge = badges.badge_of(getattr(row, "shown_stage", None), row.stage)
        return badges.html(badge)

    @admin.display(description=_("in this stage since"))
    def since(self, row: Enrollment) -> str:
        return moment(row.entered_at)

    @admin.display(description=_("enrolled"))
    def enrolled(self, row: Enrollment) -> str:
        return moment(row.opened_at)

    @admin.display(description=_("ended"))
    def ended(self, row: Enrollment) -> str:
        return moment(row.closed_at)

    @admin.display(description=_("enrollment number"))
    def times(self, row: Enrollment) -> int:
        return row.number
