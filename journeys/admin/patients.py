"""The list of patients with a badge for each journey, and the pages that enroll and move them.

The page of one patient is made in `kura/admin`, where all that belongs on it is known.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterable
from functools import partial
from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext_lazy as _

from journeys.admin import badges
from journeys.admin.bulk import ENROLLING, MOVING, VERBS, bulk_page, patients_selected
from journeys.admin.enrolling import enroll_page
from journeys.admin.filters import JourneyFilter, StageFilter, StatusFilter
from journeys.cause import ENROLL, MOVE
from journeys.models.enrollment import Enrollment
from journeys.models.template import StageStatus
from journeys.selectors.definitions import definitions
from journeys.selectors.options import newest_by_key
from kura.accounts.tenant_admin import KnownChoiceFilter, editor_of
from patients.admin import PatientAdmin, TherapistFilter
from patients.models import Patient


class PatientWithJourneysAdmin(PatientAdmin):
    list_display = ["full_name", "journeys", "therapist"]
    list_filter: ClassVar[tuple[type[KnownChoiceFilter], ...]] = (
        JourneyFilter,
        StageFilter,
        StatusFilter,
        TherapistFilter,
    )
    actions = ("move", "enroll")

    @admin.display(description=_("journeys"))
    def journeys(self, patient: Patient) -> str:
        """Attached by `prepare`."""
        rows = getattr(patient, "journey_badges", [])
        return format_html_join("", '<div class="journey-line">{} {}</div>', rows) or "–"

    def prepare(self, rows: list[Any]) -> list[Any]:
        found = _badges_by_patient([patient.pk for patient in rows])
        for patient in rows:
            patient.journey_badges = found[patient.pk]
        return rows

    def get_urls(self) -> list[URLPattern]:
        enroll = self.admin_site.admin_view(partial(enroll_page, self.admin_site))
        own = path("<uuid:patient_id>/enroll/", enroll, name="patients_patient_enroll")
        return [own, *self._bulk_urls(), *super().get_urls()]

    def _bulk_urls(self) -> list[URLPattern]:
        site, wrap = self.admin_site, self.admin_site.admin_view
        return [
            path(
                f"bulk/{verb.name}/",
                wrap(partial(bulk_page, site, verb)),
                name=f"patients_patient_bulk_{verb.name}",
            )
            for verb in VERBS
        ]

    def has_move_permission(self, request: HttpRequest) -> bool:
        return editor_of(request).has_perm(MOVE)

    def has_enroll_permission(self, request: HttpRequest) -> bool:
        return editor_of(request).has_perm(ENROLL)

    @admin.action(description=_("Move to another stage…"), permissions=["move"])
    def move(self, request: HttpRequest, queryset: QuerySet[Patient]) -> HttpResponse | None:
        return patients_selected(self.admin_site, MOVING, request, queryset)

    @admin.action(description=_("Enroll in a journey…"), permissions=["enroll"])
    def enroll(self, request: HttpRequest, queryset: QuerySet[Patient]) -> HttpResponse | None:
        return patients_selected(self.admin_site, ENROLLING, request, queryset)


def _badges_by_patient(ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, list[tuple[str, str]]]:
    """Journey and badge, the newest enrollment of each journey; blocked first, closed last."""
    by_patient: dict[uuid.UUID, list[Enrollment]] = defaultdict(list)
    for enrollment in Enrollment.objects.filter(patient__in=list(ids)):
        by_patient[enrollment.patient_id].append(enrollment)
    known = definitions({one.template_id for some in by_patient.values() for one in some})
    shown: dict[uuid.UUID, list[tuple[str, str]]] = defaultdict(list)
    for patient_id, enrollments in by_patient.items():
        for one in sorted(newest_by_key(enrollments).values(), key=_urgency):
            definition = known[one.template_id]
            badge = badges.badge_of(definition.stages.get(one.stage), one.stage)
            name = format_html('<span class="journey-name">{}</span>', definition.name)
            shown[patient_id].append((name, badges.html(badge)))
    return shown


def _urgency(enrollment: Enrollment) -> tuple[bool, bool, str]:
    blocked = enrollment.status == StageStatus.ON_HOLD
    return (not blocked, not enrollment.is_open, enrollment.journey_key)
