"""The page on which a manager edits a template. A real page, without a line of script.

Every button sends the whole form: the ones that add, order and remove rows answer with the page
again, "Save" asks the review first. Problems refuse; cautions want the confirmation that belongs
to exactly them. The page carries the version it was made from. If somebody was faster it answers
409 with everything that was typed, and saves over theirs only when asked again.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext as _

from journeys import errors
from journeys.admin.picture import Picture, picture_of
from journeys.admin.template_draft import (
    ENTRANCE,
    MOST_MOVES,
    MOST_STAGES,
    Draft,
    Edited,
    StageRow,
    acted,
    draft_of,
    posted_draft,
)
from journeys.admin.template_forms import Rows, StageForm, TransitionForm
from journeys.blueprints import Blueprint, StageDraft
from journeys.comparison import changes_between
from journeys.models.template import JourneyTemplate
from journeys.review import NOT_USED, Review, Usage, review
from journeys.selectors.blueprints import blueprint_of, retired_stages, usage_of
from journeys.selectors.definitions import Definition, definitions
from journeys.services.templates import edit_template
from kura.errors import KuraError

SAVE, LOOK = "save", "look"
LONGEST_NOTE = 2000  # characters of an entry in "Edits of this record"


@dataclass(frozen=True)
class Desk:
    """One request about one template, and what the page needs to know of it."""

    admin: ModelAdmin[Any]
    request: HttpRequest
    template: JourneyTemplate

    @cached_property
    def definition(self) -> Definition:
        return definitions([self.template.pk])[self.template.pk]

    @cached_property
    def before(self) -> Blueprint:
        return blueprint_of(self.definition)

    @cached_property
    def retired(self) -> list[StageDraft]:
        return retired_stages(self.definition)

    @cached_property
    def usage(self) -> dict[str, Usage]:
        return usage_of(self.template.pk)

    @property
    def known_codes(self) -> set[str]:
        return set(self.before.codes)

    @property
    def url(self) -> str:
        return reverse("admin:journeys_journeytemplate_change", args=[self.template.pk])

    @property
    def is_too_large(self) -> bool:
        return len(self.before.stages) > MOST_STAGES or len(self.before.moves) > MOST_MOVES


@dataclass(frozen=True)
class View:
    """One answer of the editor. `review` is None where the draft was not asked for sense."""

    edited: Edited
    rows: Rows
    blueprint: Blueprint
    review: Review | None = None
    problems: Sequence[str] = ()
    is_conflict: bool = False


def edit_page(admin: ModelAdmin[Any], request: HttpRequest, template_id: uuid.UUID) -> HttpResponse:
    desk = desk_of(admin, request, template_id)
    if desk.is_too_large:
        return _too_large(desk)
    if request.method != "POST":
        return _show(desk, _look(desk, Edited(draft_of(desk.before))))
    taken = {stage.code for stage in (*desk.before.stages, *desk.retired)}
    draft = posted_draft(request.POST, taken)
    if request.POST.get("version") != str(desk.definition.version):
        return _somebody_was_faster(desk, draft)
    act = request.POST.get("act", LOOK)
    if act == SAVE:
        return _save(desk, draft)
    return _show(desk, _look(desk, acted(draft, act, desk.before, desk.retired)))


def desk_of(admin: ModelAdmin[Any], request: HttpRequest, template_id: uuid.UUID) -> Desk:
    """403 before 404: who may not edit is not told which templates there are."""
    if not admin.has_change_permission(request):
        raise PermissionDenied(_("Ask a manager of your practice: only managers edit templates."))
    template = get_object_or_404(JourneyTemplate.objects.all(), pk=template_id)
    return Desk(admin, request, template)


# --- answers ----------------------------------------------------------------------------------


def _look(desk: Desk, edited: Edited) -> View:
    """The draft as it stands, with its cautions; what is incomplete is not complained of yet."""
    rows = Rows(edited.draft, known=desk.known_codes, bound=False)
    rows.focus(edited.focus)
    blueprint = edited.draft.blueprint(desk.before)
    found = review(blueprint, before=desk.before, usage=desk.usage)
    return View(edited, rows, blueprint, found, problems=())


def _save(desk: Desk, draft: Draft) -> HttpResponse:
    rows = Rows(draft, known=desk.known_codes, bound=True)
    blueprint = draft.blueprint(desk.before)
    if rows.mistakes:
        return _show(desk, View(Edited(draft), rows, blueprint))
    found = review(blueprint, before=desk.before, usage=desk.usage)
    view = View(Edited(draft), rows, blueprint, found, found.problems)
    is_confirmed = desk.request.POST.get("confirmed") == found.seal
    if found.problems or (found.cautions and not is_confirmed):
        return _show(desk, view)
    return _write(desk, view)


def _write(desk: Desk, view: View) -> HttpResponse:
    try:
        template = edit_template(
            template_id=desk.template.pk,
            blueprint=view.blueprint,
            expected_version=desk.definition.version,
        )
    except errors.TemplateChanged:
        fresh = desk_of(desk.admin, desk.request, desk.template.pk)
        return _somebody_was_faster(fresh, view.edited.draft)
    except KuraError as refusal:  # somebody moved a patient between the review and the write
        refused = View(view.edited, view.rows, view.blueprint, view.review, [str(refusal)])
        return _show(desk, refused)
    note_edit(desk.admin, desk.request, template, changes_between(desk.before, view.blueprint))
    return _done(desk, template.version)


def note_edit(
    admin: ModelAdmin[Any], request: HttpRequest, template: JourneyTemplate, changes: Sequence[str]
) -> None:
    """Into "Edits of this record"."""
    words = " ".join(changes)
    note = _("Version %(version)s. %(changes)s") % {
        "version": template.version,
        "changes": words,
    }
    admin.log_change(request, template, note[:LONGEST_NOTE])


def _done(desk: Desk, version: int) -> HttpResponse:
    words = _("“%(journey)s” is saved: version %(version)s.")
    name = desk.request.POST.get("name", "").strip()
    messages.success(desk.request, words % {"journey": name, "version": version})
    return redirect(desk.url)


def _somebody_was_faster(desk: Desk, draft: Draft) -> HttpResponse:
    """The same click sent twice is no conflict: what it asked for is there."""
    rows = Rows(draft, known=desk.known_codes, bound=True)
    blueprint = draft.blueprint(desk.before)
    asked_to_save = desk.request.POST.get("act") == SAVE
    if asked_to_save and not rows.mistakes and not changes_between(desk.before, blueprint):
        return _done(desk, desk.definition.version)
    view = View(Edited(draft, focus="conflict"), rows, blueprint, is_conflict=True)
    return _show(desk, view, status=409)


def _too_large(desk: Desk) -> HttpResponse:
    context = {"title": _("Edit %(journey)s") % {"journey": desk.template.name}}
    return _render(desk, "kura/template_too_large.html", context)


# --- the page ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Step:
    """A button of a row. `label` names the row too: it is read without its surroundings."""

    way: str  # up, down, remove: the icon
    value: str
    label: str
    is_off: bool = False


@dataclass(frozen=True, slots=True)
class StageLine:
    """One stage of the form. `stage`: as its badge shows it, None before it has a name."""

    form: StageForm
    stage: StageDraft | None
    standing: int
    is_open: bool
    steps: Sequence[Step]


@dataclass(frozen=True, slots=True)
class MoveLine:
    form: TransitionForm
    name: str
    remove: Step


def _show(desk: Desk, view: View, status: int = 200) -> HttpResponse:
    draft = view.edited.draft
    cautions = view.review.cautions if view.review else ()
    context = {
        "title": _("Edit %(journey)s") % {"journey": desk.template.name},
        "version": desk.definition.version,
        "rows": view.rows,
        "form": view.rows.head if view.rows.bound else None,
        "stage_lines": _stage_lines(desk, view),
        "move_lines": _move_lines(view),
        "restorable": _restorable(desk, draft),
        "picture": _picture(view.blueprint),
        "has_moves": bool(view.blueprint.moves),
        "problems": view.problems,
        "mistakes": view.rows.mistakes if view.rows.bound else 0,
        "cautions": cautions,
        "seal": view.review.seal if view.review else "",
        "asks": bool(cautions and view.rows.bound and not view.problems),
        "said": view.edited.said,
        "focus": view.edited.focus,
        "changes": changes_between(desk.before, view.blueprint),
        "is_conflict": view.is_conflict,
    }
    return _render(desk, "kura/template_edit.html", context, status)


def _stage_lines(desk: Desk, view: View) -> list[StageLine]:
    stages = view.edited.draft.stages
    return [
        StageLine(
            form=form,
            stage=row.as_draft() if row.code else None,
            standing=desk.usage.get(row.code, NOT_USED).standing,
            is_open=bool(view.rows.bound and {"help_es", "help_en", "code"} & set(form.errors)),
            steps=_steps(number, row, len(stages) - 1),
        )
        for number, (form, row) in enumerate(zip(view.rows.stages, stages, strict=True))
    ]


def _steps(number: int, row: StageRow, last: int) -> list[Step]:
    name = {"stage": row.as_draft().label or str(number + 1)}
    return [
        Step("up", f"stage-up:{number}", _("Move “%(stage)s” up") % name, number == 0),
        Step("down", f"stage-down:{number}", _("Move “%(stage)s” down") % name, number == last),
        Step("remove", f"stage-remove:{number}", _("Remove “%(stage)s”") % name),
    ]


def _move_lines(view: View) -> list[MoveLine]:
    labels = {row.code: row.as_draft().label for row in view.edited.draft.named}
    labels[ENTRANCE] = _("Enrollment")
    lines = []
    for number, row in enumerate(view.edited.draft.moves):
        name = f"{labels.get(row.start, '–')} → {labels.get(row.end, '–')}"
        label = _("Remove the move %(move)s") % {"move": name}
        remove = Step("remove", f"move-remove:{number}", label)
        lines.append(MoveLine(view.rows.moves[number], name, remove))
    return lines


def _restorable(desk: Desk, draft: Draft) -> list[StageDraft]:
    here = {stage.code for stage in draft.stages}
    return [stage for stage in (*desk.before.stages, *desk.retired) if stage.code not in here]


def _picture(blueprint: Blueprint) -> Picture:
    return picture_of(blueprint, _("Enrollment"))


def _render(desk: Desk, page: str, context: dict[str, Any], status: int = 200) -> HttpResponse:
    common = {
        "template": desk.template,
        "journey": desk.template.name,
        "template_url": desk.url,
        "opts": desk.admin.opts,
    }
    everything = {**desk.admin.admin_site.each_context(desk.request), **common, **context}
    return render(desk.request, page, everything, status=status)
