"""What the admin pages of all floors share: one practice's rows, no deleting, 404 for the rest.

The tenant managers decide what may be seen. Here an object that is not found is "page not found",
whether it belongs to somebody else or to nobody: Django's admin would redirect with a message.
"""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NoReturn

from django import forms
from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ChangeList
from django.contrib.admin.widgets import RelatedFieldWidgetWrapper
from django.core.exceptions import PermissionDenied
from django.db.models import Field, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.html import format_html
from django.utils.text import capfirst
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from kura.accounts.models import User

if TYPE_CHECKING:
    _ModelAdmin = admin.ModelAdmin[Any]
    _ModelForm = forms.ModelForm[Any]
else:
    _ModelAdmin = admin.ModelAdmin
    _ModelForm = forms.ModelForm


def editor_of(request: HttpRequest) -> User:
    """The person behind an admin request."""
    if not isinstance(request.user, User):
        raise PermissionDenied
    return request.user


def moment(value: datetime | None) -> str:
    """A time as a list shows it, on the practice's clock: "7 ene 2026, 08:12"."""
    if value is None:
        return "–"
    words = date_format(localtime(value), "MOMENT")
    return format_html('<time datetime="{}">{}</time>', value.isoformat(), words)


class PreparedChangeList(ChangeList):
    """Reads what all rows of a page need at once, so that no row asks on its own."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        if isinstance(self.model_admin, TenantAdmin):
            self.result_list = self.model_admin.prepare(list(self.result_list))


class TenantForm(_ModelForm):
    """Knows its organization before it validates: uniqueness and colleagues depend on it."""

    editor: User  # set on the class that the admin makes for each request

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance._state.adding:
            self.instance.organization_id = self.editor.organization_id

    @property
    def organization_id(self) -> uuid.UUID | None:
        found: uuid.UUID | None = self.instance.organization_id
        return found

    def _get_validation_exclusions(self) -> set[str]:
        excluded: set[str] = super()._get_validation_exclusions()  # type: ignore[misc]
        return excluded - {"organization"}


class TenantAdmin(_ModelAdmin):
    list_per_page = 25
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    form = TenantForm
    empty_words: Promise = gettext_lazy("Nothing is here yet.")  # what an empty list says

    def prepare(self, rows: list[Any]) -> list[Any]:
        """A hook: attach to the rows of one page whatever its columns show."""
        return rows

    def beside(self, request: HttpRequest, obj: Any) -> dict[str, Any]:  # noqa: ARG002
        """A hook: what the page of one row shows besides its form."""
        return {}

    def title_of(self, obj: Any) -> str:
        """A hook: how the page of one row is headed."""
        return str(obj)

    def get_action_choices(
        self, request: HttpRequest, default_choices: Any = None
    ) -> list[tuple[str, str]]:
        """The empty choice says what is chosen from, not a row of dashes."""
        empty = [("", _("With those selected…"))]
        return super().get_action_choices(request, default_choices or empty)

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        title = capfirst(str(self.opts.verbose_name_plural))
        return super().changelist_view(request, {"title": title} | (extra_context or {}))

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        original = context.get("original")
        if original is not None:
            context |= {"title": self.title_of(original), "subtitle": None}
            context |= self.beside(request, original)
        return super().render_change_form(request, context, *args, **kwargs)

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:  # noqa: ARG002
        return PreparedChangeList

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        return False

    def get_form(
        self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any
    ) -> type[_ModelForm]:
        form = super().get_form(request, obj, change=change, **kwargs)
        return type(form.__name__, (form,), {"editor": editor_of(request)})

    def formfield_for_dbfield(
        self, db_field: Field[Any, Any], request: HttpRequest, **kwargs: Any
    ) -> Any:
        """Plain selects: no pop-up windows to add or change the related row."""
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if field is not None and isinstance(field.widget, RelatedFieldWidgetWrapper):
            field.widget = field.widget.widget
        return field

    def _get_obj_does_not_exist_redirect(self, *_args: object) -> NoReturn:
        raise Http404


class PracticeOwnedAdmin(TenantAdmin):
    """Rows that are made inside a practice: platform staff, who has none, cannot add them."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return super().has_add_permission(request) and bool(editor_of(request).organization_id)

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if editor_of(request).organization_id is None:
            raise PermissionDenied(
                _("You belong to no practice. Log in as somebody who works there to add this.")
            )
        return super().add_view(request, form_url, extra_context)


class ReadOnlyAdmin(TenantAdmin):
    """For what only the system writes. Nothing is ever edited, so there is no page of edits."""

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> Any | None:
        found = super().get_object(request, object_id, from_field)
        return self.prepare([found])[0] if found is not None else None

    def history_view(
        self,
        request: HttpRequest,  # noqa: ARG002
        object_id: str,  # noqa: ARG002
        extra_context: dict[str, Any] | None = None,  # noqa: ARG002
    ) -> HttpResponse:
        raise Http404

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        return False

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return [str(name) for name in self.get_fields(request, obj)]


class KnownChoiceFilter(admin.SimpleListFilter):
    """A filter that accepts the choices it offers and nothing else."""

    def narrow(self, request: HttpRequest, rows: QuerySet[Any], choice: str) -> QuerySet[Any]:
        raise NotImplementedError

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        choice = self.value()
        if not choice:
            return queryset
        if choice not in {str(known) for known, _label in self.lookup_choices}:
            raise IncorrectLookupParameters
        return self.narrow(request, queryset, choice)


class PeriodFilter(KnownChoiceFilter):
    """The last days, counted from now. A subclass names the `column`."""

    title = gettext_lazy("period")
    parameter_name = "days"
    column: str

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:  # noqa: ARG002
        return [
            ("1", gettext_lazy("Last 24 hours")),
            ("7", gettext_lazy("Last 7 days")),
            ("30", gettext_lazy("Last 30 days")),
            ("365", gettext_lazy("Last 12 months")),
        ]

    def narrow(self, request: HttpRequest, rows: QuerySet[Any], choice: str) -> QuerySet[Any]:  # noqa: ARG002
        since = timezone.now() - timedelta(days=int(choice))
        return rows.filter(**{f"{self.column}__gte": since})
