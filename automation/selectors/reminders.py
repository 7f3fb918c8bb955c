"""Reminders to patients: which time-outs write them, and how many were announced in this visit."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from django.db.models import Q

from automation.judging import TIMEOUT
from automation.models.message import Audience
from automation.models.rule import AutomationRule
from automation.models.stage_timer import StageTimer
from journeys.models.enrollment import Enrollment


def writes_to_patient(rule: AutomationRule) -> bool:
    mails = (one.get("params", {}) for one in rule.actions if one["type"] == "send_email")
    return any(params.get("audience") == Audience.PATIENT for params in mails)


def most_of(rule: AutomationRule) -> int | None:
    """Announcements of one stage visit in all; None without end."""
    return 1 if rule.repeat_hours is None else rule.max_repeats


@dataclass(frozen=True, kw_only=True, slots=True)
class SoFar:
    """Of one rule: the step that was announced last, 0 for none, and the steps in all."""

    rule: str
    number: int
    most: int | None


def announced_so_far(enrollments: Collection[Enrollment]) -> dict[uuid.UUID, list[SoFar]]:
    """Of the active rules that remind the patient where they are now. Two queries, none for nobody.

    Needs a scope.
    """
    if not enrollments:
        return {}
    rules = _rules_of(enrollments)
    timers = StageTimer.objects.filter(enrollment_id__in=[one.pk for one in enrollments])
    steps = {(one.enrollment_id, one.stage_seq, one.rule_id): one.occurrence for one in timers}
    return {
        one.pk: [
            SoFar(
                rule=rule.name, number=steps.get((one.pk, one.seq, rule.pk), 0), most=most_of(rule)
            )
            for rule in _counting_for(one, rules)
        ]
        for one in enrollments
    }


def _rules_of(enrollments: Collection[Enrollment]) -> list[AutomationRule]:
    places = Q()
    for one in enrollments:
        places |= Q(organization=one.organization_id, journey_key=one.journey_key, stage=one.stage)
    rules = AutomationRule.objects.filter(places, trigger_event=TIMEOUT, is_active=True)
    return [rule for rule in rules.order_by("max_hours", "id") if writes_to_patient(rule)]


def _counting_for(
    enrollment: Enrollment, rules: Collection[AutomationRule]
) -> Iterator[AutomationRule]:
    place = (enrollment.organization_id, enrollment.journey_key, enrollment.stage)
    for rule in rules:
        counts = rule.visits_from is None or enrollment.entered_at >= rule.visits_from
        if counts and (rule.organization_id, rule.journey_key, rule.stage) == place:
            yield rule
