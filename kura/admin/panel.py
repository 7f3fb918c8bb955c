"""The first page: who needs a decision, who is under way, what moved last, how automation is."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from automation.models.rule import AutomationRule
from automation.selectors.health import Signs, signs_of
from journeys.admin.badges import Badge
from kura.accounts.models import User
from kura.admin.desk import Desk
from kura.admin.told import (
    PATIENT,
    BlockShown,
    Button,
    ago,
    badge_of_matter,
    badge_of_move,
    badge_of_stage,
    block_shown,
    button_of_matter,
)
from kura.standing.attention import PersonToDecide
from kura.standing.blocks import BlockTold
from kura.standing.panel import Panel, UnderWay, panel_of
from kura.standing.people import QuickView
from kura.standing.summary import JourneyNumbers, RecentMove

NOON, EVENING = 12, 20  # o'clock, where the practice is
WIDTH: Final = 100  # of a bar, in its own units
READS: Final = ("journeys.view_enrollment", "journeys.view_journeylog", "automation.view_heartbeat")


@dataclass(frozen=True, kw_only=True, slots=True)
class Decision:
    """One row of «Action required»."""

    patient: str
    initials: str
    url: str
    journey: str
    reason: str
    block: BlockShown | None
    badge: Badge
    since: datetime
    age: str
    others: int
    button: Button | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """One person under way."""

    patient: str
    initials: str
    url: str
    journey: str
    badge: Badge


@dataclass(frozen=True, slots=True)
class Part:
    """Of a bar. `kind`: ok, stuck or blocked; `x` and `width` in the bar's own units."""

    kind: str
    x: str
    width: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Bar:
    """One journey: how many are up to date, stuck, blocked. As long as the largest one allows."""

    name: str
    url: str
    active: int
    on_time: int
    stuck: int
    blocked: int
    parts: tuple[Part, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class MoveLine:
    patient: str
    url: str
    from_label: str
    badge: Badge
    changed_at: datetime
    cause: str
    why_url: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """Of a brand-new practice. `url` "" for whoever may not take it."""

    label: str
    help: str
    url: str
    done: bool


def panel_context(desk: Desk) -> dict[str, Any]:
    """Empty for whoever may not see patients, journeys and automation: Django's list of pages."""
    if not (desk.is_open and desk.user.has_perms(READS)):
        return {}
    now = desk.limits.now
    panel, numbers = panel_of(desk.limits), desk.numbers
    signs = signs_of(desk.user.organization_id, now=now)
    return {
        "title": _("Panel"),
        "greeting": greeting(desk.user, timezone.localtime(now)),
        "now": now,
        "views": {view.name: numbers[view] for view in QuickView},
        "decisions": [_decision(one, panel.blocks, desk.user, now) for one in panel.people],
        "active": panel.numbers.active,
        "under_way": [_line(one) for one in panel.newest],
        "bars": bars(panel.by_journey),
        "moves": [_move(one) for one in panel.recent],
        "health": signs.health,
        "monitor": signs.monitor,
        "verified": signs.verified,
        "automation_badge": automation_badge(signs),
        "steps": _steps(panel, numbers[QuickView.ALL], desk.user),
    }


def greeting(user: User, here: datetime) -> str:
    told = {"name": user.get_short_name().split()[0]}
    if here.hour < NOON:
        return _("Good morning, %(name)s") % told
    return (
        _("Good afternoon, %(name)s") if here.hour < EVENING else _("Good evening, %(name)s")
    ) % told


def initials(name: str) -> str:
    words = name.split()
    return "".join(word[0] for word in [*words[:1], *words[1:][-1:]]).upper()


def _decision(
    one: PersonToDecide, blocks: Mapping[uuid.UUID, BlockTold], user: User, now: datetime
) -> Decision:
    matter = one.matter
    told = blocks.get(matter.enrollment_id) if matter.enrollment_id else None
    block = block_shown(told, user, now)
    return Decision(
        patient=one.patient,
        initials=initials(one.patient),
        url=_url_of(one.patient_id),
        journey=matter.journey,
        reason=(block.reason if block else "") or matter.reason,
        block=block,
        badge=badge_of_matter(matter),
        since=matter.since,
        age=ago(now - matter.since),
        others=one.others,
        button=button_of_matter(matter, one.patient_id, user),
    )


def _line(one: UnderWay) -> Line:
    return Line(
        patient=one.patient,
        initials=initials(one.patient),
        url=_url_of(one.view.patient_id),
        journey=one.view.template_name,
        badge=badge_of_stage(one.view),
    )


def _url_of(patient_id: uuid.UUID) -> str:
    return reverse(PATIENT, args=[patient_id])


def _move(one: RecentMove) -> MoveLine:
    move = one.move
    event = "admin:journeys_systemeventlog_change"
    return MoveLine(
        patient=one.patient,
        url=_url_of(one.patient_id),
        from_label=move.from_label,
        badge=badge_of_move(move.to_status, move.to_label),
        changed_at=move.changed_at,
        cause=move.cause,
        why_url=reverse(event, args=[move.event_id]) if move.event_id else "",
    )


# --- bars ---------------------------------------------------------------------------------------


def bars(journeys: Sequence[JourneyNumbers]) -> list[Bar]:
    """Those with the most people first."""
    longest = max((one.numbers.active for one in journeys), default=0)
    ordered = sorted(journeys, key=lambda one: -one.numbers.active)
    return [_bar(one, longest or 1) for one in ordered]


def _bar(one: JourneyNumbers, longest: int) -> Bar:
    numbers = one.numbers
    on_time = numbers.active - numbers.overdue - numbers.blocked
    lengths = (("ok", on_time), ("stuck", numbers.overdue), ("blocked", numbers.blocked))
    list_url = reverse("admin:patients_patient_changelist")
    return Bar(
        name=one.name,
        url=f"{list_url}?journey={one.journey_key}",
        active=numbers.active,
        on_time=on_time,
        stuck=numbers.overdue,
        blocked=numbers.blocked,
        parts=tuple(_parts(lengths, longest)),
    )


def _parts(lengths: Sequence[tuple[str, int]], longest: int) -> Iterator[Part]:
    """Numbers as SVG writes them, whatever the language."""
    x = 0
    for kind, people in lengths:
        if people:
            yield Part(kind, f"{WIDTH * x / longest:.2f}", f"{WIDTH * people / longest:.2f}")
        x += people


# --- automation ---------------------------------------------------------------------------------


def automation_badge(signs: Signs) -> Badge:
    """The worst that there is to say."""
    health = signs.health
    if signs.verified.is_broken:
        return Badge("failed", _("History not whole"))
    if health.is_silent:
        return Badge("failed", _("Stands still"))
    if signs.monitor.is_late:
        return Badge("failed", _("Late"))
    if health.dead or health.messages_failed or health.unmatched:
        return Badge("attention", _("Needs a look"))
    return Badge("done", _("Up to date"))


def _steps(panel: Panel, patients: int, user: User) -> list[Step]:
    """None once there is a journey and a patient."""
    if panel.knows_journeys and patients:
        return []
    has_rule = AutomationRule.objects.filter(is_active=True).exists()
    asked = (
        ("journeys_journeytemplate", "journeys.add_journeytemplate", panel.knows_journeys),
        ("patients_patient", "patients.add_patient", bool(patients)),
        ("automation_automationrule", "automation.change_automationrule", has_rule),
    )
    return [
        Step(label=label, help=help_text, url=_way(model, permission, user), done=done)
        for (model, permission, done), (label, help_text) in zip(asked, _step_words(), strict=True)
    ]


def _way(model: str, permission: str, user: User) -> str:
    if not (user.organization_id and user.has_perm(permission)):
        return ""
    page = "add" if ".add_" in permission else "changelist"
    return reverse(f"admin:{model}_{page}")


def _step_words() -> list[tuple[str, str]]:
    return [
        (_("Create a journey template"), _("Its stages, and how long each may last.")),
        (_("Add a patient"), _("And enroll them in the journey.")),
        (_("Switch on a rule"), _("Then Kura moves people on and reminds them.")),
    ]
