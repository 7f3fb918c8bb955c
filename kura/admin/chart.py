"""The patient's page: where they stand in each journey, what happened and what there is to do.

Contact data have a tab of their own, with Django's form. Whose data were erased is only read.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any, Final

from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _

from automation.admin.badges import of_event_status, of_message_state
from automation.admin.pausing import Reminders, reminders_with
from automation.admin.sight import sight_of
from automation.models.message import Audience, MessageState
from automation.selectors.reminders import SoFar, announced_so_far
from automation.services.staff_tasks import COMPLETE
from journeys.admin.badges import Badge, badge_named
from journeys.cause import ENROLL, MOVE, UNBLOCK, by_user
from journeys.selectors.history import event_label
from journeys.selectors.verification import violations_of
from kura.accounts.models import User
from kura.accounts.tenant_admin import editor_of
from kura.admin.desk import Desk, desk_of
from kura.admin.moments import When, day, when, when_in_sentence
from kura.admin.panel import initials
from kura.admin.people import PatientListAdmin
from kura.admin.stepper import Stepper, stepper_of
from kura.admin.timeline import history_of, why_url
from kura.admin.told import BlockShown, block_shown
from kura.admin.why_not import SEE as SEE_WHY_NOT
from kura.admin.why_not import why_not_page, why_not_url
from kura.standing.blocks import blocks_of
from kura.standing.chart import Beside, Chart, chart_of
from kura.standing.journey import JourneyView
from kura.standing.stepper import BESIDE
from kura.standing.steps_ahead import MOVE_ON, Option, duration_words
from patients.models import Patient

PAGE: Final = "admin:patients_patient_change"
DATA: Final = "data"  # the tab with the form
WHY_NOT: Final = "why-not"
BUTTONS: Final = 3  # stages offered on a card; the page of the move has them all
MESSAGES: Final = 5  # beside the events; the history has them all


@dataclass(frozen=True, slots=True)
class Tab:
    label: str
    url: str
    here: bool = False


@dataclass(frozen=True, slots=True)
class Way:
    """A stage that the reader may move the patient to. `next`: the most useful one."""

    label: str
    url: str
    next: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Earlier:
    number: int
    badge: Badge
    words: str
    url: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Card:
    """One journey: the newest enrollment in it. `over`: from when to when, of a closed one.

    `more_url`: the page that shows all stages, those too that wait for something, and for what.
    `block`: why, and who looked at it; None where there is none.
    """

    view: JourneyView
    badges: Sequence[Badge]
    steps: Stepper
    over: str
    since: When
    block: BlockShown | None
    reminded: When | None
    reminders: Reminders
    ways: Sequence[Way]
    more_url: str
    unblock_url: str
    why_url: str
    why_not_url: str
    earlier: Sequence[Earlier]


@dataclass(frozen=True, kw_only=True, slots=True)
class Chore:
    text: str
    url: str
    done_url: str
    about: str
    for_whom: str
    due: When | None
    is_late: bool


@dataclass(frozen=True, slots=True)
class Happening:
    label: str
    url: str
    when: When
    badge: Badge


class ChartAdmin(PatientListAdmin):
    change_form_template = "kura/patient.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Patient]:
        return super().get_queryset(request).select_related("therapist")

    def get_urls(self) -> list[URLPattern]:
        why_not = self.admin_site.admin_view(
            partial(why_not_page, self.admin_site, partial(head_of, here=WHY_NOT))
        )
        own = path("<uuid:patient_id>/why-not/", why_not, name="patients_patient_whynot")
        return [own, *super().get_urls()]

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_change_permission(request, obj) and not (obj and obj.erased_at)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """The form answers what is sent to it, whatever the tab."""
        if request.method == "POST" or request.GET.get("tab") == DATA:
            return super().change_view(request, object_id, form_url, extra_context)
        patient = self.get_object(request, unquote(object_id))
        if patient is None:
            self._get_obj_does_not_exist_redirect()
        if not self.has_view_or_change_permission(request, patient):
            raise PermissionDenied
        return TemplateResponse(request, "kura/chart.html", self._chart(request, patient))

    def response_post_save_change(
        self,
        request: HttpRequest,  # noqa: ARG002
        obj: Patient,
    ) -> HttpResponseRedirect:
        return redirect(PAGE, obj.pk)

    def beside(self, request: HttpRequest, obj: Any) -> dict[str, Any]:
        return {"head": head_of(obj, editor_of(request), DATA)}

    def _chart(self, request: HttpRequest, patient: Patient) -> dict[str, Any]:
        desk = desk_of(request) or Desk(editor_of(request))
        return {
            **self.admin_site.each_context(request),
            "title": self.title_of(patient),
            "opts": self.opts,
            "original": patient,
            "head": head_of(patient, editor_of(request)),
            **chart_context(patient, desk, request.GET.dict()),
        }


# --- the head, which all tabs share -------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class Head:
    initials: str
    name: str
    details: Sequence[str]
    enrolled: datetime
    tabs: Sequence[Tab]
    enroll_url: str
    erased_at: datetime | None


def head_of(patient: Patient, user: User, here: str = "") -> Head:
    may_enroll = user.has_perm(ENROLL) and not patient.erased_at
    url = reverse("admin:patients_patient_enroll", args=[patient.pk])
    return Head(
        initials=initials(patient.full_name),
        name=patient.full_name,
        details=[one for one in (patient.email, patient.phone) if one],
        enrolled=patient.created_at,
        tabs=list(_tabs(patient, user, here)),
        enroll_url=url if may_enroll else "",
        erased_at=patient.erased_at,
    )


def _tabs(patient: Patient, user: User, here: str) -> Iterator[Tab]:
    """Those at the end lead to the lists, narrowed to this patient."""
    page = reverse(PAGE, args=[patient.pk])
    theirs = f"?patient__id__exact={patient.pk}"
    yield Tab(_("Journeys"), page, here == "")
    yield Tab(_("Contact data"), f"{page}?tab={DATA}", here == DATA)
    if user.has_perms(SEE_WHY_NOT):
        yield Tab(_("Why did it not move?"), why_not_url(patient.pk), here == WHY_NOT)
    lists = (
        (_("Whole history"), "journeys.view_journeylog", "journeys_journeylog"),
        (_("Events"), "journeys.view_systemeventlog", "journeys_systemeventlog"),
        (_("Messages"), "automation.view_message", "automation_message"),
    )
    for label, permission, model in lists:
        if user.has_perm(permission):
            yield Tab(label, reverse(f"admin:{model}_changelist") + theirs)


# --- what the page shows ------------------------------------------------------------------------


def chart_context(patient: Patient, desk: Desk, asked: dict[str, str]) -> dict[str, Any]:
    user, now = desk.user, desk.limits.now
    may_move = user.has_perm(MOVE) and not patient.erased_at
    chart = chart_of(patient.pk, desk.limits, reader=by_user(user) if may_move else None)
    so_far = announced_so_far([chart.enrollments[pk] for pk in chart.pauses])
    told = blocks_of(view.enrollment_id for view in chart.journeys if view.blocked)
    blocks = {pk: block_shown(block, user, now) for pk, block in told.items()}
    cards = [
        _card(view, chart, user, now, so_far=so_far, block=blocks.get(view.enrollment_id))
        for view in chart.journeys
    ]
    if patient.erased_at:
        cards = [_read_only(card) for card in cards]
    sight = sight_of(user)
    return {
        "contradictions": len(violations_of(patient.pk)),
        "cards": cards,
        "blocked": [card for card in cards if card.view.blocked],
        "history": history_of(chart, sight, now, asked),
        "chores": list(_chores(chart, patient, user, now)),
        "events": [_event(one, now) for one in chart.events],
        "messages_told": [_message(one, now, sight.contents) for one in chart.messages[:MESSAGES]],
        "zone": patient.timezone.replace("_", " "),
    }


def _read_only(card: Card) -> Card:
    nothing = replace(card.reminders, pause_url="", resume_url="")
    return replace(card, ways=[], more_url="", unblock_url="", reminders=nothing)


def _card(
    view: JourneyView,
    chart: Chart,
    user: User,
    now: datetime,
    *,
    so_far: Mapping[uuid.UUID, Sequence[SoFar]],
    block: BlockShown | None,
) -> Card:
    enrollment = chart.enrollments[view.enrollment_id]
    ways = [] if view.blocked else list(_ways(view, user))
    may_move = view.is_open and not view.blocked and user.has_perm(MOVE)
    may_unblock = view.blocked and user.has_perm(UNBLOCK)
    view = _in_words_of(block, view)
    return Card(
        view=view,
        badges=list(_badges(view)),
        steps=stepper_of(view, now),
        over=_over(view, now),
        since=when_in_sentence(view.entered_at, now),
        block=block,
        reminded=_reminded(view, chart.messages, now),
        reminders=reminders_with(
            chart.pauses.get(enrollment.pk), enrollment, user, so_far.get(enrollment.pk, ())
        ),
        ways=ways[:BUTTONS],
        more_url=_url("move", view) if may_move else "",
        unblock_url=_url("unblock", view) if may_unblock else "",
        why_url=why_url(view.last_move.event_id) if view.last_move else "",
        why_not_url=_why_not_url(view, user),
        earlier=[_earlier(one, now) for one in chart.earlier.get(view.journey_key, ())],
    )


def _in_words_of(block: BlockShown | None, view: JourneyView) -> JourneyView:
    """The steps tell the same reason as the banner."""
    if view.blocked is None or block is None or not block.reason:
        return view
    return replace(view, blocked=replace(view.blocked, reason=block.reason))


def _url(page: str, view: JourneyView) -> str:
    return reverse(f"admin:journeys_enrollment_{page}", args=[view.enrollment_id])


def _why_not_url(view: JourneyView, user: User) -> str:
    """What has ended moves no more."""
    may_see = view.is_open and user.has_perms(SEE_WHY_NOT)
    return why_not_url(view.patient_id, view.journey_key) if may_see else ""


def _badges(view: JourneyView) -> Iterator[Badge]:
    """The state, and whether a person is needed."""
    if view.blocked:
        yield Badge("blocked", _("Blocked").upper())
    elif view.overdue_by is not None:
        yield Badge("active", _("Active"))
        yield Badge("stuck", _("Stuck %(time)s") % {"time": duration_words(view.overdue_by)})
    elif view.is_open:
        yield Badge("active", _("Active"))
    else:
        yield badge_named(view.status, view.stage_label)
    if view.action_required:
        yield Badge("attention", _("Action required"))


def _over(view: JourneyView, now: datetime) -> str:
    """2 ene a 4 ene · 51 h en total"""
    if view.closed_at is None:
        return ""
    told = {
        "from": day(view.opened_at, now),
        "to": day(view.closed_at, now),
        "time": duration_words(view.closed_at - view.opened_at),
    }
    return _("%(from)s to %(to)s · %(time)s in all") % told


def _ways(view: JourneyView, user: User) -> Iterator[Way]:
    """The next step first, and last what stops or ends the journey."""
    if not user.has_perm(MOVE):
        return
    step = view.next_step
    suggested = step.to_stage if step and step.code == MOVE_ON else None
    allowed = [one for one in view.allowed_transitions if one.allowed]
    allowed.sort(key=lambda one: (one.to_stage != suggested, one.status in BESIDE))
    for option in allowed:
        yield _way(option, view, next_one=option.to_stage == suggested)


def _way(option: Option, view: JourneyView, *, next_one: bool) -> Way:
    return Way(option.label, f"{_url('move', view)}?to={option.to_stage}", next_one)


def _reminded(view: JourneyView, messages: Sequence[Beside], now: datetime) -> When | None:
    """The last reminder that was sent to the patient while they were where they are."""
    for one in messages:
        is_to_them = one.number and one.about == Audience.PATIENT
        theirs = is_to_them and one.enrollment_id == view.enrollment_id
        if theirs and one.state == MessageState.SENT and one.at >= view.entered_at:
            return when_in_sentence(one.at, now)
    return None


def _earlier(view: JourneyView, now: datetime) -> Earlier:
    return Earlier(
        number=view.number,
        badge=badge_named(view.status, view.stage_label),
        words=_over(view, now),
        url=_url("change", view),
    )


def _chores(chart: Chart, patient: Patient, user: User, now: datetime) -> Iterator[Chore]:
    """Open tasks, also those about no journey."""
    if not user.has_perm("automation.view_stafftask"):
        return
    may_end = user.has_perm(COMPLETE) and not patient.erased_at
    names: Mapping[uuid.UUID, str] = {
        one.enrollment_id: one.template_name for one in chart.journeys
    }
    for task in chart.tasks:
        done = reverse("admin:automation_stafftask_done", args=[task.id]) if may_end else ""
        yield Chore(
            text=task.text,
            url=reverse("admin:automation_stafftask_change", args=[task.id]),
            done_url=done,
            about=names.get(task.enrollment_id, "") if task.enrollment_id else "",
            for_whom=task.assigned_to or _("Whoever sees it first"),
            due=when(task.due_at, now) if task.due_at else None,
            is_late=bool(task.due_at and task.due_at <= now),
        )


def _event(one: Beside, now: datetime) -> Happening:
    """What happened, without what it says: that is on its own page, for whoever may see it."""
    return Happening(
        event_label(one.words), why_url(one.id), when(one.at, now), of_event_status(one.state)
    )


def _message(one: Beside, now: datetime, sees_contents: bool) -> Happening:
    state = MessageState(one.state)
    label = one.words if sees_contents else (_("Reminder") if one.number else _("E-mail"))
    url = reverse("admin:automation_message_change", args=[one.id])
    return Happening(label, url, when(one.at, now), of_message_state(state, str(state.label)))
