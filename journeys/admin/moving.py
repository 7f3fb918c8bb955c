"""The pages that move one patient and that review a block. Real pages, which a browser with scripts
also shows in a dialog.

The page carries the number of the last move it showed. If somebody was faster, it answers 409
and changes nothing; if that somebody was the same click sent twice, it says that it is done.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace
from typing import Any

from django.contrib import messages
from django.contrib.admin import AdminSite
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.timesince import timesince
from django.utils.translation import gettext as _

from journeys import errors
from journeys.admin import choices
from journeys.admin.forms import KeepForm, MoveForm
from journeys.admin.outlook import Evidence, Lifted, Outlook
from journeys.cause import MOVE, UNBLOCK, Cause, by_user
from journeys.guards import Decision
from journeys.models.enrollment import Enrollment
from journeys.models.log import ActorKind, JourneyLog
from journeys.selectors.definitions import Definition, definitions
from journeys.selectors.history import HistoryLine, history_lines, readable, with_reviews
from journeys.selectors.holds import holds_besides
from journeys.selectors.options import allowed_transitions, position_of
from journeys.selectors.positions import Expectation
from journeys.services.reviews import keep_blocked
from journeys.services.transitions import return_stage, transition, unblock
from kura.accounts.models import User
from kura.accounts.tenant_admin import editor_of
from kura.errors import KuraError
from kura.request_ids import current_request_id


@dataclass(frozen=True)
class Here:
    """One request about one enrollment, and what the page needs to know of it."""

    site: AdminSite
    outlook: Outlook
    request: HttpRequest
    editor: User
    enrollment: Enrollment
    unblocking: bool

    @cached_property
    def definition(self) -> Definition:
        return definitions([self.enrollment.template_id])[self.enrollment.template_id]

    @cached_property
    def options(self) -> list[Decision]:
        return allowed_transitions(self.enrollment, self.editor)

    @cached_property
    def last_line(self) -> HistoryLine:
        """The move that brought the patient here."""
        logs = readable(JourneyLog.objects.filter(enrollment_id=self.enrollment.pk))
        return with_reviews(history_lines([logs.get(seq=self.enrollment.seq)]))[0]

    @cached_property
    def evidence(self) -> Evidence | None:
        return self.outlook.evidence(self.last_line, self.editor)

    @cached_property
    def lifted(self) -> Lifted:
        return self.outlook.once_lifted(self.enrollment) if self.unblocking else Lifted()

    @property
    def posted(self) -> bool:
        return self.request.method == "POST"

    @property
    def keeps(self) -> bool:
        """The decision is that the block stays."""
        return self.posted and self.unblocking and self.request.POST.get("decision") == "keep"

    @property
    def overtaken(self) -> bool:
        """The page was made before the last move."""
        seen = self.request.POST.get("expected_seq", "")
        return self.posted and seen.isdecimal() and int(seen) != self.enrollment.seq

    @property
    def wrong_page(self) -> bool:
        return self.enrollment.is_blocked != self.unblocking

    def fresh(self) -> Here:
        return replace(self, enrollment=_load(self.enrollment.pk))


def move_page(
    site: AdminSite, outlook: Outlook, request: HttpRequest, enrollment_id: uuid.UUID
) -> HttpResponse:
    return _page(site, outlook, request, enrollment_id, unblocking=False)


def unblock_page(
    site: AdminSite, outlook: Outlook, request: HttpRequest, enrollment_id: uuid.UUID
) -> HttpResponse:
    return _page(site, outlook, request, enrollment_id, unblocking=True)


def _page(
    site: AdminSite,
    outlook: Outlook,
    request: HttpRequest,
    enrollment_id: uuid.UUID,
    *,
    unblocking: bool,
) -> HttpResponse:
    editor = editor_of(request)
    if not editor.has_perm(UNBLOCK if unblocking else MOVE):
        raise PermissionDenied(str(_not_permitted(unblocking)))
    here = Here(site, outlook, request, editor, _load(enrollment_id), unblocking)
    if here.overtaken:
        return _somebody_was_faster(here)
    if not here.enrollment.is_open:
        return _conflict(here, str(errors.JourneyClosed()))
    if here.wrong_page:
        page = "move" if unblocking else "unblock"
        return redirect(f"admin:journeys_enrollment_{page}", enrollment_id)
    return _answer(here)


def _url(enrollment: Enrollment, *, unblocking: bool) -> str:
    page = "unblock" if unblocking else "move"
    return reverse(f"admin:journeys_enrollment_{page}", args=[enrollment.pk])


def _not_permitted(unblocking: bool) -> KuraError:
    return errors.UnblockNotPermitted() if unblocking else errors.MoveNotPermitted()


def _load(enrollment_id: uuid.UUID) -> Enrollment:
    rows = Enrollment.objects.select_related("patient", "template")
    return get_object_or_404(rows, pk=enrollment_id)


def _answer(here: Here) -> HttpResponse:
    if here.keeps:
        return _keep(here)
    form = _form(here)
    if not (here.posted and form.is_valid()):
        return _show(here, form)
    try:
        _move(here, form.cleaned_data)
    except errors.StageMoved:
        return _somebody_was_faster(here.fresh())
    except errors.TimeOrder as refusal:
        form.add_error("changed_at", str(refusal))
    except KuraError as refusal:
        form.add_error(None, str(refusal))
    else:
        return _done(here, form.cleaned_data["to_stage"])
    return _show(here, form)


def _keep(here: Here) -> HttpResponse:
    given = KeepForm(here.request.POST)
    if not given.is_valid():
        return _show(here, _form(here))
    try:
        keep_blocked(
            patient_id=here.enrollment.patient_id,
            journey_key=here.enrollment.journey_key,
            reviewer=here.editor,
            note=given.cleaned_data["reason"],
            expected=_expected(here, given.cleaned_data),
            now=timezone.now(),
        )
    except errors.StageMoved:
        return _somebody_was_faster(here.fresh())
    words = _("The block of %(patient)s stays. Your review is in the history.")
    messages.success(here.request, words % {"patient": here.enrollment.patient})
    return redirect(_card_url(here))


def _expected(here: Here, given: dict[str, Any]) -> Expectation:
    return Expectation(seq=given["expected_seq"], enrollment_id=here.enrollment.pk)


def _form(here: Here) -> MoveForm:
    return MoveForm(
        here.request.POST if here.posted else None,
        options=here.options,
        leaps={} if here.unblocking else _leaps(here),
        unblocking=here.unblocking,
        initial={"expected_seq": here.enrollment.seq, "to_stage": _suggested(here)},
    )


def _leaps(here: Here) -> dict[str, str]:
    return choices.leaps(here.definition, here.options, here.enrollment.stage)


def _suggested(here: Here) -> str:
    """A block is left to where the patient stood before it; otherwise what the link named."""
    if not here.unblocking:
        return here.request.GET.get("to", "")
    try:
        return return_stage(here.definition, position_of(here.enrollment))
    except errors.TargetRequired:
        return ""


def _move(here: Here, given: dict[str, Any]) -> None:
    act = unblock if here.unblocking else transition
    act(
        patient_id=here.enrollment.patient_id,
        journey_key=here.enrollment.journey_key,
        to_stage=given["to_stage"],
        cause=cause_of(here.editor, given),
        changed_at=given["changed_at"],
        expected=_expected(here, given),
    )


def cause_of(editor: User, given: dict[str, Any]) -> Cause:
    """The editor, for the reasons given in the form."""
    return by_user(
        editor,
        reason_code=given["reason_code"],
        reason=given["reason"],
        via="admin",
        request_id=current_request_id(),
    )


# --- answers ----------------------------------------------------------------------------------


def _show(here: Here, form: MoveForm) -> HttpResponse:
    name = str(here.enrollment.patient)
    title = _("Review the block: %(patient)s") if here.unblocking else _("Move %(patient)s")
    context = {
        "title": title % {"patient": name},
        "form": form,
        "form_url": _url(here.enrollment, unblocking=here.unblocking),
        "choices": _choices(here, form["to_stage"].value() or ""),
        "stage": here.definition.stages.get(here.enrollment.stage),
        "line": here.last_line,
        "evidence": here.evidence,
        "lifted": here.lifted,
        "unblocking": here.unblocking,
        "held_in": _held_in(here),
    }
    return _render(here, "kura/move.html", context)


def _held_in(here: Here) -> list[str]:
    """The other journeys that hold this patient."""
    patient = here.enrollment.patient_id
    return holds_besides([patient], here.enrollment.journey_key).get(patient, [])


def _choices(here: Here, chosen: str) -> list[choices.Choice]:
    made = choices.stages(here.definition, here.options, chosen)
    possible = [one.value for one in made if one.allowed]
    made = choices.with_outlook(made, here.outlook.on_arrival(here.enrollment, possible))
    if here.unblocking:
        return choices.as_decisions(made, here.definition, here.enrollment.blocked_from)
    return made


def _done(here: Here, to_stage: str) -> HttpResponse:
    words = _("%(patient)s is now in “%(stage)s”.")
    stage = here.definition.label(to_stage)
    messages.success(here.request, words % {"patient": here.enrollment.patient, "stage": stage})
    return redirect(_card_url(here))


def _somebody_was_faster(here: Here) -> HttpResponse:
    log = here.last_line.log
    target = here.request.POST.get("to_stage")
    own = log.actor_kind == ActorKind.USER and log.actor_id == here.editor.pk
    if own and log.to_stage == target and log.seq == int(here.request.POST["expected_seq"]) + 1:
        return _done(here, log.to_stage)
    return _conflict(here, _who_was_faster(here))


def _who_was_faster(here: Here) -> str:
    line = here.last_line
    person = line.log.actor_kind == ActorKind.USER
    return _("%(who)s already moved %(patient)s to “%(stage)s” %(when)s.") % {
        "who": line.actor if person else _("An automation"),
        "patient": here.enrollment.patient,
        "stage": here.definition.label(line.log.to_stage),
        "when": _ago(line.log),
    }


def _ago(log: JourneyLog) -> str:
    """Since it was written: a back-dated move was still made just now."""
    if (timezone.now() - log.recorded_at).total_seconds() < 60:  # noqa: PLR2004  one minute
        return _("just now")
    return _("%(time)s ago") % {"time": timesince(log.recorded_at, depth=1)}


def _conflict(here: Here, sentence: str) -> HttpResponse:
    context = {
        "title": _("Nothing was changed"),
        "sentence": sentence,
        "typed": here.request.POST.get("reason", ""),
        "again": _url(here.enrollment, unblocking=here.enrollment.is_blocked)
        if here.enrollment.is_open
        else "",
    }
    return _render(here, "kura/conflict.html", context, status=409)


def _render(here: Here, template: str, context: dict[str, Any], status: int = 200) -> HttpResponse:
    common = {
        "enrollment": here.enrollment,
        "patient": here.enrollment.patient,
        "patient_url": _patient_url(here),
        "journey": here.definition.name,
    }
    everything = {**here.site.each_context(here.request), **common, **context}
    return render(here.request, template, everything, status=status)


def _card_url(here: Here) -> str:
    """The journey's heading on the patient's page: the reader goes on there."""
    return f"{_patient_url(here)}#journey-{here.enrollment.pk}"


def _patient_url(here: Here) -> str:
    return reverse("admin:patients_patient_change", args=[here.enrollment.patient_id])
