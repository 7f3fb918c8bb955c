"""`/rules/{id}/backtest`: what a rule would have done in a period. Nothing is written.

Like a dry run it tells facts of patients by what follows from them, and its conditions may be the
caller's own: so it is for who may read patients and the contents of events.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from django.utils import timezone
from django.utils.translation import gettext as _
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail, PermissionDenied, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from automation.actions.base import Practice
from automation.api.rule_shapes import RuleMembers, problems_at
from automation.api.rules import found
from automation.api.sight import sight_of
from automation.api.traces import TracedCondition
from automation.backtest import MOST_EVENTS, backtest
from automation.definition import normal
from automation.errors import BacktestTimeout, NoDraft, RuleNotFound
from automation.models.rule import AutomationRule
from automation.selectors.tried import Bar, SampleLine, Tried, tried
from automation.tallies import Count, EffectTally
from kura.api.fields import Moment, Whole
from kura.api.scopes import EVENTS_READ, RULES_WRITE
from kura.api.serializers import Body
from kura.api.views import ApiView

DEFAULT_LIMIT: Final = 5000  # events
DEFAULT_PERIOD: Final = timedelta(days=30)
LONGEST_PERIOD: Final = timedelta(days=366)


class BacktestAsked(Body):
    """`version`, or a `rule` that is not saved; else the draft where there is one. The last 30 days
    unless `from` and `to` say otherwise; a time-out is asked about now.
    """

    shape = {"not": {"required": ["rule", "version"], "properties": {"rule": {}, "version": {}}}}

    to = Moment(required=False)
    limit = Whole(required=False, min_value=1, max_value=MOST_EVENTS)
    version = serializers.ChoiceField(choices=["draft", "published"], required=False)
    rule = RuleMembers(required=False)

    def get_fields(self) -> dict[str, Any]:
        """`from` is no name in Python."""
        return {"from": Moment(required=False), **super().get_fields()}

    def validate(self, given: dict[str, Any]) -> dict[str, Any]:
        if {"rule", "version"} <= given.keys():
            words = _("Give a version or a rule, not both.")
            raise ValidationError({"version": [ErrorDetail(words, code="invalid")]})
        return given


# --- the answer -----------------------------------------------------------------------------------


class CountTold(serializers.Serializer[Any]):
    met = serializers.IntegerField()
    unmet = serializers.IntegerField()
    no_data = serializers.IntegerField()


class GroupTold(serializers.Serializer[Any]):
    """A part of the outermost group. `met` where the stage that the trigger names was met, too."""

    pointer = serializers.CharField()
    words = serializers.CharField()
    met = serializers.IntegerField()
    no_data = serializers.IntegerField()


class ConditionCount(CountTold):
    pointer = serializers.CharField()


class CodeCount(serializers.Serializer[Any]):
    code = serializers.CharField()
    words = serializers.CharField()
    count = serializers.IntegerField(source="number")


class ActionForetold(serializers.Serializer[Any]):
    """How often it would have been done, and so on; `unknown`: what was kept does not tell."""

    index = serializers.IntegerField()
    type = serializers.CharField()
    words = serializers.CharField()
    done = serializers.IntegerField()
    unchanged = serializers.IntegerField()
    refused = serializers.IntegerField()
    skipped = serializers.IntegerField()
    unknown = serializers.IntegerField()
    why = CodeCount(many=True)


class DifferenceTold(serializers.Serializer[Any]):
    """What the published `version` matched, what it did not (`added`), what it alone did
    (`removed`), and where one of the two has no data (`unknown`).
    """

    version = serializers.IntegerField()
    matched = serializers.IntegerField()
    people = serializers.IntegerField()
    added = serializers.IntegerField()
    added_people = serializers.IntegerField()
    removed = serializers.IntegerField()
    removed_people = serializers.IntegerField()
    unknown = serializers.IntegerField()


class WaitingTold(serializers.Serializer[Any]):
    """Who is past the limit, fits, and would not be reminded now. `if_counted`: those who matched
    are reminded only if the rule counts for those already waiting, too.
    """

    told = serializers.IntegerField()
    before = serializers.IntegerField()
    if_counted = serializers.BooleanField()


class Outcome(serializers.Serializer[Any]):
    status = serializers.CharField()
    error_code = serializers.CharField(allow_null=True)


class SampleTold(serializers.Serializer[Any]):
    """`event_id` null: a time-out that has not been said. `matched` null: no data.

    `change`: added or removed, against the published version. `withheld`: told or before.
    """

    event_id = serializers.UUIDField(allow_null=True)
    patient_id = serializers.UUIDField()
    journey_key = serializers.CharField()
    at = Moment()
    runs = serializers.BooleanField()
    matched = serializers.BooleanField(allow_null=True)
    change = serializers.CharField(allow_null=True)
    withheld = serializers.CharField(allow_null=True)
    reason = serializers.CharField()
    failed_on = TracedCondition(allow_null=True)
    actions = Outcome(many=True)


class BacktestTold(serializers.Serializer[Any]):
    """Of the events that it hears (`events`), those that would have set it off (`matched`).

    `is_partial`: only the newest `looked_at` of `there` were looked at. `would_fail`: events by why
    their first refused action was refused. `digest` names what was tried.
    """

    version = serializers.CharField()
    digest = serializers.CharField()
    since = Moment()
    until = Moment()
    there = serializers.IntegerField()
    looked_at = serializers.IntegerField()
    is_partial = serializers.BooleanField()
    events = serializers.IntegerField()
    matched = serializers.IntegerField()
    people = serializers.IntegerField()
    undecided = serializers.IntegerField()
    would_move = serializers.IntegerField()
    would_fail = CodeCount(many=True)
    unknown = serializers.IntegerField()
    place = CountTold(allow_null=True)
    groups = GroupTold(many=True)
    conditions = ConditionCount(many=True)
    actions = ActionForetold(many=True)
    difference = DifferenceTold(allow_null=True)
    waiting = WaitingTold(allow_null=True)
    sample = SampleTold(many=True)


class BacktestView(ApiView):
    """The conditions on the facts kept with each event, in a transaction that only reads."""

    summaries = {"POST": "Try a rule on what has happened"}
    scopes = {"POST": RULES_WRITE}
    bodies = {"POST": BacktestAsked}
    answers = {"POST": {200: BacktestTold}}
    refusals = {"POST": (RuleNotFound, NoDraft, BacktestTimeout)}
    keeps_answers = False

    def post(self, request: Request, rule_id: uuid.UUID) -> Response:  # noqa: ARG002
        sight = sight_of(self.caller)
        if not (self.caller.may(EVENTS_READ) and sight.values and sight.contents):
            raise PermissionDenied
        rule = found(rule_id)
        given = self.body(BacktestAsked)
        version = _version(rule, given)
        told = self._tried(rule, version, given)
        return Response(BacktestTold(_told(told, version), context={"sight": sight}).data)

    def _tried(self, rule: AutomationRule, version: str, given: Mapping[str, Any]) -> Tried:
        now = timezone.now()
        since, until = _period(given, now)
        definition = _definition(rule, version, given)
        with problems_at(_POINTERS[version]):
            judged = backtest(
                organization=rule.organization,
                definition=definition,
                published=rule,
                since=since,
                until=until,
                now=now,
                most=given.get("limit", DEFAULT_LIMIT),
            )
        practice = Practice(organization=rule.organization)
        return tried(judged, normal(definition), practice, sight_of(self.caller))


_POINTERS: Final = {"given": "/rule", "draft": "/draft", "published": ""}


def _version(rule: AutomationRule, given: Mapping[str, Any]) -> str:
    if "rule" in given:
        return "given"
    wanted: str = given.get("version") or ("published" if rule.draft is None else "draft")
    if wanted == "draft" and rule.draft is None:
        raise NoDraft
    return wanted


def _definition(rule: AutomationRule, version: str, given: Mapping[str, Any]) -> Mapping[str, Any]:
    if version == "given":
        chosen: Mapping[str, Any] = given["rule"]
        return chosen
    return rule.definition if version == "published" else rule.draft or {}


def _period(given: Mapping[str, Any], now: datetime) -> tuple[datetime, datetime]:
    until: datetime = given.get("to") or now
    try:
        since: datetime = given.get("from") or until - DEFAULT_PERIOD
        length = until - since
    except OverflowError:  # the first days of the calendar
        length = timedelta(0)
    if not timedelta(0) < length <= LONGEST_PERIOD:
        words = _("A period ends after it begins, and within %(days)s days.")
        told = words % {"days": LONGEST_PERIOD.days}
        raise ValidationError({"from": [ErrorDetail(told, code="invalid")]})
    return since, until


# --- as the answer tells it -----------------------------------------------------------------------

_PLAIN: Final = (
    "digest", "since", "until", "there", "looked_at", "is_partial", "events", "matched", "people",
    "undecided", "difference", "waiting",
)  # fmt: skip


def _told(told: Tried, version: str) -> dict[str, Any]:
    judged = told.found
    effects, conditions = judged.effects, judged.conditions
    return {
        "version": version,
        **{name: getattr(judged, name) for name in _PLAIN},
        "would_move": effects.would_move,
        "would_fail": told.refusals,
        "unknown": effects.unknown,
        "place": _count(conditions.place) if conditions.place else None,
        "groups": list(map(_group, told.parts)),
        "conditions": [
            {"pointer": pointer, **_count(one)} for pointer, one in conditions.leaves.items()
        ],
        "actions": list(_actions(told, effects)),
        "sample": list(map(_line, told.sample)),
    }


def _count(count: Count) -> dict[str, int]:
    return {"met": count.held, "unmet": count.failed, "no_data": count.no_data}


def _group(bar: Bar) -> dict[str, Any]:
    names = ("pointer", "words", "no_data")
    return {name: getattr(bar, name) for name in names} | {"met": bar.number}


def _actions(told: Tried, effects: EffectTally) -> Iterator[dict[str, Any]]:
    statuses = ("done", "unchanged", "refused", "skipped", "unknown")
    for tally, line in zip(effects.actions, told.actions, strict=True):
        counts = {status: tally.statuses[status] for status in statuses}
        yield {
            "index": tally.index, "type": tally.type, "words": line.words, "why": line.why, **counts
        }  # fmt: skip


def _line(line: SampleLine) -> dict[str, Any]:
    case = line.case
    names = ("patient_id", "journey_key", "at", "runs", "matched")
    return {
        **{name: getattr(case, name) for name in names},
        "event_id": case.id,
        "change": case.change or None,
        "withheld": case.withheld or None,
        "reason": line.reason,
        "failed_on": line.failed_on,
        "actions": [{"status": one.status, "error_code": one.code or None} for one in case.actions],
    }
