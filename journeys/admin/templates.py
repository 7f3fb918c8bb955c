"""Journey templates: read the stages and the graph in words, make one from bare stage codes,
rename it, switch it on and off.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from journeys.blueprints import Blueprint, problems_of, stages_from_codes
from journeys.fields import guard_field
from journeys.models.template import JourneyTemplate, StageStatus, Turn
from journeys.selectors.definitions import Definition, Move, Stage, definitions
from journeys.services.templates import create_template, rename_template, set_active
from kura.accounts.tenant_admin import PracticeOwnedAdmin, TenantForm, editor_of
from kura.conditions import describe


class NewTemplateForm(TenantForm):
    """`allowed_stages`: one code a line; the standard ones bring their meaning along."""

    allowed_stages = forms.CharField(
        label=_("Allowed stages"),
        widget=forms.Textarea(attrs={"rows": 8, "class": "code"}),
        help_text=_("One code a line, in order, for example AWAITING_PAYMENT."),
    )
    endless = forms.BooleanField(
        label=_("This journey has no end"),
        required=False,
        help_text=_("Confirm it if no stage finishes or cancels the journey."),
    )

    class Meta:
        model = JourneyTemplate
        fields = ("key", "name", "initial_stage")

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if not self.errors:
            for problem in problems_of(self.blueprint()):
                self.add_error(None, problem)
        return cleaned

    def blueprint(self) -> Blueprint:
        given = self.cleaned_data
        codes = [line.strip() for line in given["allowed_stages"].splitlines()]
        return Blueprint(
            key=given["key"],
            name=given["name"],
            initial_stage=given["initial_stage"].strip(),
            stages=stages_from_codes(code for code in codes if code),
            endless=given["endless"],
        )


@dataclass(frozen=True, slots=True)
class StageRow:
    stage: Stage
    status: str
    turn: str
    is_initial: bool


@dataclass(frozen=True, slots=True)
class MoveRow:
    """`conditions`: the guard in words, '' without one."""

    start: Stage | None
    end: Stage | None
    conditions: str
    move: Move


class TemplateAdmin(PracticeOwnedAdmin):
    list_display = ("name", "is_active", "stage_count", "under_way")
    list_filter = ("is_active",)
    change_form_template = "kura/template.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[JourneyTemplate]:
        open_ones = Count("enrollments", filter=Q(enrollments__closed_at__isnull=True))
        rows: QuerySet[JourneyTemplate] = super().get_queryset(request)
        return rows.annotate(open_enrollments=open_ones)

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

    @admin.display(description=_("stages"))
    def stage_count(self, template: JourneyTemplate) -> int:
        definition: Definition = getattr(template, "definition")  # noqa: B009  from `prepare`
        return len(definition.allowed)

    @admin.display(description=_("patients under way"), ordering="open_enrollments")
    def under_way(self, template: JourneyTemplate) -> int:
        return int(getattr(template, "open_enrollments", 0))

    def get_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:  # noqa: ARG002
        if obj is not None:
            return ("name", "is_active")
        return ("name", "key", "allowed_stages", "initial_stage", "endless")

    def get_form(
        self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any
    ) -> Any:
        if obj is None:
            kwargs["form"] = NewTemplateForm
        return super().get_form(request, obj, change, **kwargs)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Through the services, as everything that writes."""
        if not change:
            organization = editor_of(request).organization
            assert organization is not None  # noqa: S101  has_add_permission
            made = create_template(organization=organization, blueprint=form.blueprint())
            obj.__dict__.update(made.__dict__)
            return
        if "name" in form.changed_data:
            rename_template(template_id=obj.pk, name=obj.name)
        if "is_active" in form.changed_data:
            set_active(template_id=obj.pk, is_active=obj.is_active)

    def beside(self, request: HttpRequest, obj: Any) -> dict[str, Any]:  # noqa: ARG002
        return {"stages": _stages(obj.definition), "moves": _moves(obj.definition)}


def _stages(definition: Definition) -> list[StageRow]:
    return [
        StageRow(
            stage,
            str(StageStatus(stage.status).label),
            str(Turn(stage.whose_turn).label),
            code == definition.initial_stage,
        )
        for code, stage in definition.allowed.items()
    ]


def _moves(definition: Definition) -> list[MoveRow]:
    return [
        MoveRow(
            definition.stages.get(move.from_stage or ""),
            definition.stages.get(move.to_stage),
            describe(move.guard, guard_field) if move.guard else "",
            move,
        )
        for move in sorted(definition.moves, key=lambda move: _place(definition, move))
    ]


def _place(definition: Definition, move: Move) -> tuple[int, int]:
    return (_position(definition, move.from_stage), _position(definition, move.to_stage))


def _position(definition: Definition, code: str | None) -> int:
    stage = definition.stages.get(code or "")
    return stage.position if stage else -1
