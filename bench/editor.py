"""The editor of a rule at its largest: fifty conditions in five groups, ten actions.

From the request to the last byte: opening it, and what each change sends and gets back.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlencode

from django.contrib.auth.models import Group
from django.test import Client, override_settings
from django.urls import reverse

from automation.admin.rule_form.posting import as_posted
from automation.admin.rule_form.rows import MOST_CONDITIONS, rows_of
from automation.services.rules import create_rule
from bench.figures import Figure, Target, single
from bench.practice import KEY, NEXT, START, Practice
from bench.standing import AS_SERVED
from kura import tenancy
from kura.accounts.models import User

GROUPS: Final = 5
ACTIONS: Final = 10
QUICK: Final = Target(at_most=500)  # ms
REPEATS: Final = 5  # the best of so many: what others do on the machine is not measured


def measure(practice: Practice, *, rounds: int) -> Iterator[Figure]:
    name = f"editor, {MOST_CONDITIONS} conditions and {ACTIONS} actions"
    with tenancy.scope(practice.organization):
        editor, definition = _manager(practice), largest()
        rule = create_rule(organization=practice.organization, definition=definition, user=editor)
        url = reverse("admin:automation_automationrule_edit", args=[rule.pk])
        body = urlencode(
            [("seen", rule.updated_at.isoformat()), *as_posted(rows_of(definition, "."))]
        )
        with override_settings(**AS_SERVED):
            client = Client()
            client.force_login(editor)
            acts: dict[str, Callable[[], Any]] = {
                "opened": lambda: client.get(url, secure=True),
                "one change": lambda: client.post(
                    url, body, "application/x-www-form-urlencoded", secure=True
                ),
            }
            for told, act in acts.items():
                values = [_milliseconds(act) for _ in range(rounds)]
                yield single(f"{name}: {told}", unit="ms", values=values, target=QUICK)


def largest() -> dict[str, Any]:
    leaves = [
        {"field": "event.payload.risk_score", "op": "gte", "value": number}
        for number in range(MOST_CONDITIONS)
    ]
    size = MOST_CONDITIONS // GROUPS
    move = {"type": "update_journey_status", "params": {"key": KEY, "status": NEXT}}
    words = {"es": "Hola {patient.first_name}", "en": "Hello {patient.first_name}"}
    mail = {
        "type": "send_email",
        "params": {"audience": "patient", "subject": words, "body": words},
    }
    return {
        "name": "The largest",
        "trigger_event": "RISK_ANALYSIS_COMPLETED",
        "journey_key": KEY,
        "stage": START,
        "conditions": {
            "any": [{"all": leaves[n : n + size]} for n in range(0, MOST_CONDITIONS, size)]
        },
        "actions": [move, mail] * (ACTIONS // 2),
    }


def _manager(practice: Practice) -> User:
    manager = User(email="manager@bench.example", organization=practice.organization)
    manager.set_unusable_password()
    manager.save()
    manager.groups.add(Group.objects.get(name="manager"))
    return manager


def _milliseconds(act: Callable[[], Any]) -> float:
    best = float("inf")
    for _ in range(REPEATS):
        start = time.monotonic()
        answer = act()
        best = min(best, time.monotonic() - start)
        if answer.status_code != HTTPStatus.OK:
            raise RuntimeError(f"the editor answered {answer.status_code}")
    return 1000 * best
