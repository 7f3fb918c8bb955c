"""Three pages: choose a file, see what would happen to each row, and let it happen."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any, Final

from django import forms
from django.contrib import messages
from django.contrib.admin import AdminSite
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from kura.accounts.models import Organization, User
from kura.accounts.tenant_admin import editor_of
from kura.errors import KuraError
from kura.spreadsheets import separator_of
from patients import errors
from patients.importing import (
    CHANGED,
    KEPT,
    NEW,
    UNCHANGED,
    WRONG,
    Plan,
    RowPlan,
    confirm,
    discard,
    keep_file,
    look_ahead,
)
from patients.models import PatientImport
from patients.tables import MAX_BYTES, MAX_ROWS, template

MAY_IMPORT: Final = ("patients.add_patient", "patients.change_patient")
SHOWN: Final = 200  # rows of one kind on the page
ORDER: Final = (WRONG, CHANGED, NEW, UNCHANGED)


class FileForm(forms.Form):
    file = forms.FileField(
        label=gettext_lazy("File"),
        widget=forms.FileInput(attrs={"accept": ".csv,.txt,text/csv"}),
        allow_empty_file=True,  # the reader says what is wrong with it
    )

    def content(self) -> bytes:
        """No more of it than shows that it is too large."""
        return bytes(self.cleaned_data["file"].read(MAX_BYTES + 1))


def import_page(site: AdminSite, request: HttpRequest) -> HttpResponse:
    editor, organization = _importer(request)
    sent = request.method == "POST"
    form = FileForm(request.POST, request.FILES) if sent else FileForm()
    if sent and form.is_valid():
        try:
            kept = keep_file(user=editor, organization=organization, content=form.content())
        except errors.FileRefused as refusal:
            form.add_error("file", str(refusal))
        else:
            return redirect("admin:patients_patient_import_preview", kept.pk)
    limits = {"rows": MAX_ROWS, "megabytes": MAX_BYTES // 1024 // 1024}
    return _page(site, request, "import", form=form, title=_("Import patients"), **limits)


def template_file(_site: AdminSite, request: HttpRequest) -> HttpResponse:
    editor, _organization = _importer(request)
    return HttpResponse(
        template(editor.language, separator_of(editor.language)),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": 'attachment; filename="kura-patients.csv"'},
    )


def preview_page(site: AdminSite, request: HttpRequest, import_id: uuid.UUID) -> HttpResponse:
    editor, _organization = _importer(request)
    pending = PatientImport.objects.filter(
        pk=import_id, uploaded_by=editor, created_at__gte=timezone.now() - KEPT
    ).first()
    if pending is None:
        raise Http404
    if request.method == "POST" and "discard" in request.POST:
        discard(pending=pending)
        messages.info(request, _("Nothing was imported."))
        return redirect("admin:patients_patient_changelist")
    if request.method == "POST":
        return _confirmed(site, request, pending)
    return _preview(site, request, pending)


def _confirmed(site: AdminSite, request: HttpRequest, pending: PatientImport) -> HttpResponse:
    try:
        done = confirm(pending=pending, user=editor_of(request), seen=request.POST.get("seen", ""))
    except errors.PlanChanged as refusal:
        return _preview(site, request, pending, problem=refusal)
    except errors.ImportGone:
        raise Http404 from None
    words = _("Imported: %(new)s new and %(changed)s changed patients.") % done.counts
    messages.success(request, words)
    return redirect("admin:patients_patient_changelist")


def _preview(
    site: AdminSite, request: HttpRequest, pending: PatientImport, problem: KuraError | None = None
) -> HttpResponse:
    plan = look_ahead(pending)
    return _page(
        site, request, "import_preview", status=problem.status if problem else 200,
        title=_("What the import would do"), plan=plan, problem=problem,
        groups=[group for kind in ORDER if (group := _group(kind, plan))],
    )  # fmt: skip


def _group(kind: str, plan: Plan) -> dict[str, Any]:
    rows: Sequence[RowPlan] = [row for row in plan.rows if row.kind == kind]
    if not rows:
        return {}
    return {
        "kind": kind,
        "title": _title(kind),
        "rows": rows[:SHOWN],
        "count": len(rows),
        "more": max(len(rows) - SHOWN, 0),
    }


def _title(kind: str) -> str:
    titles = {
        WRONG: _("With a problem"),
        CHANGED: _("Changed"),
        NEW: _("New"),
        UNCHANGED: _("As they are"),
    }
    return titles[kind]


def _page(
    site: AdminSite, request: HttpRequest, name: str, *, status: int = 200, **context: Any
) -> HttpResponse:
    whole = {**site.each_context(request), **context}
    return render(request, f"kura/{name}.html", whole, status=status)


def _importer(request: HttpRequest) -> tuple[User, Organization]:
    editor = editor_of(request)
    if not editor.has_perms(MAY_IMPORT):
        raise PermissionDenied
    if editor.organization is None:
        raise PermissionDenied(
            _("You belong to no practice. Log in as somebody who works there to add this.")
        )
    return editor, editor.organization
