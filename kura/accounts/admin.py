"""The practice and its team. A manager sees and edits their own, nobody makes a superuser here."""

from __future__ import annotations

from datetime import time
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.forms import AdminPasswordChangeForm, BaseUserCreationForm
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from kura.accounts.models import Organization, User
from kura.accounts.quiet_hours import SETTING, QuietHours, quiet_hours_of
from kura.accounts.team import ROLE_NAMES, give_role, role_of
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
        return cleaned

    def _keep_own_place(self, cleaned: dict[str, Any]) -> None:
        """Somebody who locked themselves out could not undo it."""
        if cleaned.get("is_active") is False:
            self.add_error("is_active", _("You cannot switch yourself off. Ask a colleague."))
        if not self.editor.is_superuser and cleaned.get("role") != role_of(self.instance):
            self.add_error("role", _("You cannot change your own role. Ask a colleague."))


class NewUserForm(TenantForm, BaseUserCreationForm):  # type: ignore[type-arg]
    """Add somebody to the team."""

    role = RoleField()

    class Meta:
        model = User
        fields = ("email", "display_name", "language")
        field_classes = {"email": forms.EmailField}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "organization" in self.fields:
            self.fields["organization"].required = True


class PasswordForm(AdminPasswordChangeForm):  # type: ignore[type-arg]
    """A new password; switching a person off is done with “active”."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields.pop("usable_password", None)


class RoleFilter(admin.SimpleListFilter):
    title = _("role")
    parameter_name = "role"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:  # noqa: ARG002
        return list(ROLE_NAMES.items())

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:  # noqa: ARG002
        return queryset.filter(groups__name=self.value()) if self.value() else queryset


class UserAdmin(TenantAdmin, DjangoUserAdmin):  # type: ignore[type-arg]
    form = UserForm
    add_form = NewUserForm
    change_password_form = PasswordForm
    change_form_template = "kura/user.html"
    change_user_password_template = "kura/password.html"  # noqa: S105  a template
    fieldsets = ((None, {"fields": ("email", "display_name", "language", "role", "is_active")}),)
    add_fieldsets = (
        (
            None,
            {"fields": ("email", "display_name", "language", "role", "password1", "password2")},
        ),
    )
    filter_horizontal = ()
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

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Platform staff, who has no practice, says for which one a person is added."""
        fieldsets = super().get_fieldsets(request, obj)
        if obj is not None or editor_of(request).organization_id:
            return fieldsets
        return ((None, {"fields": ("organization", *self.add_fieldsets[0][1]["fields"])}),)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:  # noqa: ARG002
        return () if obj is None else ("email",)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        if "role" in form.cleaned_data:
            give_role(user=form.instance, role=form.cleaned_data["role"])
