"""Why a rule had no say about an event of the past: what it listened to then, and was it on?

Both are read from what is kept for ever: the versions of a rule with the moment of each, and who
switched it on or off. So the answer stays true after the rule was changed, switched or archived.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from django.db.models import Exists, OuterRef, Q

from automation.judging import TIMEOUT
from automation.models.rule import AutomationRule, RuleSwitch, RuleVersion, SwitchKind
from journeys.event_types import event_type
from journeys.models.event import SystemEventLog


class Why(StrEnum):
    """Why a rule of this trigger has no run."""

    INACTIVE = "inactive"  # it was switched off when the event was processed, whatever it is now
    LATER = "later"  # it was made after that
    OTHER_TRIGGER = "other_trigger"  # it listened to another event then
    OTHER_JOURNEY = "other_journey"
    OTHER_LIMIT = "other_limit"  # the time that was up is another rule's
    NOT_YET = "not_yet"  # the event still waits
    UNHEARD = "unheard"  # it was not asked: skipped, or a block failed first


@dataclass(frozen=True, kw_only=True, slots=True)
class SilentRule:
    """`since`: of INACTIVE, when it was switched off, and `by` whom ("": Kura itself); of LATER,
    when it was made. `rule_name`: as it was called then.
    """

    rule_id: uuid.UUID
    rule_name: str
    why: Why
    is_active_now: bool
    since: datetime | None = None
    by: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Listeners:
    """Rules that listen to events of some types, or once did; all that is kept of each.

    `versions` and `switches`: by rule, the oldest first.
    """

    rules: Sequence[AutomationRule]
    versions: Mapping[uuid.UUID, Sequence[RuleVersion]]
    switches: Mapping[uuid.UUID, Sequence[RuleSwitch]]

    def silent(
        self, event: SystemEventLog, ran: Collection[uuid.UUID], looked_at: datetime | None
    ) -> Iterator[SilentRule]:
        """`ran`: rules with a run. `looked_at`: when the rules were asked; None: not yet.

        `event` is read with its contents.
        """
        for rule in self.rules:
            if rule.pk not in ran:
                yield from self._silent(rule, event, looked_at)

    def definition(self, rule: AutomationRule, then: datetime | None) -> Mapping[str, Any] | None:
        """The version that was published then. None: the rule was not there.

        A rule without any version was written past the services, and is as it is.
        """
        versions = self.versions.get(rule.pk, ())
        if then is None or (not versions and rule.created_at <= then):
            return rule.definition
        before = [one for one in versions if one.published_at <= then]
        found: Mapping[str, Any] | None = before[-1].definition if before else None
        return found

    def _silent(
        self, rule: AutomationRule, event: SystemEventLog, then: datetime | None
    ) -> Iterator[SilentRule]:
        said = self.definition(rule, then)
        heard = said is not None and said["trigger_event"] == event.event_type
        if not heard and rule.trigger_event != event.event_type:
            return
        told = said or rule.definition
        why = self._why(rule, told, event, then) if said else _elsewhere(rule, told, event)
        since, by = self._since(rule, why or Why.LATER, then)
        yield SilentRule(
            rule_id=rule.pk,
            rule_name=told["name"],
            why=why or Why.LATER,
            is_active_now=rule.is_active,
            since=since,
            by=by,
        )

    def _why(
        self,
        rule: AutomationRule,
        said: Mapping[str, Any],
        event: SystemEventLog,
        then: datetime | None,
    ) -> Why:
        if said["trigger_event"] != event.event_type:
            return Why.OTHER_TRIGGER
        elsewhere = _elsewhere(rule, said, event)
        if elsewhere:
            return elsewhere
        if then is None:
            return Why.NOT_YET if rule.is_active else Why.INACTIVE
        return Why.UNHEARD if self._was_on(rule, then) else Why.INACTIVE

    def _was_on(self, rule: AutomationRule, then: datetime) -> bool:
        """By the last switch before; a rule without any is as it always was."""
        switches = self.switches.get(rule.pk, ())
        before = [one for one in switches if one.switched_at <= then]
        if before:
            return before[-1].kind == SwitchKind.ON
        return rule.is_active and not switches

    def _since(
        self, rule: AutomationRule, why: Why, then: datetime | None
    ) -> tuple[datetime | None, str]:
        if why == Why.LATER:
            return rule.created_at, ""
        if why != Why.INACTIVE:
            return None, ""
        switches = self.switches.get(rule.pk, ())
        before = [one for one in switches if then is None or one.switched_at <= then]
        return _when(before[-1]) if before else (None, "")


def _elsewhere(rule: AutomationRule, said: Mapping[str, Any], event: SystemEventLog) -> Why | None:
    """It is about another journey than the event, or the event about another rule's limit."""
    is_person = not event_type(event.event_type).per_journey
    if said.get("journey_key") not in ("", None, event.journey_key or "") and (
        event.journey_key or not is_person
    ):
        return Why.OTHER_JOURNEY
    if event.event_type == TIMEOUT and _payload(event).get("rule_id") != str(rule.pk):
        return Why.OTHER_LIMIT
    return None


def _payload(event: SystemEventLog) -> Mapping[str, Any]:
    contents = getattr(event, "payload_row", None)  # None once it was erased
    found: Mapping[str, Any] = contents.payload if contents else {}
    return found


def _when(switch: RuleSwitch) -> tuple[datetime, str]:
    return switch.switched_at, str(switch.switched_by or "")


def listeners_of(
    organization_id: uuid.UUID, types: Collection[str], *, besides: Collection[uuid.UUID] = ()
) -> Listeners:
    """`besides`: rules of which nobody will ask. Three queries at most. Needs a tenant scope."""
    once = RuleVersion.objects.filter(rule=OuterRef("pk"), definition__trigger_event__in=types)
    rules = AutomationRule.objects.filter(
        Q(trigger_event__in=types) | Exists(once), organization=organization_id
    )
    listed = list(rules.exclude(pk__in=besides).order_by("priority", "id"))
    ids = [rule.pk for rule in listed]
    versions, switches = defaultdict(list), defaultdict(list)
    for version in RuleVersion.objects.filter(rule__in=ids).order_by("version"):
        versions[version.rule_id].append(version)
    switched = RuleSwitch.objects.filter(rule__in=ids).select_related("switched_by")
    for switch in switched.order_by("switched_at", "id"):
        switches[switch.rule_id].append(switch)
    return Listeners(rules=listed, versions=versions, switches=switches)


def looked_at(event: SystemEventLog, first_run: datetime | None) -> datetime | None:
    """When the rules were asked: a replay asks only some of them again. None: not yet.

    `event` is read with its place in the queue; without one, nobody had to look at it.
    """
    place = getattr(event, "dispatch", None)
    if place is None:
        return event.created_at
    finished: datetime | None = place.finished_at
    return finished and min(finished, first_run or finished)
