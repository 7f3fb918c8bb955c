"""The pages that pause the reminders to a patient in one journey, and let them go on.

What is shown of a pause elsewhere (the enrollment's page, the card of a journey on the patient's)
is prepared here as well: `reminders_of`.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin import AdminSite
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from automation import errors
from automation.admin.forms import DecisionForm
from automation.models.pause import ReminderPause
from automation.selectors.pauses import PauseTold, pauses_of
from automation.selectors.reminders import SoFar, announced_so_far
from automation.services.pauses import LONGEST, PAUSE, pause_reminders, resume_reminders
from journeys.models.enrollment import Enrollment
from kura.accounts.models import User
from kura.accounts.tenant_admin import editor_of
from kura.errors import KuraError

USUAL = timedelta(days=7)  # what the form proposes


@dataclass(frozen=True, slots=True)
class Reminders:
    """Of one enrollment: the pause, if there is one, and where this person may change that.

    `so_far`: of the rules that a pause silences; empty without one.
    """

    pause: ReminderPause | PauseTold | None
    pause_url: str
    resume_url: str
    so_far: Sequence[SoFar]

    @property
    def until(self) -> str:
        return day_words(self.pause.until) if self.pause else ""


def day_words(until: datetime) -> str:
    """On the practice's clock; with the time, unless the day begins."""
    local = timezone.localtime(until)
    return date_format(local, "DAY" if local.time() == time.min else "MOMENT")


def reminders_of(
    enrollments: Iterable[Enrollment], user: User, now: datetime
) -> dict[uuid.UUID, Reminders]:
    shown = list(enrollments)
    pauses = pauses_of([one.pk for one in shown], now)
    so_far = announced_so_far([one for one in shown if one.pk in pauses])
    return {
        one.pk: reminders_with(pauses.get(one.pk), one, user, so_far.get(one.pk, []))
        for one in shown
    }


def reminders_with(
    pause: ReminderPause | PauseTold | None,
    enrollment: Enrollment,
    user: User,
    so_far: Sequence[SoFar],
) -> Reminders:
    """No query: for a page that has read the pause and what was announced."""
    is_theirs = user.organization_id == enrollment.organization_id
    may = enrollment.is_open and is_theirs and user.has_perm(PAUSE)
    return Reminders(
        pause=pause,
        pause_url=_url("pause", enrollment) if may else "",
        resume_url=_url("resume", enrollment) if may and pause else "",
        so_far=so_far,
    )


def _url(verb: str, enrollment: Enrollment) -> str:
    return reverse(f"admin:journeys_enrollment_{verb}", args=[enrollment.pk])


class PauseForm(DecisionForm):
    """Until the beginning of which day, and why. The service says which days are possible."""

    until = forms.DateField(
        label=_("Until"),
        help_text=_("From this day on reminders go out again."),
        input_formats=["%Y-%m-%d"],
        widget=forms.DateInput(attrs={"type": "date", "aria-required": "true"}, format="%Y-%m-%d"),
        error_messages={"required": _("Choose a day."), "invalid": _("Choose a day.")},
    )
    seen = None  # type: ignore[assignment]  # the same click again changes nothing anyway
    field_order = ("until", "reason")

    def __init__(self, *args: Any, today: date, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["until"].initial = today + USUAL
        first, last = today + timedelta(days=1), today + LONGEST
        self.fields["until"].widget.attrs |= {"min": f"{first:%Y-%m-%d}", "max": f"{last:%Y-%m-%d}"}

    @property
    def until_moment(self) -> datetime:
        """The day begins when it does where the practice is."""
        day: date = self.cleaned_data["until"]
        return datetime.combine(day, time.min, timezone.get_current_timezone())


# --- the pages ----------------------------------------------------------------------------------


def pause_page(site: AdminSite, request: HttpRequest, enrollment_id: uuid.UUID) -> HttpResponse:
    """GET asks until when and why, POST does it."""
    editor, enrollment = _about(request, enrollment_id)
    form = PauseForm(request.POST if request.method == "POST" else None, today=timezone.localdate())
    if form.is_bound and form.is_valid():
        try:
            pause = _pause(enrollment, editor, form)
        except errors.PauseLength as refusal:
            form.add_error("until", str(refusal))
        except KuraError as refusal:
            form.add_error(None, str(refusal))
        else:
            words = gettext("Reminders are paused until %(day)s.")
            messages.success(request, words % {"day": day_words(pause.until)})
            return _back(enrollment)
    title = gettext("Pause the reminders to %(patient)s") % {"patient": enrollment.patient}
    context = {"title": title, "form": form}
    return _render(site, request, enrollment, "kura/pause.html", context)


def _pause(enrollment: Enrollment, editor: User, form: PauseForm) -> ReminderPause:
    return pause_reminders(
        enrollment_id=enrollment.pk,
        until=form.until_moment,
        reason=form.cleaned_data["reason"],
        user=editor,
        now=timezone.now(),
    )


def resume_page(site: AdminSite, request: HttpRequest, enrollment_id: uuid.UUID) -> HttpResponse:
    """GET says what is paused and why, POST ends it. Of two clicks the second finds nothing."""
    editor, enrollment = _about(request, enrollment_id)
    if request.method != "POST":
        title = gettext("Resume the reminders to %(patient)s") % {"patient": enrollment.patient}
        return _render(site, request, enrollment, "kura/resume.html", {"title": title})
    try:
        resume_reminders(enrollment_id=enrollment.pk, user=editor, now=timezone.now())
    except errors.NotPaused as refusal:
        messages.warning(request, str(refusal))
    else:
        messages.success(request, gettext("Reminders go out again."))
    return _back(enrollment)


def _about(request: HttpRequest, enrollment_id: uuid.UUID) -> tuple[User, Enrollment]:
    editor = editor_of(request)
    if not editor.has_perm(PAUSE) or editor.organization_id is None:
        raise PermissionDenied(str(errors.PauseNotPermitted()))
    known = Enrollment.objects.select_related("patient", "template")
    return editor, get_object_or_404(known, pk=enrollment_id)


def _back(enrollment: Enrollment) -> HttpResponse:
    return redirect("admin:patients_patient_change", enrollment.patient_id)


def _render(
    site: AdminSite,
    request: HttpRequest,
    enrollment: Enrollment,
    template: str,
    context: dict[str, Any],
) -> HttpResponse:
    patient = enrollment.patient
    common = {
        "enrollment": enrollment,
        "reminders": reminders_of([enrollment], editor_of(request), timezone.now())[enrollment.pk],
        "patient": patient,
        "patient_url": reverse("admin:patients_patient_change", args=[patient.pk]),
    }
    return render(request, template, {**site.each_context(request), **common, **context})
