"""The practice and its team. A manager sees and edits their own, nobody makes a superuser here."""

from __future__ import annotations

from datetime import time
from functools import partial
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path
from django.utils.translation import gettext_lazy as _

from kura.accounts.access_page import access_page
from kura.accounts.errors import LastManager
from kura.accounts.models import Organization, User
from kura.accounts.quiet_hours import SETTING, QuietHours, quiet_hours_of
from kura.accounts.roles import MANAGER
from kura.accounts.team import ROLE_NAMES, give_role, keep_a_manager, role_of, switch_off
from kura.accounts.tenant_admin import TenantAdmin, TenantForm, editor_of
from kura.accounts.timezones import as_select


class MinuteField(forms.TimeField):
    """A time of day without seconds, with the browser's own picker."""

    def __init__(self, *, label: Any, help_text: Any) -> None:
        widget = forms.TimeInput(attrs={"type": "time"}, format="%H:%M")
        super().__init__(
            label=label,
            help_text=help_text,
            required=False,
            input_formats=["%H:%M"],
            widget=widget,
            error_messages={"invalid": _("Write a time like 21:00.")},
        )


class OrganizationForm(TenantForm):
    """Quiet hours are two fields here and one entry of `settings`; both empty: switched off."""

    quiet_from = MinuteField(
        label=_("Quiet hours from"),
        help_text=_("During these hours no e-mail goes to a patient, on the patient's own clock."),
    )
    quiet_until = MinuteField(
        label=_("Quiet hours until"),
        help_text=_(
            "What was due meanwhile goes then. Mail to your team is never held back. "
            "Leave both empty to send at any hour."
        ),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super(TenantForm, self).__init__(*args, **kwargs)
        if "timezone" in self.fields:
            self.fields["timezone"] = as_select(self.fields["timezone"], self.instance.timezone)
        said = quiet_hours_of(self.instance.settings)
        if said and "quiet_from" in self.fields:
            self.fields["quiet_from"].initial = said.begins
            self.fields["quiet_until"].initial = said.ends

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        begins, ends = cleaned.get("quiet_from"), cleaned.get("quiet_until")
        if self.errors.keys() & {"quiet_from", "quiet_until"}:
            return cleaned
        if (begins is None) != (ends is None):
            missing = "quiet_until" if ends is None else "quiet_from"
            self.add_error(missing, _("Give both times, or leave both empty."))
        elif begins is not None and begins == ends:
            self.add_error(
                "quiet_until",
                _("Quiet hours cannot end when they begin. To switch them off, leave both empty."),
            )
        else:
            self._keep_quiet_hours(begins, ends)
        return cleaned

    def _keep_quiet_hours(self, begins: time | None, ends: time | None) -> None:
        said = (
            QuietHours(begins, ends).as_json() if begins is not None and ends is not None else None
        )
        settings = self.instance.settings if isinstance(self.instance.settings, dict) else {}
        self.instance.settings = settings | {SETTING: said}


class OrganizationAdmin(TenantAdmin):
    """A practice is made by platform staff and described by its manager."""

    form = OrganizationForm
    fields = ("name", "slug", "timezone", "language", "quiet_from", "quiet_until")
    list_display = ("name", "timezone", "language")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Organization]:
        editor = editor_of(request)
        found: QuerySet[Organization] = super().get_queryset(request)
        return found if editor.organization_id is None else found.filter(pk=editor.organization_id)

    def has_add_permission(self, request: HttpRequest) -> bool:
        editor = editor_of(request)
        return editor.is_superuser and editor.organization_id is None

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:  # noqa: ARG002
        return () if obj is None else ("slug",)


class RoleField(forms.ChoiceField):
    def __init__(self) -> None:
        super().__init__(label=_("Role"), choices=list(ROLE_NAMES.items()))


class UserForm(TenantForm):
    """Change somebody of the team."""

    role = RoleField()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["role"].initial = role_of(self.instance)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if self.instance.pk == self.editor.pk:
            self._keep_own_place(cleaned)
        if not self.errors:
            self._keep_a_manager(cleaned)
        return cleaned

    def _keep_a_manager(self, cleaned: dict[str, Any]) -> None:
        """The lock lasts until the admin's transaction has saved, so the answer stays true."""
        demoted = "role" in cleaned and cleaned["role"] != MANAGER
        if not demoted and cleaned.get("is_active", True):
            return
        try:
            keep_a_manager(user=self.instance)
        except LastManager as refusal:
            self.add_error("role" if demoted else "is_active", str(refusal))

    def _keep_own_place(self, cleaned: dict[str, Any]) -> None:
        """Somebody who locked themselves out could not undo it."""
        if cleaned.get("is_active") is False:
            self.add_error("is_active", _("You cannot switch yourself off. Ask a colleague."))
        if not self.editor.is_superuser and cleaned.get("role") != role_of(self.instance):
            self.add_error("role", _("You cannot change your own role. Ask a colleague."))


class NewUserForm(TenantForm):
    """Add somebody to the team. They get in with what the next page gives them."""

    role = RoleField()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.instance.set_unusable_password()
        if "organization" in self.fields:
            self.fields["organization"].required = True


class RoleFilter(admin.SimpleListFilter):
    title = _("role")
    parameter_name = "role"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:  # noqa: ARG002
        return list(ROLE_NAMES.items())

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:  # noqa: ARG002
        return queryset.filter(groups__name=self.value()) if self.value() else queryset


class UserAdmin(TenantAdmin):
    form = UserForm
    change_form_template = "kura/user.html"
    list_display = ("display_name_or_email", "email", "role", "language", "is_active")
    list_filter = (RoleFilter, "is_active")
    search_fields = ("email", "display_name")
    ordering = ("display_name", "email")

    @admin.display(description=_("name"), ordering="display_name")
    def display_name_or_email(self, user: User) -> str:
        return str(user)

    @admin.display(description=_("role"))
    def role(self, user: User) -> str:
        return str(ROLE_NAMES.get(role_of(user), "–"))

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        editor = editor_of(request)
        found = User.objects.order_by(*self.ordering).prefetch_related("groups")
        if editor.organization_id is None:
            return found
        return found.filter(organization=editor.organization_id)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """A superuser's password is not a manager's to change."""
        above = isinstance(obj, User) and obj.is_superuser and not editor_of(request).is_superuser
        return not above and super().has_change_permission(request, obj)

    def get_urls(self) -> list[URLPattern]:
        access = self.admin_site.admin_view(partial(access_page, self))
        own = path("<uuid:user_id>/access/", access, name="accounts_user_access")
        return [own, *super().get_urls()]

    def get_form(
        self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any
    ) -> Any:
        form = UserForm if obj is not None else NewUserForm
        return super().get_form(request, obj, change=change, **{"form": form} | kwargs)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """Platform staff, who has no practice, says for which one a person is added."""
        always = ("email", "display_name", "language", "role")
        if obj is not None:
            return (*always, "is_active")
        return always if editor_of(request).organization_id else ("organization", *always)

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        """Nobody finds out a hash by filtering the list."""
        allowed: bool = super().lookup_allowed(lookup, value, request)  # type: ignore[arg-type]
        return allowed and not lookup.startswith("password")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:  # noqa: ARG002
        return () if obj is None else ("email",)

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        if change and "is_active" in form.changed_data and not obj.is_active:
            switch_off(user=obj)
        super().save_model(request, obj, form, change)

    def response_add(
        self, request: HttpRequest, obj: User, post_url_continue: str | None = None
    ) -> HttpResponse:
        """Nobody can log in yet: on to what lets them."""
        super().response_add(request, obj, post_url_continue)
        return redirect("admin:accounts_user_access", obj.pk)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        if "role" in form.cleaned_data:
            give_role(user=form.instance, role=form.cleaned_data["role"])
