"""Every partial of the workplace with all its states, for whoever builds pages. Spec 8.3.

Nothing here is about anybody: what is shown is made up, in the words that pages use. Whoever may
log in may look; the way there stands at the end of the column of pages, for managers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django import forms
from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from journeys.admin.badges import Badge, plain
from journeys.admin.nodes import (
    Group,
    Node,
    NodeKind,
    NodeState,
    Row,
    count_of_actions,
    plain_row,
)
from kura.admin.moments import when
from kura.admin.stepper import Stepper, StepShown
from kura.admin.timeline import History, Line
from kura.admin.told import Button
from kura.conditions import Part
from kura.standing.stepper import StepState

NAME: Final = "design_system"
BADGES: Final[Sequence[tuple[str, Promise]]] = (
    ("blocked", gettext_lazy("Blocked")),
    ("stuck", gettext_lazy("Stuck")),
    ("attention", gettext_lazy("Action required")),
    ("active", gettext_lazy("Active")),
    ("waiting", gettext_lazy("Waiting")),
    ("done", gettext_lazy("Done")),
    ("failed", gettext_lazy("Failed")),
    ("unmet", gettext_lazy("Not met")),
    ("unknown", gettext_lazy("No data")),
    ("closed", gettext_lazy("Cancelled")),
)


@dataclass(frozen=True, slots=True)
class Flow:
    """One use of the same nodes."""

    title: str
    nodes: Sequence[Node]


class SampleForm(forms.Form):
    """A field that was left empty, and one that is right."""

    reason = forms.CharField(label=gettext_lazy("Reason"), widget=forms.Textarea(attrs={"rows": 2}))
    name = forms.CharField(label=gettext_lazy("Name"))


def design_system_page(site: AdminSite, request: HttpRequest) -> HttpResponse:
    now = timezone.now()
    form = SampleForm({"sample-name": _("Example")}, prefix="sample")
    form.is_valid()
    context = {
        **site.each_context(request),
        "title": _("Design system"),
        "badges": [Badge(kind, str(word)) for kind, word in BADGES] + [plain(_active())],
        "states": list(_states()),
        "groups": _groups(),
        "flows": list(_flows()),
        "steps": _steps(),
        "history": _history(now),
        "buttons": [
            Button(label=_("See the task"), url="#buttons"),
            Button(label=_("Review the block"), url="#buttons", warns=True),
        ],
        "form": form,
        "widths": ("0", "35", "100"),
    }
    return render(request, "kura/design_system.html", context)


def _active() -> Badge:
    return Badge("active", _("Active"))


# --- nodes ----------------------------------------------------------------------------------------


def _states() -> Iterator[Node]:
    """Each kind once, then each state."""
    for kind in NodeKind:
        yield Node(kind=kind, id=f"kind-{kind}", title=_("Example"), note=str(kind), level=3)
    for state in NodeState:
        if state != NodeState.NEUTRAL:
            name = f"state-{state}"
            yield Node(
                kind=NodeKind.ACTION, id=name, title=_("Example"), note=state, state=state, level=3
            )


def _groups() -> Node:
    """Groups, "or else", a value, a badge on a row, and a node inside."""
    risk = (Part("field", _("risk level")), Part("words", ": "), Part("value", _("high")))
    met, unmet = Badge("done", _("Met")), Badge("unmet", _("Not met"))
    first = Group(
        title=_("Group %(number)s") % {"number": 1},
        note=_("all are met"),
        rows=[Row(parts=risk, badge=met), plain_row(_("Example"), badge=unmet)],
    )
    second = Group(title=_("Group %(number)s") % {"number": 2}, rows=[plain_row(_("Example"))])
    inside = Node(
        kind=NodeKind.ACTION,
        id="groups-inside",
        title=count_of_actions(2),
        rows=[plain_row(_("Example"), note=_("Example")), plain_row(_("Example"))],
        numbered=True,
        level=4,
    )
    return Node(
        kind=NodeKind.CONDITION,
        id="groups-node",
        title=_("At least one of the groups is met"),
        tag=_("AI event"),
        rows=[first, second],
        either=True,
        children=[inside],
        level=3,
    )


def _flows() -> Iterator[Flow]:
    """What else the nodes are for: Spec 8.3."""
    yield Flow(_("Flow of an agent"), [
        _node(NodeKind.TRIGGER, "agent-1", _("A question comes in"), NodeState.DONE),
        _node(NodeKind.CONDITION, "agent-2", _("It is about an appointment"), NodeState.MATCHED),
        _node(NodeKind.ACTION, "agent-3", _("Propose three times"), NodeState.PENDING),
    ])  # fmt: skip
    yield Flow(_("Funnel of a campaign"), [
        _node(NodeKind.TRIGGER, "funnel-1", _("Invitation sent"), NodeState.NEUTRAL, "240"),
        _node(NodeKind.CONDITION, "funnel-2", _("Form completed"), NodeState.NEUTRAL, "96"),
        _node(NodeKind.ACTION, "funnel-3", _("Enrolled"), NodeState.NEUTRAL, "41"),
    ])  # fmt: skip
    yield Flow(_("Timeline of a patient"), [
        _node(NodeKind.TRIGGER, "line-1", _("Enrolled"), NodeState.DONE),
        _node(NodeKind.CONDITION, "line-2", _("Payment received"), NodeState.NOT_MATCHED),
        _node(NodeKind.AFTER, "line-3", _("Reminder"), NodeState.RETRYING),
    ])  # fmt: skip


def _node(kind: NodeKind, name: str, title: str, state: NodeState, tag: str = "") -> Node:
    return Node(kind=kind, id=name, title=title, state=state, tag=tag, level=4)


# --- the other partials ---------------------------------------------------------------------------


def _steps() -> Stepper:
    """Each state of a stage, and the gap of a long journey."""
    told = (
        (StepState.DONE, "1", _("Completed")),
        (StepState.SKIPPED, "2", _("Passed over")),
        (StepState.CURRENT, "3", _("Active now")),
        (StepState.BLOCKED, "4", _("Blocked here")),
        (StepState.TODO, "5", _("Pending")),
    )
    steps = [
        StepShown(state=state, sign=sign, label=word, word=word, here=state == StepState.CURRENT)
        for state, sign, word in told
    ]
    gap = StepShown(state="gap", sign="+3", label=_("Example"), word=_("Pending"))
    return Stepper(_("Stages"), [*steps, gap])


def _history(now: datetime) -> History:
    """Each mark of a line."""
    marks = {
        "person": Badge("active", _("Active")),
        "rule": Badge("done", _("Completed")),
        "blocked": Badge("blocked", _("Blocked")),
        "review": Badge("blocked", _("Still blocked")),
        "message": Badge("waiting", _("Waiting")),
    }
    lines = [
        Line(
            at=now - timedelta(hours=hours),
            order=(0, hours),
            mark=mark,
            when=when(now - timedelta(hours=hours), now),
            journey_key="",
            journey="",
            number=1,
            badge=badge,
            left=Badge("plain", _("Example")) if mark in {"person", "rule"} else None,
            is_move=mark in {"person", "rule"},
            who=_("Example"),
            words=_("Example") if mark == "review" else "",
        )
        for hours, (mark, badge) in enumerate(marks.items(), start=1)
    ]
    return History(
        choices=[], lines=lines, total=len(lines), number=1, pages=1, before_url="", after_url=""
    )
