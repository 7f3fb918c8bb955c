"""The states of automation as badges: colour, icon and word, always all three."""

from __future__ import annotations

from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from automation.models.dispatch import DispatchStatus, EventDispatch
from automation.models.message import Message, MessageState
from automation.models.rule import AutomationRule
from automation.models.run import RunStatus
from automation.models.staff_task import StaffTask
from automation.selectors.health import MonitorStatus
from automation.selectors.listening import Why
from journeys.admin.badges import Badge

_EVENT: Final = {
    DispatchStatus.QUEUED: "waiting",
    DispatchStatus.PROCESSING: "waiting",
    DispatchStatus.DONE: "done",
    DispatchStatus.DEAD: "failed",
    DispatchStatus.SKIPPED: "closed",
    DispatchStatus.UNMATCHED: "attention",
}
_RUN: Final[dict[RunStatus, tuple[str, Promise]]] = {
    RunStatus.NOT_MATCHED: ("unmet", gettext_lazy("Does not match")),
    RunStatus.DONE: ("done", gettext_lazy("Ran")),
    RunStatus.REFUSED: ("attention", gettext_lazy("Refused")),
    RunStatus.FAILED: ("failed", gettext_lazy("Failed")),
    RunStatus.LOOP: ("closed", gettext_lazy("Ran before")),
}
_MESSAGE: Final = {
    MessageState.QUEUED: "waiting",
    MessageState.SENDING: "waiting",
    MessageState.SENT: "done",
    MessageState.FAILED: "failed",
    MessageState.UNKNOWN: "attention",
    MessageState.CANCELLED: "closed",
}
_ACTION: Final[dict[str, tuple[str, Promise]]] = {
    "done": ("done", gettext_lazy("Done")),
    "unchanged": ("closed", gettext_lazy("Nothing to change")),
    "refused": ("attention", gettext_lazy("Refused")),
    "skipped": ("closed", gettext_lazy("Not tried")),
}
_RESULT: Final[dict[bool | None, tuple[str, Promise]]] = {
    True: ("done", gettext_lazy("Met")),
    False: ("unmet", gettext_lazy("Not met")),
    None: ("unknown", gettext_lazy("No data")),
}


def of_event(place: EventDispatch | None) -> Badge:
    if place is None:
        return Badge("closed", _("Only kept"))
    return of_status(DispatchStatus(place.status))


def of_event_status(status: str) -> Badge:
    """`status` "": nobody was to process it."""
    return of_status(DispatchStatus(status)) if status else of_event(None)


def of_status(status: DispatchStatus) -> Badge:
    return Badge(_EVENT[status], str(status.label))


def of_outcome(status: RunStatus) -> Badge:
    kind, word = _RUN[status]
    return Badge(kind, str(word))


def of_message(message: Message) -> Badge:
    state = MessageState(message.state)
    return Badge(_MESSAGE[state], str(state.label))


def of_message_state(state: MessageState, word: str) -> Badge:
    """Where more than the state has to be said."""
    return Badge(_MESSAGE[state], word)


def of_action(status: str) -> Badge:
    kind, word = _ACTION.get(status, ("unknown", gettext_lazy("Unknown")))
    return Badge(kind, str(word))


def of_result(result: bool | None) -> Badge:
    kind, word = _RESULT[result]
    return Badge(kind, str(word))


def of_task(task: StaffTask) -> Badge:
    return Badge("done", _("Done")) if task.done_at else Badge("attention", _("To do"))


def of_rule(rule: AutomationRule) -> Badge:
    if rule.archived_at:
        return Badge("closed", _("Archived"))
    if not rule.version:
        return Badge("attention", _("Draft"))
    return (
        Badge("active", _("Switched on")) if rule.is_active else Badge("closed", _("Switched off"))
    )


_SILENT: Final[dict[Why, tuple[str, Promise]]] = {
    Why.INACTIVE: ("closed", gettext_lazy("Inactive")),
    Why.NOT_YET: ("waiting", gettext_lazy("Waiting")),
}


def of_silent(why: Why) -> Badge:
    kind, word = _SILENT.get(why, ("closed", gettext_lazy("Not asked")))
    return Badge(kind, str(word))


def of_monitor(status: MonitorStatus) -> Badge:
    return Badge("failed", _("Late")) if status.is_late else Badge("done", _("On time"))
