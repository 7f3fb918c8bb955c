"""An event meets the rules that listen to it: a savepoint and a run for each.

Block wins: a rule that puts the patient on hold goes first, whatever its priority, and the others
see its result. What may have been a block and failed for good holds the patient as one would, until
a person has decided about it.

One failing rule undoes itself alone. A second attempt, or a replay, repeats only what has not taken
effect: effects are unique by event, rule and place in the rule.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from time import perf_counter
from typing import Any, Final

from django.db import DatabaseError, transaction
from django.utils import timezone, translation

from automation import errors, facts
from automation.actions import ACTIONS
from automation.actions.base import AFTER_REFUSAL, Doing, Outcome, Practice, refused
from automation.judging import TIMEOUT, Judgement, judge
from automation.models.message import REASONS
from automation.models.rule import AutomationRule, RuleVersion
from automation.models.run import RuleRun, RunStatus
from automation.selectors.hearing import dead_events, rules_of
from journeys.event_types import event_type
from journeys.models.event import SystemEventLog
from journeys.selectors.positions import Position, locked_positions
from kura import tenancy
from kura.conditions import InvalidCondition, paths
from kura.errors import constraint_of

logger = logging.getLogger(__name__)

ENDED: Final = frozenset({RunStatus.NOT_MATCHED, RunStatus.DONE, RunStatus.LOOP})
LEFT_STAGE: Final = "left_stage"
BLOCKING_ACTIONS: Final = frozenset({"update_journey_status", "enroll"})


@dataclass(frozen=True, slots=True)
class Processed:
    """`failed`: names of what went wrong, one a rule; empty when nothing has to be tried again.

    `facts`: what the rules saw, to be kept with the event; None when nobody was there to look at.
    """

    matched_patient: bool = True
    facts: Mapping[str, Any] | None = None
    failed: list[str] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Case:
    """One event being processed. `stored` grows while rules run, and is kept at the end.

    `is_over`: it says that a time is up, and the patient has left that stage visit since.
    """

    event: SystemEventLog
    patient_id: uuid.UUID
    practice: Practice
    stored: facts.Facts
    runs: Mapping[uuid.UUID, RuleRun]
    replay: bool
    now: datetime
    is_over: bool


def process(
    event: SystemEventLog,
    *,
    again: bool = False,
    replay: bool = False,
    now: datetime | None = None,
) -> Processed:
    """Run every rule that listens, as of `now`. Needs a transaction; locks the patient.

    `again`: it was tried before, so there may be runs. `replay`: it was done, and a person asks
    for what was refused. Raises nothing that a rule does: that is in its run; what is raised is
    about the event.
    """
    if event.patient_id is None:
        return Processed(matched_patient=False)
    with tenancy.scope(event.organization), translation.override(event.organization.language):
        return _processed(event, event.patient_id, again, replay, now or timezone.now())


def _processed(
    event: SystemEventLog, patient_id: uuid.UUID, again: bool, replay: bool, now: datetime
) -> Processed:
    [position] = locked_positions([patient_id], event.journey_key or "")
    practice = Practice(organization=event.organization)
    runs = _runs_before(event) if again or replay else {}
    rules = listening_rules(event, practice)
    if replay:
        rules = [rule for rule in rules if _is_replayed(rule, runs, practice)]
    case = _Case(
        event=event,
        patient_id=patient_id,
        practice=practice,
        stored=_facts(event, position, rules, now),
        runs=runs,
        replay=replay,
        now=now,
        is_over=_is_over(event, position),
    )
    return _run_all(in_order(rules, case.practice), case)


def try_rule(rule: AutomationRule, event: SystemEventLog, *, now: datetime) -> RuleRun:
    """One rule alone, as `process` would run it if it listened. What it does is done.

    Needs a transaction (`automation.rehearsal` undoes it) and the tenant scope; locks the patient,
    whom the event must have.
    """
    patient_id = event.patient_id
    if patient_id is None:
        raise errors.NotDecidable
    [position] = locked_positions([patient_id], event.journey_key or "")
    case = _Case(
        event=event,
        patient_id=patient_id,
        practice=Practice(organization=event.organization),
        stored=_facts(event, position, [rule], now),
        runs={},
        replay=False,
        now=now,
        is_over=_is_over(event, position),
    )
    return run_rule(rule, case)


def _facts(
    event: SystemEventLog, position: Position, rules: Sequence[AutomationRule], now: datetime
) -> facts.Facts:
    kept = kept_facts(event)
    return kept or facts.snapshot(position, event.journey_key or "", _asked(rules), now)


def _is_over(event: SystemEventLog, position: Position) -> bool:
    """Who left the stage and came back is in another visit, with a time of its own."""
    told = facts.told(event)["payload"]
    if event.event_type != TIMEOUT or told.get("enrollment_id") is None:
        return False
    visit = (told["enrollment_id"], told.get("stage_seq"))
    return not position.is_open or visit != (str(position.enrollment_id), position.seq)


def _run_all(rules: Sequence[AutomationRule], case: _Case) -> Processed:
    """A rule that may block and failed holds the others back: nobody is moved on before it ran."""
    failed: list[str] = []
    for rule in rules:
        run = run_rule(rule, case)
        if run.status == RunStatus.FAILED:
            failed.append(run.error)
            if may_block(rule.actions, case.practice):
                break
    return Processed(facts=case.stored, failed=failed)


def _runs_before(event: SystemEventLog) -> dict[uuid.UUID, RuleRun]:
    return {run.rule_id: run for run in RuleRun.objects.filter(event=event)}


def _is_replayed(
    rule: AutomationRule, runs: Mapping[uuid.UUID, RuleRun], practice: Practice
) -> bool:
    """What happened long ago calls no rule that was written since, unless it protects."""
    return rule.pk in runs or may_block(rule.actions, practice)


def kept_facts(event: SystemEventLog) -> facts.Facts:
    contents = getattr(event, "payload_row", None)
    found: facts.Facts = contents.facts if contents else {}
    return found


# --- which rules, in which order ------------------------------------------------------------------


def listening_rules(event: SystemEventLog, practice: Practice) -> list[AutomationRule]:
    """Active rules of this trigger, and of this journey or of any.

    An event about the person is heard by the rules of every journey. Where it names one, the
    others hear it only if they may block: a high risk found in one journey is a risk in all, but
    nobody is moved on in a journey that the analysis was not about.
    """
    rules = rules_of(event.organization_id, event.event_type)
    return [rule for rule in rules if concerns(rule, event, practice)]


def concerns(rule: AutomationRule, event: SystemEventLog, practice: Practice) -> bool:
    """Whether a rule of this event's trigger hears it."""
    if event.event_type == TIMEOUT:  # the monitor says whose limit was passed
        return bool(facts.told(event)["payload"].get("rule_id") == str(rule.pk))
    if rule.journey_key in ("", event.journey_key):
        return True
    if event_type(event.event_type).per_journey:
        return False
    return not event.journey_key or may_block(rule.actions, practice)


def in_order(rules: Sequence[AutomationRule], practice: Practice) -> list[AutomationRule]:
    """Block wins: what may put the patient on hold comes first (Spec 6.2)."""
    if len(rules) < 2:  # noqa: PLR2004  nothing to order
        return list(rules)
    return sorted(rules, key=lambda rule: not may_block(rule.actions, practice))


def may_block(actions: object, practice: Practice) -> bool:
    return any(
        practice.is_blocking(params.get("key", ""), params.get("status", ""))
        for kind, params in readable_actions(actions)
        if kind in BLOCKING_ACTIONS
    )


def readable_actions(actions: object) -> list[tuple[str, dict[str, Any]]]:
    """Type and params of what looks like an action; a rule written past the services may not."""
    listed = actions if isinstance(actions, list) else []
    return [
        (one["type"], one.get("params") or {})
        for one in listed
        if isinstance(one, dict)
        and isinstance(one.get("type"), str)
        and isinstance(one.get("params") or {}, dict)
    ]


def _asked(rules: Sequence[AutomationRule]) -> set[str]:
    found: set[str] = set()
    for rule in rules:
        try:
            found |= paths(rule.conditions)
        except InvalidCondition:
            continue  # its run will say so
    return found


# --- one rule -----------------------------------------------------------------------------------


def run_rule(rule: AutomationRule, case: _Case) -> RuleRun:
    """One rule against the event, in a savepoint of its own; the run says what happened."""
    before = case.runs.get(rule.pk)
    if before is not None and not _is_open(before, case):
        return before
    started = timezone.now()
    run = before or _new_run(rule, case, started)
    taken_effect = run.actions
    try:
        with transaction.atomic():
            _run(rule, run, case)
            _save(run)
    except Exception as error:  # noqa: BLE001  the edge of a rule: the run keeps what it was
        logger.warning("rule %s failed on event %s: %s", rule.pk, case.event.pk, _name_of(error))
        _fail(run, error, taken_effect)
    else:
        _note_blocks(run, case)
    return run


def _is_open(run: RuleRun, case: _Case) -> bool:
    """A failed run is tried again; a refused one when a person asks for it."""
    return run.status == RunStatus.FAILED or (case.replay and run.status not in ENDED)


def _new_run(rule: AutomationRule, case: _Case, started: datetime) -> RuleRun:
    return RuleRun(
        organization_id=case.event.organization_id,
        event=case.event,
        rule=rule,
        rule_version=rule.version,
        patient_id=case.patient_id,
        root_event_id=case.event.root_event_id or case.event.pk,
        target=case.event.journey_key or "",
        status=RunStatus.FAILED,
        started_at=started,
    )


def _run(rule: AutomationRule, run: RuleRun, case: _Case) -> None:
    if run.actions:
        run.error = ""
        _act(_actions_of_version(rule, run), rule, run, case)
        return
    run.rule_version, run.error = rule.version, ""
    judgement = _judged(rule, case)
    run.matched, run.conditions = judgement.matched, judgement.trace
    if not judgement.holds:
        run.status = RunStatus.NOT_MATCHED
    elif _ran_before(run, case):
        run.status = RunStatus.LOOP
    else:
        _act(rule.actions, rule, run, case)


def _judged(rule: AutomationRule, case: _Case) -> Judgement:
    first = may_block(rule.actions, case.practice)
    return judge(rule.definition, facts.seen_by(case.event, case.stored, first=first))


def _ran_before(run: RuleRun, case: _Case) -> bool:
    """A rule once for one root, patient and target; the constraint is the wall behind this."""
    if case.event.depth == 0:
        return False
    same = RuleRun.objects.filter(
        root_event_id=run.root_event_id,
        rule=run.rule_id,
        patient_id=run.patient_id,
        target=run.target,
        matched=True,
    )
    return same.exclude(event=case.event).exclude(status=RunStatus.LOOP).exists()


def _actions_of_version(rule: AutomationRule, run: RuleRun) -> list[dict[str, Any]]:
    """What a run that was refused goes on with: the actions of the version that it ran."""
    if run.rule_version == rule.version:
        return list(rule.actions)
    version = RuleVersion.objects.get(rule=rule, version=run.rule_version)
    return list(version.definition["actions"])


def _save(run: RuleRun) -> None:
    run.finished_at = timezone.now()
    run.save()


def _fail(run: RuleRun, error: Exception, taken_effect: list[dict[str, Any]]) -> None:
    """Its savepoint is undone: nothing has happened but what a run before this one did."""
    run.status, run.error = RunStatus.FAILED, _name_of(error)
    run.actions = taken_effect
    if not taken_effect:
        run.matched = None
    _save(run)


def _name_of(error: Exception) -> str:
    """Kind and constraint; never the message, which may quote a person's data."""
    constraint = constraint_of(error) if isinstance(error, DatabaseError) else ""
    return f"{type(error).__name__} {constraint}".strip()[:200]


# --- its actions --------------------------------------------------------------------------------


def _act(
    actions: Sequence[dict[str, Any]], rule: AutomationRule, run: RuleRun, case: _Case
) -> None:
    """What is refused stops the actions after it, but no block: that protects by itself."""
    told: list[dict[str, Any]] = []
    is_stopped = False
    for index, action in enumerate(actions):
        before = run.actions[index] if index < len(run.actions) else None
        if before is not None and before["status"] in ("done", "unchanged"):
            told.append(before)
        elif is_stopped and not may_block([action], case.practice):
            skipped = Outcome(status="skipped", code=AFTER_REFUSAL)
            told.append(skipped.as_json(action["type"]))
        else:
            began = perf_counter()
            outcome = _performed(index, action, rule, case)
            took = {"took_ms": round((perf_counter() - began) * 1000)}
            told.append(outcome.as_json(action["type"]) | took)
            is_stopped = is_stopped or outcome.status == "refused"
    run.actions = told
    run.status = RunStatus.REFUSED if is_stopped else RunStatus.DONE


def _performed(index: int, action: dict[str, Any], rule: AutomationRule, case: _Case) -> Outcome:
    if case.is_over:
        return Outcome(status="unchanged", code=LEFT_STAGE, words=str(REASONS[LEFT_STAGE]))
    if _awaits_a_block(action, case):
        return refused(errors.BlockPending())
    doing = Doing(
        event=case.event,
        patient_id=case.patient_id,
        rule=rule,
        index=index,
        facts=facts.seen_by(case.event, case.stored, first=False),
        practice=case.practice,
        now=case.now,
    )
    return ACTIONS[action["type"]].perform(action.get("params", {}), doing)


def _awaits_a_block(action: dict[str, Any], case: _Case) -> bool:
    """Would this move the patient on where an event that failed for good may have put a block?

    As the block itself: no move in its journey, and into no other journey either.
    """
    if action["type"] not in BLOCKING_ACTIONS or may_block([action], case.practice):
        return False
    pending = {
        params.get("key")
        for event in dead_events(case.patient_id)
        for rule in listening_rules(event, case.practice)
        for kind, params in readable_actions(rule.actions)
        if may_block([{"type": kind, "params": params}], case.practice)
    }
    key = action.get("params", {}).get("key")
    return bool(pending) if action["type"] == "enroll" else key in pending


def _note_blocks(run: RuleRun, case: _Case) -> None:
    """The rules after this one see that the patient is on hold now."""
    for told in run.actions:
        key, stage = told.get("journey_key", ""), told.get("stage", "")
        if told["status"] == "done" and case.practice.is_blocking(key, stage):
            facts.blocked(case.stored, key, stage)
