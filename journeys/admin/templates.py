"""Journey templates: read the stages, the moves and the picture of them; begin a new one.

Everybody of the practice reads this page. What edits a template is on pages of its own
(`template_editor.py`, `template_pages.py`), for managers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import redirect
from django.template.loader import render_to_string
from django.urls import URLPattern, path
from django.utils.html import format_html
from django.utils.text import capfirst
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from journeys.admin.conditions import Branch, branch_of
from journeys.admin.picture import picture_of
from journeys.admin.template_editor import edit_page
from journeys.admin.template_new import NewTemplateForm
from journeys.admin.template_pages import clone_page, export_file, import_page, switch_page
from journeys.models.template import JourneyTemplate, StageStatus, Turn
from journeys.review import NOT_USED
from journeys.selectors.blueprints import blueprint_of, usage_of
from journeys.selectors.definitions import Definition, Move, Stage, definitions
from journeys.services.templates import create_template
from kura.accounts.tenant_admin import PracticeOwnedAdmin, editor_of


@dataclass(frozen=True, slots=True)
class StageRow:
    stage: Stage
    status: str
    turn: str
    is_initial: bool
    standing: int


@dataclass(frozen=True, slots=True)
class MoveRow:
    """`branch`: the guard in words, None without one."""

    end: Stage | None
    branch: Branch | None
    move: Move


@dataclass(frozen=True, slots=True)
class Leaving:
    """The moves out of one stage; `start` None is enrollment."""

    start: Stage | None
    moves: list[MoveRow]


class TemplateAdmin(PracticeOwnedAdmin):
    list_display = ("name", "active", "stage_count", "under_way")
    list_filter = ("is_active",)
    change_form_template = "kura/template.html"
    change_list_template = "kura/templates.html"
    empty_words = _("There are no journeys yet. Add one, or import a file.")

    def get_queryset(self, request: HttpRequest) -> QuerySet[JourneyTemplate]:
        open_ones = Count("enrollments", filter=Q(enrollments__closed_at__isnull=True))
        rows: QuerySet[JourneyTemplate] = super().get_queryset(request)
        return rows.annotate(open_enrollments=open_ones)

    def get_urls(self) -> list[URLPattern]:
        about_one = {"edit": edit_page, "clone": clone_page, "switch": switch_page,
                     "export": export_file}  # fmt: skip
        routes = [self._route(f"<uuid:template_id>/{verb}/", verb, page)
                  for verb, page in about_one.items()]  # fmt: skip
        return [*routes, self._route("import/", "import", import_page), *super().get_urls()]

    def _route(self, url: str, verb: str, page: Callable[..., HttpResponse]) -> URLPattern:
        view = self.admin_site.admin_view(partial(page, self))
        return path(url, view, name=f"journeys_journeytemplate_{verb}")

    def prepare(self, rows: list[Any]) -> list[Any]:
        known = definitions([row.pk for row in rows])
        for row in rows:
            row.definition = known[row.pk]
        return rows

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> Any | None:
        found = super().get_object(request, object_id, from_field)
        return self.prepare([found])[0] if found is not None else None

    @admin.display(description=_("active"), ordering="is_active")
    def active(self, template: JourneyTemplate) -> str:
        return render_to_string("kura/_active.html", {"is_active": template.is_active})

    @admin.display(description=_("stages"))
    def stage_count(self, template: JourneyTemplate) -> str:
        definition: Definition = getattr(template, "definition")  # noqa: B009  from `prepare`
        return _counted(gettext("stages"), len(definition.allowed))

    @admin.display(description=_("patients under way"), ordering="open_enrollments")
    def under_way(self, template: JourneyTemplate) -> str:
        return _counted(gettext("patients under way"), getattr(template, "open_enrollments", 0))

    # --- make one ---------------------------------------------------------------------------

    def get_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:  # noqa: ARG002
        asked = ("name", "start", "allowed_stages", "initial_stage", "endless", "key")
        return ("name",) if obj else asked

    def get_form(
        self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any
    ) -> Any:
        if obj is None:
            kwargs["form"] = NewTemplateForm
        return super().get_form(request, obj, change, **kwargs)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:  # noqa: ARG002
        """Through the service, as everything that writes. Changes have their own page."""
        organization = editor_of(request).organization
        assert organization is not None  # noqa: S101  has_add_permission
        made = create_template(organization=organization, blueprint=form.blueprint())
        obj.__dict__.update(made.__dict__)

    def response_add(
        self,
        request: HttpRequest,
        obj: Any,
        post_url_continue: str | None = None,  # noqa: ARG002
    ) -> HttpResponse:
        """On to the editor: what it begins with is hardly ever all."""
        words = gettext(
            "“%(journey)s” is made; programs call it %(key)s. "
            "It is inactive until you switch it on: look at its stages first."
        )
        messages.success(request, words % {"journey": obj.name, "key": obj.key})
        return redirect("admin:journeys_journeytemplate_edit", obj.pk)

    # --- read one ---------------------------------------------------------------------------

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        if request.method == "POST":
            if not self.has_change_permission(request):
                raise PermissionDenied
            return HttpResponseNotAllowed(["GET", "HEAD"])
        return super().change_view(request, object_id, form_url, extra_context)

    def beside(self, request: HttpRequest, obj: Any) -> dict[str, Any]:
        blueprint = blueprint_of(obj.definition)
        return {
            "journey": obj.name,
            "stages": _stages(obj),
            "leavings": _leavings(obj.definition),
            "picture": picture_of(blueprint, gettext("Enrollment")),
            "has_moves": bool(blueprint.moves),
            "may_edit": self.has_change_permission(request),
        }


def _counted(label: str, number: int) -> str:
    """On a telephone the row is a card without headings."""
    return format_html('<span class="only-narrow">{}: </span>{}', capfirst(label), number)


def _stages(template: Any) -> list[StageRow]:
    definition: Definition = template.definition
    usage = usage_of(template.pk)
    return [
        StageRow(
            stage,
            str(StageStatus(stage.status).label),
            str(Turn(stage.whose_turn).label),
            code == definition.initial_stage,
            usage.get(code, NOT_USED).standing,
        )
        for code, stage in definition.allowed.items()
    ]


def _leavings(definition: Definition) -> list[Leaving]:
    """By stage in the template's order, enrollment first."""
    found: dict[str | None, list[MoveRow]] = {}
    for move in sorted(definition.moves, key=lambda move: _place(definition, move)):
        row = MoveRow(definition.stages.get(move.to_stage), branch_of(move.guard), move)
        found.setdefault(move.from_stage, []).append(row)
    return [Leaving(definition.stages.get(start or ""), rows) for start, rows in found.items()]


def _place(definition: Definition, move: Move) -> tuple[int, int]:
    return (_position(definition, move.from_stage), _position(definition, move.to_stage))


def _position(definition: Definition, code: str | None) -> int:
    stage = definition.stages.get(code or "")
    return stage.position if stage else -1
