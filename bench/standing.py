"""Where 10,000 patients stand: what a page asks of `kura.standing`, in milliseconds.

Then the pages themselves, from the request to the last byte, beside a list that Django's admin
makes alone (the enrollments): what is above that list is ours.

One practice in two journeys: of each hundred patients three blocked, one in ten past a limit, one
in four finished, one in ten in no journey, one in fifty with an open task; twenty stale rules.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from functools import partial
from http import HTTPStatus
from typing import Any, Final

from django.db import connection
from django.test import Client, override_settings
from django.urls import reverse
from django.utils import timezone

from automation.models.rule import AutomationRule
from bench.figures import Figure, Target, compared, single
from bench.practice import Practice, settle
from journeys.blueprints import Blueprint, stages_from_codes
from journeys.cause import by_user
from journeys.services.templates import create_template
from kura import tenancy
from kura.standing.attention import attention
from kura.standing.journey import journey_views
from kura.standing.limits import limits_at
from kura.standing.people import QuickView, counts, in_view
from kura.standing.summary import summary_of
from kura.standing.worklist import Asked, worklist

PATIENTS: Final = 10_000
PAGE: Final = 25
KEYS: Final = ("retreat", "yoga")
STAGES: Final = (
    "SCREENING_PENDING", "AWAITING_PAYMENT", "BLOCKED_HIGH_RISK", "CONFIRMED", "COMPLETED",
)  # fmt: skip
QUICK: Final = Target(at_most=50)  # ms
PAGE_IN: Final = Target(at_most=300)  # ms, on the server
LIST: Final = "admin:patients_patient_changelist"
PLAIN: Final = "a plain list"
PAGES: Final = {
    PLAIN: ("admin:journeys_enrollment_changelist", ""),
    "the panel": ("admin:index", ""),
    "patients by priority": (LIST, ""),
    "patients who need a decision": (LIST, "view=action_required"),
    "patients found by name": (LIST, "q=patient+99"),
}
AS_SERVED: Final[dict[str, Any]] = {  # by any name, and static files by theirs
    "ALLOWED_HOSTS": ["testserver"],
    "STORAGES": {
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    },
}
REPEATS: Final = 5  # the best of so many: what others do on the machine is not measured


def measure(practice: Practice, *, rounds: int) -> Iterator[Figure]:
    with tenancy.scope(practice.organization):
        fill(practice, PATIENTS)
        settle()
        for name, act in _questions(practice).items():
            values = [_milliseconds(act) for _ in range(rounds)]
            yield single(f"{name}, {PATIENTS:,} patients", unit="ms", values=values, target=QUICK)
        yield from _pages(practice, rounds)


def _pages(practice: Practice, rounds: int) -> Iterator[Figure]:
    with override_settings(**AS_SERVED):
        client = Client()
        client.force_login(practice.therapist)
        took: dict[str, list[float]] = {name: [] for name in PAGES}
        for _ in range(rounds):
            for name, (route, query) in PAGES.items():
                url = f"{reverse(route)}?{query}"
                took[name].append(_milliseconds(partial(_read, client, url)))
    for name, values in took.items():
        yield single(
            f"page: {name}, {PATIENTS:,} patients", unit="ms", values=values, target=PAGE_IN
        )
    for name in (one for one in took if one != PLAIN):
        yield compared(
            f"page: {name} beside {PLAIN}",
            unit="ms",
            service=took[name],
            other=took[PLAIN],
            against=PLAIN,
            target=None,
        )


def _read(client: Client, url: str) -> bytes:
    answer = client.get(url, secure=True)
    if answer.status_code != HTTPStatus.OK:
        raise RuntimeError(f"{url} answered {answer.status_code}")
    return answer.content


def _questions(practice: Practice) -> dict[str, Callable[[], Any]]:
    limits = limits_at(timezone.now())
    reader = by_user(practice.therapist)
    page = list(worklist(limits)[:PAGE])
    return {
        "limits": lambda: limits_at(timezone.now()),
        "counts of the quick views": lambda: counts(limits),
        "first page of patients, by priority": lambda: list(in_view(QuickView.ALL, limits)[:PAGE]),
        "first page of who needs a decision": lambda: list(
            in_view(QuickView.NEEDS_DECISION, limits)[:PAGE]
        ),
        "first page of the worklist": lambda: list(worklist(limits)[:PAGE]),
        "first page of the overdue": lambda: list(worklist(limits, Asked(overdue=True))[:PAGE]),
        f"{PAGE} journeys, without options": lambda: journey_views(page, limits),
        f"{PAGE} journeys, with options": lambda: journey_views(page, limits, reader),
        "summary": lambda: summary_of(limits),
        "attention": lambda: attention(limits),
    }


def _milliseconds(act: Callable[[], Any]) -> float:
    best = float("inf")
    for _ in range(REPEATS):
        start = time.monotonic()
        act()
        best = min(best, time.monotonic() - start)
    return 1000 * best


# --- the practice -------------------------------------------------------------------------------


def fill(practice: Practice, patients: int) -> None:
    for key in KEYS:
        _journey(practice, key)
    with connection.cursor() as cursor:
        cursor.execute(_PATIENTS, [practice.organization.pk, patients])
        for key in KEYS:
            for move in range(len(STAGES)):
                cursor.execute(_MOVES, {"key": key, "move": move, "stages": list(STAGES)})
        cursor.execute(_TASKS)


def _journey(practice: Practice, key: str) -> None:
    blueprint = Blueprint(
        key=key, name=key, initial_stage=STAGES[0], stages=stages_from_codes(STAGES)
    )
    create_template(organization=practice.organization, blueprint=blueprint)
    for number in range(10):
        AutomationRule.objects.create(
            organization=practice.organization,
            name=f"{key} {number}",
            trigger_event="JOURNEY_STAGE_TIMEOUT",
            journey_key=key,
            stage=STAGES[number % len(STAGES)],
            max_hours=Decimal(24 * 24),
            repeat_hours=Decimal(24),
            max_repeats=1 + number % 3,
            actions=[],
        )


_PATIENTS: Final = """
INSERT INTO patients (id, organization_id, full_name, email, phone, language, timezone, external_id)
SELECT kura_time_ordered_uuid(), %s, 'Patient ' || n, '', '', 'es', '', 'standing-' || n
FROM generate_series(1, %s) AS n
"""

# The number of a patient says what became of them; each next move is five days later.
_MOVES: Final = """
INSERT INTO journey_logs (patient_id, journey_key, to_stage, actor_kind, changed_at)
SELECT p.id, %(key)s, (%(stages)s::text[])[%(move)s + 1], 'import',
    now() - (30 - 5 * %(move)s) * interval '1 day' + n * interval '1 second'
FROM (
    SELECT id, split_part(external_id, '-', 2)::int AS n
    FROM patients WHERE external_id LIKE 'standing-%%'
) p
WHERE n %% 10 > 0 AND (%(key)s = 'retreat' OR n %% 3 = 0) AND CASE %(move)s
    WHEN 0 THEN true
    WHEN 1 THEN n %% 10 > 1
    WHEN 2 THEN n %% 100 IN (35, 36, 39)
    ELSE n %% 10 > 2 AND n %% 100 NOT IN (35, 36, 39)
        AND (%(move)s = 3 OR n %% 10 IN (4, 7))
END
"""
_TASKS: Final = """
INSERT INTO staff_tasks (id, organization_id, patient_id, enrollment_id, journey_key, kind, text,
    created_at)
SELECT kura_time_ordered_uuid(), p.organization_id, p.id, e.id, coalesce(e.journey_key, ''), 'rule',
    'Call', now()
FROM patients p LEFT JOIN journey_enrollments e ON e.patient_id = p.id AND e.journey_key = 'retreat'
WHERE split_part(p.external_id, '-', 2)::int % 50 = 7
"""
