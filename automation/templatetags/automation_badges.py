"""`{% event_badge place %}`, `{% run_badge run %}` and so on; and words for an event and a source.

The badges themselves are decided in `automation/admin/badges.py`.
"""

from __future__ import annotations

from django import template

from automation.admin import badges
from automation.models.dispatch import DispatchStatus, EventDispatch
from automation.models.message import Message
from automation.models.rule import AutomationRule
from automation.models.run import RunStatus
from automation.models.staff_task import StaffTask
from automation.selectors.listening import SilentRule
from automation.wording import error_words, source_words
from journeys.admin.badges import Badge
from journeys.models.event import SystemEventLog
from journeys.selectors.history import event_label

register = template.Library()
_BADGE = "kura/_badge.html"


@register.inclusion_tag(_BADGE)
def event_badge(event: SystemEventLog) -> dict[str, Badge]:
    place: EventDispatch | None = getattr(event, "dispatch", None)
    return {"badge": badges.of_event(place)}


@register.inclusion_tag(_BADGE)
def run_badge(status: str) -> dict[str, Badge]:
    return {"badge": badges.of_outcome(RunStatus(status))}


@register.inclusion_tag(_BADGE)
def status_badge(status: str) -> dict[str, Badge]:
    return {"badge": badges.of_status(DispatchStatus(status))}


@register.inclusion_tag(_BADGE)
def message_badge(message: Message) -> dict[str, Badge]:
    return {"badge": badges.of_message(message)}


@register.inclusion_tag(_BADGE)
def action_badge(status: str) -> dict[str, Badge]:
    return {"badge": badges.of_action(status)}


@register.inclusion_tag(_BADGE)
def result_badge(result: bool | None) -> dict[str, Badge]:
    return {"badge": badges.of_result(result)}


@register.inclusion_tag(_BADGE)
def task_badge(task: StaffTask) -> dict[str, Badge]:
    return {"badge": badges.of_task(task)}


@register.inclusion_tag(_BADGE)
def rule_badge(rule: AutomationRule) -> dict[str, Badge]:
    return {"badge": badges.of_rule(rule)}


@register.inclusion_tag(_BADGE)
def silent_badge(rule: SilentRule) -> dict[str, Badge]:
    return {"badge": badges.of_silent(rule.why)}


@register.filter
def event_words(event: SystemEventLog) -> str:
    return event_label(event.event_type)


@register.filter
def in_words(code: str) -> str:
    return error_words(code)


@register.filter
def source_in_words(source: str) -> str:
    return source_words(source)
