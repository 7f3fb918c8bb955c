"""The action that moves many patients of one journey, with a result for each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.contrib import messages
from django.contrib.admin import AdminSite
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _

from journeys import errors
from journeys.admin import choices
from journeys.admin.forms import BulkMoveForm
from journeys.admin.moving import cause_of
from journeys.models.enrollment import Enrollment
from journeys.selectors.definitions import Definition, Stage, definitions
from journeys.services.bulk import BulkResult, transition_many
from kura.accounts.tenant_admin import editor_of

MAX_SELECTED: Final = 500  # a page that a person can still read


@dataclass(frozen=True, slots=True)
class Row:
    """One patient of the selection: where they stand, and afterwards what became of them."""

    enrollment: Enrollment
    stage: Stage | None
    outcome: str = ""
    words: str = ""


def move_selected(
    site: AdminSite, request: HttpRequest, queryset: QuerySet[Enrollment]
) -> HttpResponse | None:
    selected = list(queryset.select_related("patient")[: MAX_SELECTED + 1])
    problem = _problem(selected)
    if problem:
        messages.error(request, problem)
        return None
    definition = definitions([selected[0].template_id])[selected[0].template_id]
    form = BulkMoveForm(request.POST if "apply" in request.POST else None, definition=definition)
    if form.is_bound and form.is_valid():
        try:
            return _moved(site, request, form.cleaned_data, selected, definition)
        except errors.TimeOrder as refusal:
            form.add_error("changed_at", str(refusal))
    return _ask(site, request, form, selected, definition)


def _problem(selected: Sequence[Enrollment]) -> str:
    if len(selected) > MAX_SELECTED:
        return _("Select at most %(most)s patients at a time.") % {"most": MAX_SELECTED}
    if len({one.template_id for one in selected}) != 1:
        return _("Select patients of one journey: the stages of another are different ones.")
    return ""


def _ask(
    site: AdminSite,
    request: HttpRequest,
    form: BulkMoveForm,
    selected: Sequence[Enrollment],
    definition: Definition,
) -> HttpResponse:
    context = {
        "title": _("Move to another stage"),
        "form": form,
        "choices": choices.all_stages(definition, form["to_stage"].value() or ""),
        "rows": _rows(selected, definition),
        "journey": definition.name,
        "checkbox": ACTION_CHECKBOX_NAME,
    }
    return render(request, "kura/bulk_move.html", {**site.each_context(request), **context})


def _rows(selected: Sequence[Enrollment], definition: Definition) -> list[Row]:
    return [Row(one, definition.stages.get(one.stage)) for one in selected]


def _moved(
    site: AdminSite,
    request: HttpRequest,
    given: dict[str, Any],
    selected: Sequence[Enrollment],
    definition: Definition,
) -> HttpResponse:
    """Open enrollments only: moving an old, closed one would move the patient's present one."""
    results = transition_many(
        patient_ids=[one.patient_id for one in selected if one.is_open],
        journey_key=definition.key,
        to_stage=given["to_stage"],
        cause=cause_of(editor_of(request), given),
        changed_at=given["changed_at"],
    )
    by_patient = {result.patient_id: result for result in results}
    rows = [_result_row(one, by_patient.get(one.patient_id), definition) for one in selected]
    context = {
        "title": _("Result: move to “%(stage)s”") % {"stage": definition.label(given["to_stage"])},
        "rows": sorted(rows, key=lambda row: row.outcome != "refused"),
        "moved": sum(row.outcome == "moved" for row in rows),
        "journey": definition.name,
    }
    return render(request, "kura/bulk_result.html", {**site.each_context(request), **context})


def _result_row(one: Enrollment, result: BulkResult | None, definition: Definition) -> Row:
    stage = definition.stages.get(one.stage)
    if not one.is_open or result is None:
        return Row(one, stage, "refused", str(errors.JourneyClosed()))
    if result.outcome == "refused":
        return Row(one, stage, "refused", str(result.refusal))
    if result.outcome == "unchanged":
        return Row(one, stage, "unchanged", _("Was there already."))
    return Row(one, stage, "moved", _("Moved."))
