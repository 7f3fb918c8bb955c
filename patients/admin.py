"""The patient's contact data. What belongs to their journeys is added one floor up."""

from __future__ import annotations

from functools import partial
from typing import Any, cast

from django import forms
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from kura.accounts.models import User
from kura.accounts.tenant_admin import KnownChoiceFilter, PracticeOwnedAdmin, TenantForm, editor_of
from kura.accounts.timezones import as_select
from patients.import_pages import MAY_IMPORT, import_page, preview_page, template_file
from patients.models import Patient
from patients.selectors import responsible, search


class PatientForm(TenantForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "therapist" in self.fields:
            therapists = cast("forms.ModelChoiceField[User]", self.fields["therapist"])
            therapists.queryset = self._colleagues()
            self.fields["timezone"] = as_select(self.fields["timezone"], self.instance.timezone)

    def _colleagues(self) -> QuerySet[User]:
        """Who works in the patient's practice now, and who was assigned before."""
        choosable = Q(is_active=True) | Q(pk=self.instance.therapist_id)
        return User.objects.filter(choosable, organization=self.organization_id)


class TherapistFilter(KnownChoiceFilter):
    title = _("therapist")
    parameter_name = "therapist"
    NOBODY = "none"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:  # noqa: ARG002
        colleagues = responsible(editor_of(request).organization_id)
        known = sorted(
            ((str(one.pk), str(one)) for one in colleagues), key=lambda one: one[1].casefold()
        )
        return [*known, (self.NOBODY, str(_("Nobody assigned")))]

    def narrow(self, request: HttpRequest, rows: QuerySet[Any], choice: str) -> QuerySet[Any]:  # noqa: ARG002
        return rows.filter(therapist=None if choice == self.NOBODY else choice)


class PatientAdmin(PracticeOwnedAdmin):
    form = PatientForm
    fields = ("full_name", "email", "phone", "language", "timezone", "therapist", "external_id")
    list_display = ["full_name", "therapist"]
    list_select_related = ("therapist",)
    ordering = ("sort_key", "id")
    sortable_by = ()
    search_fields = ("search_key",)
    search_help_text = _("Name, e-mail address, telephone or number. Accents do not matter.")

    def get_urls(self) -> list[URLPattern]:
        site, wrap = self.admin_site, self.admin_site.admin_view
        file, template = wrap(partial(import_page, site)), wrap(partial(template_file, site))
        preview = wrap(partial(preview_page, site))
        own = [
            path("import/", file, name="patients_patient_import"),
            path("import/template/", template, name="patients_patient_import_template"),
            path("import/<uuid:import_id>/", preview, name="patients_patient_import_preview"),
        ]
        return own + super().get_urls()

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        extra = extra_context or {}
        editor = editor_of(request)
        if editor.organization_id and editor.has_perms(MAY_IMPORT):
            tool = (reverse("admin:patients_patient_import"), gettext("Import from a file"))
            extra |= {"tools": [tool]}
        return super().changelist_view(request, extra)

    def get_search_results(
        self,
        request: HttpRequest,  # noqa: ARG002
        queryset: QuerySet[Patient],
        search_term: str,
    ) -> tuple[QuerySet[Patient], bool]:
        return search(queryset, search_term), False
