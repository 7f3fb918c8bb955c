"""The history on the patient's page: moves, reviews of blocks and messages, the newest first."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.core.paginator import Paginator
from django.http import Http404
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.text import capfirst
from django.utils.translation import gettext as _

from automation.admin.badges import of_message_state
from automation.models.message import REASONS, Audience, MessageState
from automation.selectors.event_page import Sight
from journeys.admin.badges import Badge, badge_of, plain
from journeys.models.log import ActorKind
from kura.admin.moments import When, when
from kura.standing.chart import Beside, Chart, Told

PER_PAGE: Final = 20
ANCHOR: Final = "#history"


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """`mark`: blocked, person, rule, review or message; the icon. `left` None: an enrollment.

    `what`: what happened, when it is no move. `words`: what somebody wrote.
    """

    at: datetime
    order: tuple[int, int]
    mark: str
    when: When
    journey_key: str
    journey: str
    number: int
    badge: Badge
    left: Badge | None = None
    is_move: bool = False
    who: str = ""
    event: str = ""
    reason: str = ""
    words: str = ""
    why_url: str = ""


@dataclass(frozen=True, slots=True)
class Choice:
    label: str
    url: str
    chosen: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class History:
    choices: Sequence[Choice]
    lines: Sequence[Line]
    total: int
    number: int
    pages: int
    before_url: str
    after_url: str


def history_of(chart: Chart, sight: Sight, now: datetime, asked: dict[str, str]) -> History:
    """`asked`: journey and page. Of a journey that the patient never was in: 404."""
    key = asked.get("journey", "")
    names = {view.journey_key: view.template_name for view in chart.journeys}
    if key and key not in names:
        raise Http404
    lines = [one for one in _lines(chart, sight, now) if key in {"", one.journey_key}]
    lines.sort(key=lambda one: (one.at, one.order), reverse=True)
    page = Paginator(lines, PER_PAGE).get_page(asked.get("page"))
    return History(
        choices=_choices(names, key),
        lines=list(page),
        total=len(lines),
        number=page.number,
        pages=page.paginator.num_pages,
        before_url=_url(key, page.number - 1) if page.has_previous() else "",
        after_url=_url(key, page.number + 1) if page.has_next() else "",
    )


def _choices(names: dict[str, str], chosen: str) -> list[Choice]:
    """None with a single journey: there is nothing to choose."""
    if len(names) <= 1:
        return []
    asked = {"": _("All"), **names}
    return [Choice(label, _url(key), key == chosen) for key, label in asked.items()]


def _url(key: str, page: int = 1) -> str:
    asked: dict[str, Any] = {"journey": key} if key else {}
    if page > 1:
        asked["page"] = page
    return f"?{urlencode(asked)}{ANCHOR}"


def _lines(chart: Chart, sight: Sight, now: datetime) -> Iterator[Line]:
    for told in chart.moves:
        yield _move(told, chart, now)
    for review in chart.reviews:
        yield _review(review, chart, now)
    for message in chart.messages:
        yield _message(message, chart, sight, now)


def _number(chart: Chart, enrollment_id: uuid.UUID | None) -> int:
    found = chart.enrollments.get(enrollment_id) if enrollment_id else None
    return found.number if found else 0


def _journey(chart: Chart, key: str) -> str:
    return next((one.template_name for one in chart.journeys if one.journey_key == key), "")


def why_url(event_id: uuid.UUID | None) -> str:
    return reverse("admin:journeys_systemeventlog_change", args=[event_id]) if event_id else ""


def _move(told: Told, chart: Chart, now: datetime) -> Line:
    line, move = told.line, told.move
    badge = badge_of(line.to_stage, move.to_stage)
    return Line(
        at=move.changed_at,
        order=(0, move.id),
        mark=_mark(badge, move.actor_kind),
        when=when(move.changed_at, now),
        journey_key=move.journey_key,
        journey=move.journey,
        number=_number(chart, move.enrollment_id),
        badge=badge,
        left=plain(badge_of(line.from_stage, move.from_stage)) if move.from_stage else None,
        is_move=True,
        who=_("Rule “%(rule)s”") % {"rule": move.rule} if move.rule else line.actor,
        event=line.event,
        reason=line.reason,
        words=line.note,
        why_url=why_url(move.event_id),
    )


def _mark(badge: Badge, actor_kind: str) -> str:
    if badge.kind == "blocked":
        return "blocked"
    return "person" if actor_kind == ActorKind.USER else "rule"


def _review(one: Beside, chart: Chart, now: datetime) -> Line:
    return Line(
        at=one.at,
        order=(1, 0),
        mark="review",
        when=when(one.at, now),
        journey_key=one.journey_key,
        journey=_journey(chart, one.journey_key),
        number=_number(chart, one.enrollment_id),
        badge=Badge("blocked", _("Still blocked")),
        who=one.by,
        reason=_("looked at it and kept the block"),
        words=one.words,
    )


def _message(one: Beside, chart: Chart, sight: Sight, now: datetime) -> Line:
    """Without its subject for whoever does not see contents."""
    return Line(
        at=one.at,
        order=(1, 0),
        mark="message",
        when=when(one.at, now),
        journey_key=one.journey_key,
        journey=_journey(chart, one.journey_key),
        number=_number(chart, one.enrollment_id),
        badge=of_message_state(MessageState(one.state), _message_words(one)),
        who=capfirst(str(REASONS.get(one.why, ""))) if one.state != MessageState.SENT else "",
        words=one.words if sight.contents else "",
        why_url=why_url(one.event_id),
    )


def _message_words(one: Beside) -> str:
    """Reminder to the patient: sent"""
    state = str(MessageState(one.state).label).lower()
    told = {"whom": str(Audience(one.about).label).lower(), "state": state}
    if one.number and one.about == Audience.PATIENT:
        return _("Reminder: %(state)s") % told
    return _("E-mail to %(whom)s: %(state)s") % told
