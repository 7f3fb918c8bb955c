"""What the columns of the lists share: links to other pages, and cells of two lines."""

from __future__ import annotations

from django.urls import reverse
from django.utils.html import format_html

from automation.models.rule import AutomationRule
from journeys.admin.why import event_url, why_link
from journeys.models.event import SystemEventLog
from journeys.selectors.history import event_label


def two_lines(first: object, second: object) -> str:
    """What matters, and below it in small what belongs to it; '' for nothing below."""
    below = format_html('<span class="words">{}</span>', second) if second else ""
    return format_html("{}{}", first, below)


def event_link(event: SystemEventLog | None, *, anchor: str = "") -> str:
    if event is None:
        return "–"
    url = event_url(event.pk)
    return format_html('<a href="{}{}">{}</a>', url, anchor, event_label(event.event_type))


def cause_link(event: SystemEventLog | None, about: object) -> str:
    """The event by its name, and the question that its page answers about this row."""
    if event is None:
        return "–"
    return format_html("{} · {}", event_link(event), why_link(event.pk, about))


def rule_link(rule: AutomationRule) -> str:
    url = reverse("admin:automation_automationrule_change", args=[rule.pk])
    return format_html('<a href="{}">{}</a>', url, rule)
