"""The page of an event as nodes: what came in, which rules heard it, what they did, what came."""

from __future__ import annotations

from typing import Final

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from automation.admin import badges
from automation.admin.rule_nodes import tag_of
from automation.models.dispatch import DispatchStatus
from automation.selectors.event_page import EventPage
from journeys.admin.nodes import Node, NodeKind, NodeState
from journeys.selectors.history import event_label

_STATES: Final = {
    DispatchStatus.QUEUED: NodeState.PENDING,
    DispatchStatus.PROCESSING: NodeState.PENDING,
    DispatchStatus.DEAD: NodeState.FAILED,
}


def event_nodes(page: EventPage) -> dict[str, Node]:
    """By what they are about; the template puts more into each."""
    return {
        "event": _event(page),
        "rules": Node(
            kind=NodeKind.CONDITION, id="node-rules", kicker=_("Rules"), title=_rules(page)
        ),
        "actions": Node(
            kind=NodeKind.ACTION, id="node-actions", kicker=_("Actions"), title=_actions(page)
        ),
        "after": Node(kind=NodeKind.AFTER, id="node-after", title=_after(page)),
    }


def title_of(page: EventPage) -> str:
    """The question that the page answers."""
    if page.waits:
        return _("What will happen?")
    return _("Why did this happen?") if page.changed_something else _("Why did nothing happen?")


def _event(page: EventPage) -> Node:
    """Done is what everybody expects, and says nothing by itself."""
    event, place = page.event, page.place
    state, badge = NodeState.NEUTRAL, None
    if place is not None and place.status != DispatchStatus.DONE:
        state = _STATES.get(DispatchStatus(place.status), NodeState.NEUTRAL)
        tried = place.status == DispatchStatus.QUEUED and place.attempts
        state = NodeState.RETRYING if tried else state
        badge = None if tried else badges.of_event(place)
    return Node(
        kind=NodeKind.TRIGGER,
        id="node-event",
        kicker=_("Event"),
        title=event_label(event.event_type),
        tag=tag_of(event.event_type),
        state=state,
        badge=badge,
    )


def _rules(page: EventPage) -> str:
    if not page.runs:
        return _nobody(page)
    listened = ngettext(
        "%(counter)s rule listened to this event",
        "%(counter)s rules listened to this event",
        len(page.runs),
    ) % {"counter": len(page.runs)}
    ran = ngettext("1 ran", "%(counter)s ran", page.ran) % {"counter": page.ran}
    return f"{listened}: {ran}"


def _nobody(page: EventPage) -> str:
    if page.waits:
        return _("The rules have not been asked yet")
    if page.place is not None and page.place.status == DispatchStatus.UNMATCHED:
        return _("No rule was asked")
    return _("No rule listened to this event")


def _actions(page: EventPage) -> str:
    counted = ngettext("%(counter)s action", "%(counter)s actions", page.written)
    done = ngettext("1 done", "%(counter)s done", page.done)
    return f"{counted % {'counter': page.written}}: {done % {'counter': page.done}}"


def _after(page: EventPage) -> str:
    if page.children or page.messages or page.tasks:
        return _("What came of it")
    return _("Nothing more came of it")
