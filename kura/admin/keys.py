"""Integration keys in the workplace: a manager makes and revokes those of the own practice."""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, gettext_noop

from journeys.admin.badges import html
from kura.accounts.keys import make_key, revoke_key
from kura.accounts.models import IntegrationKey
from kura.accounts.models.credentials import KEY_PREFIX
from kura.accounts.tenant_admin import PracticeOwnedAdmin, editor_of, moment
from kura.admin import credentials
from kura.admin.credentials import CredentialForm
from kura.api.scopes import INTEGRATION, in_words

REVOKED = gettext_noop("revoked")


class IntegrationKeyAdmin(PracticeOwnedAdmin):
    """Read, apart from making and revoking: the hash of a key is on no page."""

    change_form_template = "kura/credential.html"
    list_display = ("name", "prefix_shown", "may", "made", "ends", "used", "state")
    fields = ("name", "prefix_shown", "may", "made", "created_by", "ends", "used", "state")
    sortable_by = ()
    empty_words = gettext_lazy(
        "There is no key yet. A program of your practice, such as the payment service or the "
        "booking page, needs one to report events or to read journeys."
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[IntegrationKey]:
        editor = editor_of(request)
        found = IntegrationKey.objects.select_related("created_by").defer("hashed_key")
        if editor.organization_id is None:
            return found if editor.is_superuser else found.none()
        return found.filter(organization=editor.organization_id)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        return False

    def may_revoke(self, request: HttpRequest) -> bool:
        return request.user.has_perm("accounts.change_integrationkey")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:  # noqa: ARG002
        return self.fields

    def get_urls(self) -> list[URLPattern]:
        revoke = self.admin_site.admin_view(self.revoke_view)
        own = path("<uuid:key_id>/revoke/", revoke, name="accounts_integrationkey_revoke")
        return [own, *super().get_urls()]

    def beside(self, request: HttpRequest, obj: IntegrationKey) -> dict[str, Any]:
        if obj.revoked or not self.may_revoke(request):
            return {}
        return {"revoke_url": credentials.url(self, "revoke", obj.pk)}

    def title_of(self, obj: IntegrationKey) -> str:
        return obj.name

    # --- columns ---------------------------------------------------------------------------------

    @admin.display(description=gettext_lazy("begins with"))
    def prefix_shown(self, key: IntegrationKey) -> str:
        return credentials.begins(f"{KEY_PREFIX}{key.prefix}")

    @admin.display(description=gettext_lazy("may"))
    def may(self, key: IntegrationKey) -> str:
        return credentials.lines(in_words(key.scopes))

    @admin.display(description=gettext_lazy("date made"), ordering="created")
    def made(self, key: IntegrationKey) -> str:
        return credentials.labelled(_("date made"), moment(key.created))

    @admin.display(description=gettext_lazy("expires"), ordering="expiry_date")
    def ends(self, key: IntegrationKey) -> str:
        end = moment(key.expiry_date) if key.expiry_date else _("when it is revoked")
        return credentials.labelled(_("expires"), end)

    @admin.display(description=gettext_lazy("last used"), ordering="last_used_at")
    def used(self, key: IntegrationKey) -> str:
        used = moment(key.last_used_at) if key.last_used_at else _("never")
        return credentials.labelled(_("last used"), used)

    @admin.display(description=gettext_lazy("state"))
    def state(self, key: IntegrationKey) -> str:
        return html(credentials.state_of(ends_at=key.expiry_date, revoked=key.revoked))

    # --- pages -----------------------------------------------------------------------------------

    def add_view(
        self,
        request: HttpRequest,
        form_url: str = "",  # noqa: ARG002
        extra_context: dict[str, Any] | None = None,  # noqa: ARG002
    ) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = CredentialForm(
            request.POST or None,
            offered=INTEGRATION,
            taken=self.get_queryset(request).filter(revoked=False),
        )
        if request.method == "POST" and form.is_valid():
            return self._make(request, form)
        return credentials.form_page(
            self,
            request,
            form,
            title=_("New integration key"),
            lead=_(
                "A key belongs to the practice and to one program. Give it no more than this "
                "program needs. No key unblocks a patient."
            ),
        )

    def _make(self, request: HttpRequest, form: CredentialForm) -> HttpResponse:
        key, text = make_key(
            by=editor_of(request),
            name=form.cleaned_data["name"],
            scopes=form.cleaned_data["scopes"],
            expires_at=form.expires_at,
        )
        return credentials.show_once(self, request, key, text, key.scopes)

    def revoke_view(self, request: HttpRequest, key_id: uuid.UUID) -> HttpResponse:
        if not self.may_revoke(request):
            raise PermissionDenied
        key = self.get_queryset(request).filter(pk=key_id).first()
        if key is None:
            raise Http404
        if request.method != "POST" and not key.revoked:
            facts = [
                (_("last used"), credentials.moment_or(key.last_used_at, _("never"))),
                (_("date made"), credentials.moment_or(key.created, "")),
            ]
            return credentials.ask_to_revoke(self, request, key, facts=facts)
        if request.method == "POST" and revoke_key(key_id=key.pk):
            self.log_change(request, key, [{"changed": {"fields": [REVOKED]}}])
        messages.success(request, _("“%(name)s” works no longer.") % {"name": key.name})
        return redirect(credentials.url(self, "changelist"))
