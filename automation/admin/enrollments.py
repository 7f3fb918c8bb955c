"""The enrollment's page, and whether reminders about it are paused."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.http import HttpRequest
from django.urls import URLPattern, path
from django.utils import timezone

from automation.admin.outlook import RulesOutlook
from automation.admin.pausing import pause_page, reminders_of, resume_page
from journeys.admin.enrollments import EnrollmentAdmin
from kura.accounts.tenant_admin import editor_of


class EnrollmentWithRulesAdmin(EnrollmentAdmin):
    outlook = RulesOutlook()

    def get_urls(self) -> list[URLPattern]:
        site, wrap = self.admin_site, self.admin_site.admin_view
        pause, resume = wrap(partial(pause_page, site)), wrap(partial(resume_page, site))
        own = [
            path("<uuid:enrollment_id>/pause/", pause, name="journeys_enrollment_pause"),
            path("<uuid:enrollment_id>/resume/", resume, name="journeys_enrollment_resume"),
        ]
        return own + super().get_urls()

    def beside(self, request: HttpRequest, obj: Any) -> dict[str, Any]:
        shown = reminders_of([obj], editor_of(request), timezone.now())
        return super().beside(request, obj) | {"reminders": shown[obj.pk]}
