"""The pages that decide about an event: try again, skip, link to a patient, replay.

Real pages, without a line of script: GET says what will happen, POST does it and keeps the reason.
The page carries the last decision that it knew. If somebody was faster, it answers 409 and changes
nothing; if that somebody was the same click sent twice, it says that it is done.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

from django.contrib import messages
from django.contrib.admin import AdminSite
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import Promise, cached_property
from django.utils.timesince import timesince
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from automation import errors
from automation.admin.forms import DecisionForm, LinkForm
from automation.admin.sight import sight_of
from automation.models.dispatch import DecisionKind, DispatchDecision, DispatchStatus
from automation.selectors.event_page import EventPage, event_page, whole_events
from automation.services import decisions
from journeys.errors import PatientNotFound
from journeys.models.event import SystemEventLog
from journeys.selectors.history import event_label
from kura.accounts.models import User
from kura.accounts.tenant_admin import editor_of
from kura.errors import KuraError
from patients.models import Patient
from patients.selectors import search

MOST_FOUND: Final = 20  # patients that a search offers; a person who sees more types more


@dataclass(frozen=True, kw_only=True, slots=True)
class Decision:
    """The words of one kind of decision, and when it is possible.

    `offer`: the way to the page; `button`: what ends it there.
    """

    kind: DecisionKind
    title: Promise
    consequence: Promise
    offer: Promise
    button: Promise
    done: Promise
    faster: Promise
    is_possible: Callable[[EventPage], bool]


def _is(*statuses: DispatchStatus) -> Callable[[EventPage], bool]:
    return lambda page: page.place is not None and page.place.status in statuses


RETRY: Final = Decision(
    kind=DecisionKind.RETRY,
    title=gettext_lazy("Try “%(event)s” again"),
    consequence=gettext_lazy(
        "The event gets five new attempts, the first one now. "
        "What took effect already is not repeated."
    ),
    offer=gettext_lazy("Try again"),
    button=gettext_lazy("Try again"),
    done=gettext_lazy("The event is being tried again."),
    faster=gettext_lazy("%(who)s had this event tried again %(when)s."),
    is_possible=_is(DispatchStatus.DEAD),
)
SKIP: Final = Decision(
    kind=DecisionKind.SKIP,
    title=gettext_lazy("Skip “%(event)s”"),
    consequence=gettext_lazy(
        "The event is laid aside and causes nothing any more: nobody is moved and no message is "
        "sent because of it. It stays in the log, with your reason, and can be replayed later."
    ),
    offer=gettext_lazy("Skip"),
    button=gettext_lazy("Skip"),
    done=gettext_lazy("The event was skipped."),
    faster=gettext_lazy("%(who)s skipped this event %(when)s."),
    is_possible=_is(DispatchStatus.DEAD, DispatchStatus.UNMATCHED),
)
LINK: Final = Decision(
    kind=DecisionKind.LINK,
    title=gettext_lazy("Whom is “%(event)s” about?"),
    consequence=gettext_lazy(
        "A new event with the same contents and the same time is recorded for the patient, and the "
        "rules run for it. The event that came in stays as it came."
    ),
    offer=gettext_lazy("Link to a patient"),
    button=gettext_lazy("Link to this patient"),
    done=gettext_lazy("The event was linked to the patient."),
    faster=gettext_lazy("%(who)s linked this event to a patient %(when)s."),
    is_possible=_is(DispatchStatus.UNMATCHED),
)
REPLAY: Final = Decision(
    kind=DecisionKind.REPLAY,
    title=gettext_lazy("Replay “%(event)s”"),
    consequence=gettext_lazy(
        "What was refused is tried again now. What took effect already is not repeated, and the "
        "rules are judged on the data of that moment."
    ),
    offer=gettext_lazy("Replay"),
    button=gettext_lazy("Replay"),
    done=gettext_lazy("The event is being replayed."),
    faster=gettext_lazy("%(who)s replayed this event %(when)s."),
    is_possible=lambda page: page.may_be_replayed,
)
DECISIONS: Final = {one.kind.value: one for one in (RETRY, SKIP, LINK, REPLAY)}


def possible_decisions(page: EventPage, user: User) -> list[Decision]:
    """What the event's page offers to this person."""
    if not user.has_perm(decisions.DECIDE):
        return []
    offered = (RETRY, LINK, REPLAY, SKIP)
    return [one for one in offered if one.is_possible(page)]


@dataclass(frozen=True)
class Here:
    """One request about one event."""

    site: AdminSite
    request: HttpRequest
    editor: User
    event: SystemEventLog
    decision: Decision

    @cached_property
    def page(self) -> EventPage:
        return event_page(self.event, sight_of(self.editor))

    @property
    def posted(self) -> bool:
        return self.request.method == "POST"

    @property
    def last(self) -> DispatchDecision | None:
        """About the event itself; one about a message of it is another matter."""
        about_it = (one for one in self.page.decisions if one.message_id is None)
        return next(about_it, None)

    @property
    def overtaken(self) -> bool:
        """The page was made before the last decision, or there is nothing to decide."""
        seen, last = self.request.POST.get("seen", ""), self.last
        is_newer = self.posted and seen != (str(last.pk) if last else "")
        return is_newer or not self.decision.is_possible(self.page)

    @property
    def is_own_click(self) -> bool:
        """The last decision is what this request asks for: a click that was sent twice."""
        last, reason = self.last, self.request.POST.get("reason", "")
        if not self.posted or last is None:
            return False
        same = (last.kind, last.decided_by_id) == (self.decision.kind, self.editor.pk)
        return same and " ".join(last.reason.split()) == " ".join(reason.split())

    def fresh(self) -> Here:
        return replace(self, event=_load(self.event.pk))


def decision_page(
    site: AdminSite, kind: str, request: HttpRequest, event_id: uuid.UUID
) -> HttpResponse:
    editor = editor_of(request)
    if not editor.has_perm(decisions.DECIDE):
        raise PermissionDenied(str(errors.DecisionNotPermitted()))
    here = Here(site, request, editor, _load(event_id), DECISIONS[kind])
    return _overtaken(here) if here.overtaken else _answer(here)


def _load(event_id: uuid.UUID) -> SystemEventLog:
    return get_object_or_404(whole_events(), pk=event_id)


def _answer(here: Here) -> HttpResponse:
    form = _form(here)
    if not (here.posted and form.is_valid()):
        return _show(here, form)
    try:
        _decide(here, form)
    except (errors.NotDecidable, errors.LoopBudget):
        return _overtaken(here.fresh())
    except PatientNotFound as refusal:
        form.add_error("patient", str(refusal))
    except KuraError as refusal:
        form.add_error("reason", str(refusal))
    else:
        return _done(here)
    return _show(here, form)


def _decide(here: Here, form: DecisionForm) -> None:
    about: dict[str, Any] = {
        "event_id": here.event.pk,
        "user": here.editor,
        "reason": form.cleaned_data["reason"],
    }
    match here.decision.kind:
        case DecisionKind.RETRY:
            decisions.retry(**about)
        case DecisionKind.SKIP:
            decisions.skip(**about)
        case DecisionKind.REPLAY:
            decisions.replay(**about)
        case DecisionKind.LINK if isinstance(form, LinkForm):
            decisions.link(**about, patient_id=form.patient_id)


# --- forms --------------------------------------------------------------------------------------


def _form(here: Here) -> DecisionForm:
    data = here.request.POST if here.posted else None
    initial = {"seen": here.last.pk if here.last else None}
    if here.decision is LINK:
        return LinkForm(data, initial=initial, found=_found(here))
    return DecisionForm(data, initial=initial)


def _asked(here: Here) -> str:
    """What was searched for: at first, the person as the source named them."""
    given = here.request.POST if here.posted else here.request.GET
    named = here.page.subject.get("email") or here.page.subject.get("external_id") or ""
    return given.get("q", named).replace("\x00", "")


def _found(here: Here) -> list[Patient]:
    asked = _asked(here)
    if not asked.split():
        return []
    patients = Patient.objects.filter(organization=here.event.organization_id)
    return list(search(patients, asked).order_by("sort_key", "id")[:MOST_FOUND])


# --- answers ------------------------------------------------------------------------------------


def _show(here: Here, form: DecisionForm) -> HttpResponse:
    context = {"form": form, "decision": here.decision, "page": here.page}
    if here.decision is LINK:
        found = _found(here)
        chosen = here.request.POST.get("patient") or (str(found[0].pk) if len(found) == 1 else "")
        context |= {"asked": _asked(here), "found": found, "chosen": chosen}
    return _render(here, "kura/event_decision.html", _titled(here.decision.title, here), context)


def _done(here: Here) -> HttpResponse:
    messages.success(here.request, str(here.decision.done))
    return redirect(_event_url(here))


def _overtaken(here: Here) -> HttpResponse:
    if here.is_own_click:
        return _done(here)
    context = {"sentence": _why_not(here), "typed": here.request.POST.get("reason", "")}
    return _render(here, "kura/event_conflict.html", _("Nothing was changed"), context, status=409)


def _why_not(here: Here) -> str:
    if here.last is None or here.last.decided_by_id == here.editor.pk:
        return str(errors.NotDecidable())
    sentence = str(DECISIONS[here.last.kind].faster)
    return sentence % {"who": here.last.decided_by, "when": _ago(here.last)}


def _ago(decision: DispatchDecision) -> str:
    if (timezone.now() - decision.decided_at).total_seconds() < 60:  # noqa: PLR2004  one minute
        return _("just now")
    return _("%(time)s ago") % {"time": timesince(decision.decided_at, depth=1)}


def _titled(title: Promise, here: Here) -> str:
    return str(title) % {"event": event_label(here.event.event_type)}


def _render(
    here: Here, template: str, title: str, context: dict[str, Any], status: int = 200
) -> HttpResponse:
    common = {
        "title": title,
        "event": here.event,
        "event_url": _event_url(here),
    }
    everything = {**here.site.each_context(here.request), **common, **context}
    return render(here.request, template, everything, status=status)


def _event_url(here: Here) -> str:
    return reverse("admin:journeys_systemeventlog_change", args=[here.event.pk])
