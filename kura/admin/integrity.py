"""The page that says what "unchangeable" means, how it is checked, and what was found last.

It shows and never checks: the whole history is read at night, one patient's with their own page.
"""

from __future__ import annotations

from typing import Final

from django.contrib.admin import AdminSite
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _

from automation.selectors.verified import last_verified
from journeys.admin.badges import Badge
from kura.accounts.tenant_admin import editor_of
from patients.models import Patient

NAME: Final = "journeys_whole"
LOOK: Final = ("patients.view_patient", "journeys.view_journeylog")


def look(site: AdminSite, request: HttpRequest) -> HttpResponse:
    editor = editor_of(request)
    if not editor.has_perms(LOOK):
        raise PermissionDenied
    found = last_verified(now=timezone.now(), organization_id=editor.organization_id)
    context = {
        "title": _("Unchangeable history"),
        "found": found,
        "badge": _badge(broken=found.is_broken, known=found.checked_at is not None),
        "patients": list(Patient.objects.filter(pk__in=found.patients).order_by("full_name")),
    }
    return render(request, "kura/whole.html", {**site.each_context(request), **context})


def _badge(*, broken: bool, known: bool) -> Badge:
    if broken:
        return Badge("failed", _("Not whole"))
    return Badge("done", _("Whole")) if known else Badge("attention", _("Not checked yet"))
