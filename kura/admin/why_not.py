"""The page of a patient that asks "why did it not move?": what each event of a period met with, the
rule that came nearest, what is waited for now. It only reads; what is asked is in the address.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from django.contrib.admin import AdminSite
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from automation.actions.base import Practice
from automation.admin.sight import sight_of
from automation.selectors.event_page import ConditionLine
from automation.selectors.why_not import (
    MOST,
    PERIODS,
    Awaited,
    Nearest,
    WhyNot,
    awaited,
    why_not,
)
from journeys.admin.badges import Badge
from journeys.admin.nodes import Node, NodeKind, NodeState, Row
from journeys.cause import MOVE, UNBLOCK, by_user
from journeys.models.enrollment import Enrollment
from kura.accounts.models import User
from kura.accounts.tenant_admin import editor_of
from kura.admin.desk import Desk, desk_of
from kura.admin.moments import When, when_in_sentence
from kura.admin.told import BlockShown, badge_of_view, block_shown
from kura.conditions import Part
from kura.standing.blocks import blocks_of
from kura.standing.journey import JourneyView, journeys_of
from patients.models import Patient

NAME: Final = "admin:patients_patient_whynot"
SEE: Final = ("patients.view_patient", "journeys.view_systemeventlog", "automation.view_rulerun")
DEFAULT: Final = 30  # days


@dataclass(frozen=True, slots=True)
class Choice:
    label: str
    url: str
    chosen: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """One open journey: where it stands, what could move it on, which clocks run."""

    view: JourneyView
    badge: Badge
    since: When
    due: When | None
    awaited: Awaited
    missing: Sequence[str]
    unblock_url: str
    block: BlockShown | None


def why_not_url(patient_id: uuid.UUID, journey_key: str = "", days: int | None = None) -> str:
    asked: dict[str, Any] = {"journey": journey_key} if journey_key else {}
    if days is not None:
        asked["days"] = days
    page = reverse(NAME, args=[patient_id])
    return f"{page}?{urlencode(asked)}" if asked else page


def why_not_page(
    site: AdminSite, head_of: Any, request: HttpRequest, patient_id: uuid.UUID
) -> HttpResponse:
    """`head_of`: what the pages of a patient are headed with."""
    reader = editor_of(request)
    if not reader.has_perms(SEE):
        raise PermissionDenied
    patients = Patient.objects.select_related("organization", "therapist")
    patient = get_object_or_404(patients, pk=patient_id)
    desk = desk_of(request) or Desk(reader)
    context = {
        **site.each_context(request),
        "title": _("Why did it not move?"),
        "original": patient,
        "head": head_of(patient, reader),
        **_context(patient, desk, request.GET.dict()),
    }
    return render(request, "kura/why_not.html", context)


def _context(patient: Patient, desk: Desk, asked: Mapping[str, str]) -> dict[str, Any]:
    reader, now = desk.user, desk.limits.now
    may_move = reader.has_perm(MOVE) and not patient.erased_at
    cause = by_user(reader) if may_move else None
    views = journeys_of([patient.pk], desk.limits, reader=cause)[patient.pk]
    key, days = _journey(asked, views), _days(asked)
    found = why_not(
        organization=patient.organization,
        patient_id=patient.pk,
        journey_key=key,
        since=now - timedelta(days=days),
        sight=sight_of(reader),
    )
    shown = [view for view in views if view.is_open and key in {"", view.journey_key}]
    return {
        "journeys": _journeys(patient, views, key, days),
        "periods": [
            Choice(_period(one), why_not_url(patient.pk, key, one), one == days) for one in PERIODS
        ],
        "standings": list(_standings(shown, patient, reader, desk)),
        "nearest": _nearest_node(found.nearest) if found.nearest else None,
        "nearest_found": found.nearest,
        "heard": [one for one in found.events if one.is_heard],
        "unheard": [one for one in found.events if not one.is_heard],
        "found": found,
        "more": _more(found),
        "days": days,
        "longer": _longer(patient, key, days),
    }


# --- what was asked -------------------------------------------------------------------------------


def _journey(asked: Mapping[str, str], views: Sequence[JourneyView]) -> str:
    """404 for one that the patient never was in."""
    key = asked.get("journey", "")
    if key and key not in {view.journey_key for view in views}:
        raise Http404
    return key


def _days(asked: Mapping[str, str]) -> int:
    given = asked.get("days", str(DEFAULT))
    found = next((days for days in PERIODS if str(days) == given), None)
    if found is None:
        raise Http404
    return found


def _journeys(patient: Patient, views: Sequence[JourneyView], key: str, days: int) -> list[Choice]:
    """None with a single journey: there is nothing to choose."""
    if len(views) <= 1:
        return []
    names = {"": _("All"), **{view.journey_key: view.template_name for view in views}}
    return [
        Choice(label, why_not_url(patient.pk, one, days), one == key)
        for one, label in names.items()
    ]


def _period(days: int) -> str:
    return ngettext("%(number)s day", "%(number)s days", days) % {"number": days}


def _longer(patient: Patient, key: str, days: int) -> Choice | None:
    longer = next((one for one in PERIODS if one > days), None)
    if longer is None:
        return None
    label = _("Try the last %(number)s days") % {"number": longer}
    return Choice(label, why_not_url(patient.pk, key, longer), chosen=False)


def _more(found: WhyNot) -> str:
    if found.total <= MOST:
        return ""
    told = {"shown": MOST, "total": found.total}
    return _("These are the newest %(shown)s of %(total)s events.") % told


# --- where it stands ------------------------------------------------------------------------------


def _standings(
    views: Sequence[JourneyView], patient: Patient, reader: User, desk: Desk
) -> Iterator[Standing]:
    ids = [view.enrollment_id for view in views]
    enrollments = list(Enrollment.objects.filter(pk__in=ids, closed_at=None))
    ahead = awaited(enrollments, Practice(organization=patient.organization))
    may_unblock = reader.has_perm(UNBLOCK) and not patient.erased_at
    blocks = blocks_of(view.enrollment_id for view in views if view.blocked)
    for view in views:
        url = reverse("admin:journeys_enrollment_unblock", args=[view.enrollment_id])
        yield Standing(
            view=view,
            badge=badge_of_view(view),
            since=when_in_sentence(view.entered_at, desk.limits.now),
            due=when_in_sentence(view.due_at, desk.limits.now) if view.due_at else None,
            awaited=ahead.get(view.enrollment_id, Awaited(rules=(), clocks=())),
            missing=[] if view.blocked else list(_missing(view)),
            unblock_url=url if view.blocked and may_unblock else "",
            block=block_shown(blocks.get(view.enrollment_id), reader, desk.limits.now),
        )


def _missing(view: JourneyView) -> Iterator[str]:
    """What a stage ahead still asks for, whoever moves."""
    for option in view.allowed_transitions:
        if option.missing:
            words = "; ".join(one.words for one in option.missing)
            yield _("For “%(stage)s”: %(missing)s") % {"stage": option.label, "missing": words}


# --- the nearest rule -----------------------------------------------------------------------------


def _nearest_node(nearest: Nearest) -> Node:
    run, unmet = nearest.heard.line.run, nearest.heard.unmet or ()
    lacking = ngettext(
        "%(number)s condition was not met", "%(number)s conditions were not met", len(unmet)
    ) % {"number": len(unmet)}
    note = _("%(lacking)s when “%(event)s” happened.") % {
        "lacking": lacking,
        "event": nearest.happened.label,
    }
    aside = "" if nearest.heard.moves else _blocked_words(nearest.heard.blocks)
    return Node(
        kind=NodeKind.CONDITION,
        id="nearest",
        kicker=_("The rule that came nearest"),
        title=run.rule_name,
        state=NodeState.NOT_MATCHED,
        note=f"{note} {aside}".strip(),
        rows=[_row(one) for one in unmet],
    )


def _blocked_words(journeys: Sequence[str]) -> str:
    words = _("It would not have moved the patient on but blocked: %(journeys)s.")
    return words % {"journeys": ", ".join(journeys)}


def _row(line: ConditionLine) -> Row:
    return Row(
        parts=[Part("words", _("Expected: %(condition)s") % {"condition": line.words})],
        note=_("It was: %(value)s") % {"value": line.value},
    )
