"""The page that enrolls one patient in a journey."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any, Final

from django.contrib import messages
from django.contrib.admin import AdminSite
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from journeys import errors
from journeys.admin import choices
from journeys.admin.forms import EnrollForm
from journeys.admin.moving import cause_of
from journeys.cause import ENROLL
from journeys.models.log import JourneyLog
from journeys.selectors.holds import holds_besides
from journeys.selectors.options import Entry, entry_options
from journeys.services.transitions import enroll
from kura.accounts.models import User
from kura.accounts.tenant_admin import editor_of
from kura.errors import KuraError
from patients.models import Patient

SENT_TWICE: Final = timedelta(minutes=1)  # the browser's second try of one click


def enroll_page(site: AdminSite, request: HttpRequest, patient_id: uuid.UUID) -> HttpResponse:
    editor = editor_of(request)
    if not editor.has_perm(ENROLL):
        raise PermissionDenied(str(errors.MoveNotPermitted()))
    patient = get_object_or_404(Patient.objects.all(), pk=patient_id)
    entries = entry_options(patient, editor)
    form = EnrollForm(request.POST if request.method == "POST" else None, entries=entries)
    if form.is_bound and form.is_valid():
        try:
            _enroll(patient, editor, form.cleaned_data)
        except errors.TimeOrder as refusal:
            form.add_error("changed_at", str(refusal))
        except KuraError as refusal:
            form.add_error(None, str(refusal))
        else:
            return _done(request, patient, form.entries[form.cleaned_data["journey"]])
    sent_twice = form.is_bound and _enrolled_by_this_page(request, patient, editor, entries)
    return sent_twice or _show(site, request, patient, form, entries)


def _enroll(patient: Patient, editor: User, given: dict[str, Any]) -> JourneyLog:
    return enroll(
        patient_id=patient.pk,
        journey_key=given["journey"],
        cause=cause_of(editor, given),
        changed_at=given["changed_at"],
    )


def _enrolled_by_this_page(
    request: HttpRequest, patient: Patient, editor: User, entries: list[Entry]
) -> HttpResponse | None:
    """The same click sent twice: the first one did it, and the answer is the same."""
    asked = request.POST.get("journey", "")
    for entry in entries:
        refused = entry.definition.key == asked and entry.decision.code == "already_enrolled"
        if refused and _first_move_is_new(patient, editor, asked):
            return _done(request, patient, entry)
    return None


def _first_move_is_new(patient: Patient, editor: User, journey_key: str) -> bool:
    """The editor enrolled the patient moments ago, and nothing happened since."""
    logs = JourneyLog.objects.filter(patient=patient, journey_key=journey_key)
    last = logs.order_by("-id").first()
    if last is None or last.seq != 1 or last.actor_id != editor.pk:
        return False
    return timezone.now() - last.recorded_at < SENT_TWICE


def _done(request: HttpRequest, patient: Patient, entry: Entry) -> HttpResponse:
    words = _("%(patient)s is now enrolled in “%(journey)s”.")
    journey = entry.definition.name
    messages.success(request, words % {"patient": patient, "journey": journey})
    return redirect("admin:patients_patient_change", patient.pk)


def _show(
    site: AdminSite,
    request: HttpRequest,
    patient: Patient,
    form: EnrollForm,
    entries: list[Entry],
) -> HttpResponse:
    context = {
        "title": _("Enroll %(patient)s in a journey") % {"patient": patient},
        "form": form,
        "choices": choices.journeys(entries, form["journey"].value() or ""),
        "form_url": reverse("admin:patients_patient_enroll", args=[patient.pk]),
        "patient": patient,
        "held_in": holds_besides([patient.pk]).get(patient.pk, []),
        "patient_url": reverse("admin:patients_patient_change", args=[patient.pk]),
    }
    return render(request, "kura/enroll.html", {**site.each_context(request), **context})
