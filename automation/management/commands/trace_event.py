"""`manage.py trace_event ID`: how it came to that, or why nothing happened.

`--json` prints the same for programs. Exit code 1: there is no such event.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.core.serializers.json import DjangoJSONEncoder
from django.utils import translation

from automation import errors
from automation.selectors.trace import ConditionTold, EventTold, RunTold, Trace, trace_of
from kura import tenancy


class _Encoder(DjangoJSONEncoder):
    def default(self, o: Any) -> Any:
        return sorted(o) if isinstance(o, frozenset) else super().default(o)


_MARKS = {True: "yes", False: "no", None: "no data"}


class Command(BaseCommand):
    help = "Print the trace of an event: rules, conditions, actions, and what followed."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("event_id")
        parser.add_argument("--json", action="store_true", help="one JSON document on stdout")

    def handle(self, *, event_id: str, **options: Any) -> None:
        try:
            with tenancy.every_organization(), translation.override("en"):
                trace = trace_of(uuid.UUID(event_id))
        except ValueError:
            raise CommandError("The id of an event is a UUID.") from None
        except errors.EventNotFound as refusal:
            raise CommandError(str(refusal)) from refusal
        if options["json"]:
            self.stdout.write(json.dumps(asdict(trace), cls=_Encoder))
            return
        for line in lines_of(trace):
            self.stdout.write(line)


def lines_of(trace: Trace) -> Iterator[str]:
    yield from _event(trace.event)
    for run in trace.runs:
        yield from _run(run)
    for rule in trace.silent:
        yield f"rule “{rule.rule_name}”: did not look ({rule.why})"
    for move in trace.moves:
        before = move.from_stage or "enrollment"
        yield f"moved in {move.journey_key}: {before} → {move.to_stage} (log {move.log_id})"
    for message in trace.messages:
        yield f"message to {message.audience}: {message.state} ({message.id})"
    for task in trace.tasks:
        yield f"task {task.kind}: {'done' if task.is_done else 'open'} ({task.id})"
    for followed in trace.followed:
        yield f"followed by {followed.type}: {followed.status} ({followed.id})"
    for decision in trace.decisions:
        yield f"{decision.label} by {decision.decided_by}: {decision.reason}"


def _event(event: EventTold) -> Iterator[str]:
    journey = f" in {event.journey_key}" if event.journey_key else ""
    yield f"{event.type}{journey} from {event.source} ({event.id}), {event.occurred_at.isoformat()}"
    about = event.patient_id or "nobody known"
    problem = f", {event.last_error}" if event.last_error else ""
    attempts = "1 attempt" if event.attempts == 1 else f"{event.attempts} attempts"
    yield f"  about {about}; {event.status} after {attempts}{problem}"
    if event.parent_id:
        yield f"  caused by {event.parent_id}, first cause {event.root_id}, depth {event.depth}"


def _run(run: RunTold) -> Iterator[str]:
    error = f", {run.error}" if run.error else ""
    yield f"rule “{run.rule_name}” version {run.version}: {run.status}{error}"
    for condition in run.conditions:
        first = "  ← first that failed" if condition is run.failed_on else ""
        yield f"  if {condition.words}: {_MARKS[condition.result]} {_found(condition)}{first}"
    for action in run.actions:
        told = ": ".join(part for part in (action.error_code, action.error_words) if part)
        why = f" ({told})" if told else ""
        refs = "".join(f" {name}={value}" for name, value in action.refs.items())
        yield f"  then {action.words}: {action.status}{why}{refs}"


def _found(condition: ConditionTold) -> str:
    return f"(expected {condition.op} {condition.expected!r}, was {condition.actual!r})"
