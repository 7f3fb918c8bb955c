"""The stale journey monitor over ten moves for each enrollment: does it grow with history?

Seven practices with the same keys and a rule each, so that every practice has a seventh of the
enrollments; the limits are set so that 0.5 % are past them. Loaded like what is verified
(`bench.verification`): by SQL, with the guards off.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from functools import partial
from typing import Final

from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from automation.models import AutomationRule
from automation.monitor import MOST_LOOKED_AT
from automation.selectors.stale import stale_visits
from bench.commands import Ran, run_command
from bench.figures import Figure, Target, single
from bench.practice import KEY, STAGES, Practice, open_practice, settle
from bench.verification import MOVES, fill
from kura import tenancy

PRACTICES: Final = 7
SIZES: Final = (10_000, 100_000, 1_000_000)  # enrollments, each size in practices of its own
STALE: Final = 0.005  # of the enrollments
ALMOST: Final = 0.9  # of those: every practice rounds
FIND: Final = Target(at_most=50)  # ms, also at the largest size
RUN: Final = Target(at_most=30)  # seconds with 5,000 stale
MEMORY: Final = Target(at_most=300)  # MB


def measure(*, rounds: int, enrollments: int) -> Iterator[Figure]:
    """Up to so many `enrollments`. What is loaded for one size is history for the next."""
    for size in [size for size in SIZES if size <= enrollments] or [enrollments]:
        practices = [open_practice(f"stale-{size}-{number}") for number in range(PRACTICES)]
        for practice in practices:
            fill(practice, size // PRACTICES * MOVES)
        settle()
        _set_limits(practices)
        yield from _measured(f"monitor, {size:,} enrollments", size, rounds)


# --- the limits -----------------------------------------------------------------------------------

_LIMIT: Final = """
SELECT extract(epoch FROM now() - percentile_disc(%s) WITHIN GROUP (ORDER BY entered_at)) / 3600
FROM journey_enrollments WHERE organization_id = %s
"""


def _set_limits(practices: Sequence[Practice]) -> None:
    """A rule a practice; those of the size before sleep."""
    with tenancy.every_organization():
        AutomationRule.objects.update(is_active=False)
        for practice in practices:
            AutomationRule.objects.create(
                organization=practice.organization,
                name="Stale",
                trigger_event="JOURNEY_STAGE_TIMEOUT",
                journey_key=KEY,
                stage=STAGES[(MOVES - 1) % len(STAGES)],
                max_hours=_limit(practice),
                actions=[],
            )


def _limit(practice: Practice) -> Decimal:
    with connection.cursor() as cursor:
        cursor.execute(_LIMIT, [STALE, practice.organization.pk])
        return Decimal(cursor.fetchone()[0]).quantize(Decimal("0.001"))


# --- measuring ------------------------------------------------------------------------------------


def _measured(name: str, size: int, rounds: int) -> Iterator[Figure]:
    require_no_page_of_the_log()
    yield from _found(f"{name}: find", rounds)
    dry = [_ran("--dry-run").seconds for _ in range(rounds)]
    yield single(f"{name}: dry run", unit="s", values=dry, target=RUN)
    real = _ran()
    if _announced(real) < size * STALE * ALMOST:
        raise RuntimeError(f"{name}: too few were announced: {real.out[-200:]}")
    yield single(f"{name}: real run", unit="s", values=[real.seconds], target=RUN)
    yield single(f"{name}: its memory", unit="MB (VmHWM)", values=[real.megabytes], target=MEMORY)
    yield from _found(f"{name}: find, all announced", rounds)


def _found(name: str, rounds: int) -> Iterator[Figure]:
    """The statement with its answer on this side; then the rows read into Python as well."""
    statement = _statement()
    ran = [_milliseconds(partial(_run, statement)) for _ in range(rounds)]
    yield single(name, unit="ms", values=ran, target=FIND)
    read = [_milliseconds(_find) for _ in range(rounds)]
    yield single(f"{name} and read", unit="ms", values=read, target=None)


def _milliseconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return (time.perf_counter() - started) * 1000


def _find() -> None:
    with tenancy.every_organization():
        stale_visits(now=timezone.now(), limit=MOST_LOOKED_AT)


def _run(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


def _statement() -> str:
    """As the monitor runs it, its parameters filled in."""
    with CaptureQueriesContext(connection) as captured:
        _find()
    return str(captured[0]["sql"])


def _ran(*arguments: str) -> Ran:
    ran = run_command("check_stale_journeys", *arguments)
    if ran.code != 0:
        raise RuntimeError(ran.out[-500:])
    return ran


def _announced(ran: Ran) -> int:
    found = re.search(r"(\d+) announced", ran.out.splitlines()[-1])
    return int(found[1]) if found else 0


def require_no_page_of_the_log() -> None:
    """The plan that runs: not one node of it reads `journey_logs`."""
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {_statement()}")
        plan = json.dumps(cursor.fetchone()[0])
    if "journey_logs" in plan:
        raise RuntimeError(f"the log was read: {plan}")
