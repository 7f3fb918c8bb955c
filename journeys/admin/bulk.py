"""Many patients at once: choose, see who will move and who will not, then do it.

The lists hand over who was selected. Nothing happens before the preview, and then only what it
showed: each row carries where the patient stood, and whoever moved in between stays and is named.
Ids that are nobody of this practice are ignored, as unknown ones are.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from django.contrib import messages
from django.contrib.admin import AdminSite
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from journeys import errors
from journeys.admin.forms import BulkForm
from journeys.admin.moving import cause_of
from journeys.cause import ENROLL, MOVE
from journeys.guards import Leap, leap
from journeys.models.enrollment import Enrollment
from journeys.models.template import JourneyTemplate
from journeys.selectors.definitions import Definition, Stage, definitions
from journeys.selectors.holds import holds_besides
from journeys.selectors.positions import Expectation
from journeys.selectors.prospects import Order, Prospect, prospects
from journeys.services.bulk import BulkResult, enroll_many, transition_many
from kura.accounts.models import User
from kura.accounts.tenant_admin import editor_of
from patients.models import Patient

MAX_SELECTED: Final = 500  # a page that a person can still read
LIST: Final = "admin:patients_patient_changelist"


@dataclass(frozen=True, kw_only=True, slots=True)
class Verb:
    """One thing to do with many. `name` is part of the page's address."""

    name: str
    permission: str
    title: Promise
    outcome: Promise

    @property
    def entering(self) -> bool:
        return self.permission == ENROLL


MOVING: Final = Verb(
    name="move",
    permission=MOVE,
    title=gettext_lazy("Move several patients"),
    outcome=gettext_lazy("Result: move to “%(target)s”"),
)
ENROLLING: Final = Verb(
    name="enroll",
    permission=ENROLL,
    title=gettext_lazy("Enroll several patients"),
    outcome=gettext_lazy("Result: enrollment in “%(target)s”"),
)
VERBS: Final = (MOVING, ENROLLING)
_LEAPS: Final = {
    Leap.BACK: gettext_lazy("Goes back."),
    Leap.OVER: gettext_lazy("Skips stages."),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One patient: where they stand, what becomes of them, and in words why not, or what else."""

    patient: Patient
    stage: Stage | None
    outcome: str
    words: str
    seen: str = ""


@dataclass(frozen=True)
class Selection:
    """One request about many patients. `journeys`: the keys offered; empty means whatever fits."""

    site: AdminSite
    request: HttpRequest
    editor: User
    verb: Verb
    patients: Sequence[Patient]
    journeys: Sequence[str] = ()

    @cached_property
    def known(self) -> dict[str, Definition]:
        """What may be offered, by template id, in the order of their names."""
        rows = JourneyTemplate.objects.filter(is_active=True)
        if not self.verb.entering:
            standing = Enrollment.objects.filter(patient__in=self._ids, closed_at__isnull=True)
            rows = JourneyTemplate.objects.filter(pk__in=standing.values("template"))
        if self.journeys:
            rows = rows.filter(key__in=self.journeys)
        ids = list(rows.order_by("name", "pk").values_list("pk", flat=True))
        found = definitions(ids)
        return {str(pk): found[pk] for pk in ids}

    @property
    def _ids(self) -> list[uuid.UUID]:
        return [one.pk for one in self.patients]

    @property
    def targets(self) -> list[tuple[str, Any]]:
        """Journeys to enter; or each journey with its stages."""
        if self.verb.entering:
            return [(pk, one.name) for pk, one in self.known.items()]
        return [
            (one.name, [(f"{pk}/{code}", stage.label) for code, stage in one.allowed.items()])
            for pk, one in self.known.items()
        ]

    def form(self, **bound: Any) -> BulkForm:
        form = BulkForm(**bound, targets=self.targets)
        if self.verb.entering:
            form.fields["target"].label = _("Journey")
        return form


# --- from the lists -----------------------------------------------------------------------------


def patients_selected(
    site: AdminSite, verb: Verb, request: HttpRequest, queryset: QuerySet[Patient]
) -> HttpResponse | None:
    """The action of the patients' list; also when all pages of it were selected."""
    return _begin(site, verb, request, list(queryset[: MAX_SELECTED + 1]))


def enrollments_selected(
    site: AdminSite, request: HttpRequest, queryset: QuerySet[Enrollment]
) -> HttpResponse | None:
    """The action of the enrollments' list: of one journey, and without those that are closed.

    A closed one stays as it is: moving it would move the patient's present enrollment.
    """
    chosen = list(queryset.select_related("patient")[: MAX_SELECTED + 1])
    keys = sorted({one.journey_key for one in chosen})
    if len(keys) != 1:
        words = _("Select patients of one journey: the stages of another are different ones.")
        messages.error(request, words)
        return None
    patients = [one.patient for one in chosen if one.is_open]
    if len(patients) < len(chosen):
        messages.warning(request, _("Enrollments that are closed were left out."))
    return _begin(site, MOVING, request, patients, keys)


def _begin(
    site: AdminSite,
    verb: Verb,
    request: HttpRequest,
    patients: Sequence[Patient],
    journeys: Sequence[str] = (),
) -> HttpResponse | None:
    if len(patients) > MAX_SELECTED:
        words = _("Select at most %(most)s patients at a time.")
        messages.error(request, words % {"most": MAX_SELECTED})
        return None
    if not patients:
        return None
    chosen = Selection(site, request, editor_of(request), verb, patients, journeys)
    return _ask(chosen, chosen.form())


# --- the page -----------------------------------------------------------------------------------


def bulk_page(site: AdminSite, verb: Verb, request: HttpRequest) -> HttpResponse:
    """`step` of the form: ask, preview or apply. Opened by its address it has nobody to show."""
    editor = editor_of(request)
    if not editor.has_perm(verb.permission):
        raise PermissionDenied(str(errors.MoveNotPermitted()))
    patients = _chosen(request)
    if not patients:
        return redirect(LIST)
    chosen = Selection(site, request, editor, verb, patients, request.POST.getlist("journey"))
    step = request.POST.get("step")
    if step == "ask":
        return _ask(chosen, chosen.form(initial=request.POST.dict()))
    form = chosen.form(data=request.POST)
    if not form.is_valid():
        return _ask(chosen, form)
    return _apply(chosen, form) if step == "apply" else _preview(chosen, form)


def _chosen(request: HttpRequest) -> list[Patient]:
    given = [*request.POST.getlist("patient"), *_seen(request)]
    ids = [pk for one in given[:MAX_SELECTED] if (pk := _uuid(one))]
    return list(Patient.objects.filter(pk__in=ids))


def _uuid(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text)
    except ValueError:
        return None


def _seen(request: HttpRequest) -> dict[str, str]:
    """By patient, where the preview showed them: `patient:where`."""
    parted = (one.partition(":") for one in request.POST.getlist("seen"))
    return {patient: where for patient, _colon, where in parted}


def _where(seen: Expectation) -> str:
    return f"{seen.enrollment_id}:{seen.seq}"


def _ask(chosen: Selection, form: BulkForm) -> HttpResponse:
    return _render(chosen, "kura/bulk_ask.html", str(chosen.verb.title), {"form": form})


def _preview(chosen: Selection, form: BulkForm) -> HttpResponse:
    definition, order = _order(chosen, form)
    asked = _asked(chosen, definition, order)
    held = holds_besides([one.patient.pk for one in asked], definition.key)
    rows = [_row(one, definition, held.get(one.patient.pk, ())) for one in asked]
    context = {
        "form": form,
        "target": _target(definition, order),
        "journey": definition.name,
        "to_stage": definition.allowed[order.target(definition)],
        "moving": [row for row in rows if row.outcome == "moves"],
        "staying": [row for row in rows if row.outcome != "moves"],
    }
    return _render(chosen, "kura/bulk_preview.html", str(chosen.verb.title), context)


def _order(chosen: Selection, form: BulkForm) -> tuple[Definition, Order]:
    template, _slash, stage = form.cleaned_data["target"].partition("/")
    definition = chosen.known[template]
    return definition, Order(
        journey_key=definition.key,
        to_stage=stage or None,
        cause=cause_of(chosen.editor, form.cleaned_data),
        changed_at=form.cleaned_data["changed_at"],
        entering=chosen.verb.entering,
    )


def _asked(chosen: Selection, definition: Definition, order: Order) -> list[Prospect]:
    return prospects(chosen.patients, definition, order, timezone.now())


def _target(definition: Definition, order: Order) -> str:
    return definition.name if order.entering else definition.label(order.target(definition))


def _row(one: Prospect, definition: Definition, held_in: Sequence[str]) -> Row:
    return Row(
        patient=one.patient,
        stage=one.stage,
        outcome=one.outcome,
        words=_why_not(one) if one.refusal else _how(one, definition, held_in),
        seen=f"{one.patient.pk}:{_where(one.seen)}",
    )


def _why_not(one: Prospect) -> str:
    return _("Is there already.") if one.outcome == "unchanged" else str(one.refusal)


def _how(one: Prospect, definition: Definition, held_in: Sequence[str]) -> str:
    found = leap(definition, one.stage.code, one.to_stage.code) if one.stage else None
    told = [str(_LEAPS[found])] if found else []
    if held_in:
        told.append(
            _("Blocked in another journey: %(journeys)s.") % {"journeys": ", ".join(held_in)}
        )
    return " ".join(told)


# --- doing it -----------------------------------------------------------------------------------


def _apply(chosen: Selection, form: BulkForm) -> HttpResponse:
    definition, order = _order(chosen, form)
    asked, seen = _asked(chosen, definition, order), _seen(chosen.request)
    as_seen = [one for one in asked if seen.get(str(one.patient.pk)) == _where(one.seen)]
    going = [one for one in as_seen if one.outcome == "moves"]
    results = {one.patient_id: one for one in _done(going, order)}
    rows = [_result(one, results.get(one.patient.pk), one in as_seen) for one in asked]
    title = str(chosen.verb.outcome) % {"target": _target(definition, order)}
    context = {
        "rows": sorted(rows, key=lambda row: row.outcome != "refused"),
        "moved": sum(row.outcome == "moved" for row in rows),
        "journey": definition.name,
    }
    return _render(chosen, "kura/bulk_result.html", title, context)


def _done(going: Iterable[Prospect], order: Order) -> list[BulkResult]:
    expected: Mapping[uuid.UUID, Expectation] = {one.patient.pk: one.seen for one in going}
    about: dict[str, Any] = {
        "patient_ids": list(expected),
        "journey_key": order.journey_key,
        "to_stage": order.to_stage,
        "cause": order.cause,
        "changed_at": order.changed_at,
    }
    return enroll_many(**about) if order.entering else transition_many(**about, expected=expected)


def _result(one: Prospect, result: BulkResult | None, as_seen: bool) -> Row:
    outcome, words = _told(one, result, as_seen)
    return Row(patient=one.patient, stage=one.stage, outcome=outcome, words=words)


def _told(one: Prospect, result: BulkResult | None, as_seen: bool) -> tuple[str, str]:
    if result is not None and result.outcome == "moved":
        return "moved", _("Done.")
    if one.outcome == "unchanged" or (result is not None and result.outcome == "unchanged"):
        return "unchanged", _("Is there already.")
    if result is not None:
        return "refused", str(result.refusal)
    return "refused", str(one.refusal if as_seen and one.refusal else errors.StageMoved())


def _render(chosen: Selection, template: str, title: str, more: dict[str, Any]) -> HttpResponse:
    context = {
        "title": title,
        "verb": chosen.verb.name,
        "url": reverse(f"admin:patients_patient_bulk_{chosen.verb.name}"),
        "patients": chosen.patients,
        "journeys": chosen.journeys,
        "list_url": reverse(LIST),
    }
    everything = {**chosen.site.each_context(chosen.request), **context, **more}
    return render(chosen.request, template, everything)
