"""Access tokens in the workplace: everybody makes and revokes their own.

A manager also sees and revokes those of the own team, but makes none for anybody else: a token acts
as its owner.
"""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any, Final

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path
from django.utils.timezone import localdate
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from journeys.admin.badges import html
from kura.accounts.models import ApiToken, User
from kura.accounts.team import role_of
from kura.accounts.tenant_admin import PracticeOwnedAdmin, editor_of, moment
from kura.admin import credentials
from kura.admin.credentials import CredentialForm
from kura.api.scopes import in_words, of_roles

LONGEST: Final = 365  # days
USUAL: Final = 30  # days
TEAM: Final = "accounts.change_user"  # who may revoke a colleague's


class ApiTokenAdmin(PracticeOwnedAdmin):
    change_form_template = "kura/credential.html"
    fields = ("name", "owner", "prefix_shown", "may", "made", "ends", "state")
    sortable_by = ()
    empty_words = gettext_lazy(
        "There is no token yet. A program that works in your name, such as a script of your own, "
        "needs one."
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[ApiToken]:
        """One's own; a manager's team, without whoever stands above a manager."""
        editor = editor_of(request)
        found = ApiToken.objects.select_related("user").prefetch_related("user__groups")
        found = found.defer("digest", "user__password")
        if editor.organization_id is None:
            return found if editor.is_superuser else found.none()
        theirs = Q(user=editor)
        if editor.has_perm(TEAM):
            below = Q() if editor.is_superuser else Q(user__is_superuser=False)
            theirs |= Q(user__organization=editor.organization_id) & below
        return found.filter(theirs)

    # Everybody has tokens, so no role need be granted anything.

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        """The log-in page asks for nobody."""
        user = request.user
        return isinstance(user, User) and (user.organization_id is not None or user.is_superuser)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return isinstance(request.user, User) and request.user.organization_id is not None

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        return False

    def get_list_display(self, request: HttpRequest) -> tuple[str, ...]:
        whose = ("owner",) if request.user.has_perm(TEAM) else ()
        return ("name", *whose, "prefix_shown", "may", "made", "ends", "state")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:  # noqa: ARG002
        return self.fields

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        title = _("Access tokens") if request.user.has_perm(TEAM) else _("My access tokens")
        return super().changelist_view(request, {"title": title} | (extra_context or {}))

    def get_urls(self) -> list[URLPattern]:
        revoke = self.admin_site.admin_view(self.revoke_view)
        own = path("<uuid:token_id>/revoke/", revoke, name="accounts_apitoken_revoke")
        return [own, *super().get_urls()]

    def beside(self, request: HttpRequest, obj: ApiToken) -> dict[str, Any]:  # noqa: ARG002
        return {"revoke_url": credentials.url(self, "revoke", obj.pk)}

    def title_of(self, obj: ApiToken) -> str:
        return obj.name

    # --- columns ---------------------------------------------------------------------------------

    @admin.display(description=gettext_lazy("whose"), ordering="user__display_name")
    def owner(self, token: ApiToken) -> str:
        return str(token.user)

    @admin.display(description=gettext_lazy("begins with"))
    def prefix_shown(self, token: ApiToken) -> str:
        return credentials.begins(token.token_key)

    @admin.display(description=gettext_lazy("may"))
    def may(self, token: ApiToken) -> str:
        """What it may do now: a role taken away is gone from the token as well."""
        roles = of_roles([role_of(token.user)])
        return credentials.lines(
            [str(_("Everything that this person may"))]
            if token.scopes is None
            else in_words(roles.intersection(token.scopes))
        )

    @admin.display(description=gettext_lazy("date made"), ordering="created")
    def made(self, token: ApiToken) -> str:
        return credentials.labelled(_("date made"), moment(token.created))

    @admin.display(description=gettext_lazy("expires"), ordering="expiry")
    def ends(self, token: ApiToken) -> str:
        end = moment(token.expiry) if token.expiry else _("when it is revoked")
        return credentials.labelled(_("expires"), end)

    @admin.display(description=gettext_lazy("state"))
    def state(self, token: ApiToken) -> str:
        return html(credentials.state_of(ends_at=token.expiry))

    # --- pages -----------------------------------------------------------------------------------

    def add_view(
        self,
        request: HttpRequest,
        form_url: str = "",  # noqa: ARG002
        extra_context: dict[str, Any] | None = None,  # noqa: ARG002
    ) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        editor = editor_of(request)
        offered = of_roles([role_of(editor)])
        if not offered:
            raise PermissionDenied(_("You have no role, so a token would give nothing."))
        form = CredentialForm(
            request.POST or None,
            offered=offered,
            taken=ApiToken.objects.filter(user=editor),
            longest=LONGEST,
            initial={"expires_on": localdate() + timedelta(days=USUAL)},
        )
        if request.method == "POST" and form.is_valid():
            return self._make(request, form, editor)
        return credentials.form_page(
            self,
            request,
            form,
            title=_("New access token"),
            lead=_(
                "A program with this token acts in your name. Give it no more than it needs, and "
                "pass it on to nobody."
            ),
        )

    def _make(self, request: HttpRequest, form: CredentialForm, editor: User) -> HttpResponse:
        token, text = ApiToken.objects.make(
            user=editor,
            name=form.cleaned_data["name"],
            scopes=sorted(form.cleaned_data["scopes"]),
            expires_at=form.expires_at,
        )
        return credentials.show_once(self, request, token, text, token.scopes or ())

    def revoke_view(self, request: HttpRequest, token_id: uuid.UUID) -> HttpResponse:
        """Of a click that was sent twice, the second is answered like the first."""
        token = self.get_queryset(request).filter(pk=token_id).first()
        if token is None:
            raise Http404
        if request.method != "POST":
            facts = [(_("whose"), str(token.user)), (_("begins with"), f"{token.token_key}…")]
            return credentials.ask_to_revoke(self, request, token, facts=facts)
        self.log_deletions(request, ApiToken.objects.filter(pk=token.pk))
        token.delete()
        messages.success(request, _("“%(name)s” works no longer.") % {"name": token.name})
        return redirect(credentials.url(self, "changelist"))
