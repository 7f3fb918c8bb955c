"""Two probes for operators: is the process alive, and may traffic be sent to it.

Answered by a middleware before sessions and host names are looked at: a probe must not need the
database to say that the database is down, and it calls by address, not by name. The answers name
no object and no error; the log and `manage.py verify_journeys` say more.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from functools import cache
from typing import Final

from django.db import Error, connection, transaction
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache

from automation.guard_catalog import GUARDS as AUTOMATION
from automation.selectors.health import monitor_status
from journeys.guard_catalog import GUARDS as JOURNEYS
from journeys.guard_catalog import trigger_faults

PATIENCE: Final = "2s"  # for each statement: a database that is too busy is not ready

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Reason:
    code: str
    text: str


UNREACHABLE: Final = Reason("database_unreachable", "The database does not answer.")
UNMIGRATED: Final = Reason("migrations_pending", "Migrations are not applied.")
MONITOR_LATE: Final = Reason("monitor_late", "The stale journey monitor is late.")
GUARD_REASONS: Final = {
    "guard_trigger_missing": Reason("guard_trigger_missing", "A guard trigger is missing."),
    "guard_trigger_disabled": Reason("guard_trigger_disabled", "A guard trigger is disabled."),
}


@never_cache
def healthz(request: HttpRequest) -> JsonResponse:  # noqa: ARG001
    """200 while this process answers at all; touches nothing else."""
    return JsonResponse({"status": "ok"})


@never_cache
def readyz(request: HttpRequest) -> JsonResponse:  # noqa: ARG001
    """200 when the database answers, is migrated and its guards are on; else 503 with reasons.

    What is wrong outside this process is a warning: a late monitor must not take the pages away
    from those who could do its work by hand.
    """
    reasons = _reasons()
    if reasons:
        return JsonResponse({"status": "unavailable", "reasons": _listed(reasons)}, status=503)
    return JsonResponse({"status": "ready", "reasons": [], "warnings": _listed(_warnings())})


def _listed(reasons: Iterable[Reason]) -> list[dict[str, str]]:
    return [asdict(reason) for reason in reasons]


PROBES: Final = {"/healthz": healthz, "/readyz": readyz}


class ProbeMiddleware:
    """Stands above sessions and host checks in `MIDDLEWARE`."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return PROBES.get(request.path_info, self.get_response)(request)


def _reasons() -> list[Reason]:
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL statement_timeout = '{PATIENCE}'")
            return [*_migrations(), *_guards()]
    except Error as error:
        logger.warning("readyz: the database does not answer: %s", type(error).__name__)
        return [UNREACHABLE]


def _warnings() -> list[Reason]:
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL statement_timeout = '{PATIENCE}'")
            late = monitor_status(now=timezone.now()).is_late
            return [MONITOR_LATE] if late else []
    except Error as error:
        logger.warning("readyz: the monitor was not looked at: %s", type(error).__name__)
        return []


def _migrations() -> Iterator[Reason]:
    """A database that is ahead of this release is fine: the next one is being rolled out."""
    pending = _shipped_migrations() - MigrationRecorder(connection).applied_migrations().keys()
    if pending:
        logger.warning("readyz: %d migrations are not applied", len(pending))
        yield UNMIGRATED


@cache
def _shipped_migrations() -> frozenset[tuple[str, str]]:
    return frozenset(MigrationLoader(None).graph.nodes)


def _guards() -> Iterator[Reason]:
    faults = list(trigger_faults((*JOURNEYS, *AUTOMATION)))
    for fault in faults:
        logger.warning("readyz: %s %s", fault.code, fault.name)
    for code in sorted({fault.code for fault in faults}):
        yield GUARD_REASONS[code]
