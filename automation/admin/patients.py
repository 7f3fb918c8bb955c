"""The patient's page, with whether reminders are paused on the card of each journey."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.utils import timezone

from automation.admin.pausing import reminders_of
from journeys.admin.patients import PatientWithJourneysAdmin
from kura.accounts.tenant_admin import editor_of


class PatientWithRemindersAdmin(PatientWithJourneysAdmin):
    def beside(self, request: HttpRequest, obj: Any) -> dict[str, Any]:
        """`enrollment.reminders` of each card."""
        found = super().beside(request, obj)
        enrollments = [card.enrollment for card in found["cards"]]
        shown = reminders_of(enrollments, editor_of(request), timezone.now())
        for enrollment in enrollments:
            enrollment.reminders = shown[enrollment.pk]
        return found
