"""The same request again: the same answer, and nothing done twice.

The answer is stored in the transaction of its effect, so there is no moment at which one exists
without the other. While the first request runs it holds an advisory lock of that transaction; the
second is told to come back. PostgreSQL ends lock, effect and answer together when a worker dies, so
nothing has to be waited for or cleaned up, and the retry acts anew.

What the caller has to send otherwise or wait for (400, 401, 403, 415, 428, 429, 5xx) is not stored:
the effect is undone and the key is free again.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import connection, transaction
from django.http import HttpResponse
from django.utils import timezone
from rest_framework.request import Request

from kura.api.bodies import body_of
from kura.api.callers import caller_of
from kura.api.errors import (
    IdempotencyInProgress,
    IdempotencyKeyInvalid,
    IdempotentRequestDiffers,
)
from kura.api.models import IdempotencyRecord
from kura.api.scopes import READS

KEPT: Final = timedelta(hours=48)
HEADER: Final = "Idempotency-Key"
METHODS: Final = frozenset({"POST", "PATCH"})
RETRY_AFTER: Final = 1  # seconds
PATTERN: Final = r'"([!#-\[\]-~ ]{1,255})"|([!#-~]{1,255})'  # in quotes (RFC 8941) or without
_KEY: Final = re.compile(PATTERN)
_FREE_AGAIN: Final = frozenset({400, 401, 403, 415, 428, 429})
_KEPT_HEADERS: Final = ("Content-Type", "Content-Language", "Location", "ETag", "Cache-Control")


@dataclass(frozen=True, slots=True)
class Attempt:
    """`id`: who asks for what under which key; `request_hash`: what exactly."""

    id: str
    request_hash: str

    @property
    def lock(self) -> int:
        return int.from_bytes(bytes.fromhex(self.id[:16]), "big", signed=True)


def key_of(request: Request) -> str | None:
    """The key without its quotes; None without a key. IdempotencyKeyInvalid."""
    given = request.headers.get(HEADER)
    if given is None:
        return None
    match = _KEY.fullmatch(given.strip())
    if match is None:
        raise IdempotencyKeyInvalid
    return match[1] or match[2]


def once(request: Request, key: str, respond: Callable[[], Any]) -> Any:
    """`respond` gives a rendered answer, its own effects in a savepoint of their own if refused."""
    attempt = _attempt(request, key)
    with transaction.atomic():
        _take(attempt)
        kept = _kept(attempt)
        if kept is not None:
            return _again(kept, attempt)
        response = respond()
        if _is_final(response.status_code):
            _store(request, attempt, response)
        return response


def _attempt(request: Request, key: str) -> Attempt:
    http = request._request
    events = sorted((n, v) for n, v in http.headers.items() if n.lower().startswith("ce-"))
    said = [http.META.get("QUERY_STRING", ""), http.content_type or "", repr(events)]
    caller = caller_of(request)
    said += sorted(filter(caller.may, READS))  # a narrow token is not told what a wide one was
    return Attempt(
        id=_hash(caller.name, str(http.method), http.path, key),
        request_hash=_hash(*said, body_of(request)),
    )


def _hash(*parts: str | bytes) -> str:
    digest = hashlib.sha256()
    for part in parts:
        raw = part.encode() if isinstance(part, str) else part
        digest.update(len(raw).to_bytes(4, "big") + raw)
    return digest.hexdigest()


def _take(attempt: Attempt) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [attempt.lock])
        [taken] = cursor.fetchone()
    if not taken:
        raise IdempotencyInProgress(retry_after=RETRY_AFTER)


def _kept(attempt: Attempt) -> IdempotencyRecord | None:
    """Asked after the lock, in a statement of its own: it sees what the first has committed."""
    since = timezone.now() - KEPT
    return IdempotencyRecord.objects.filter(pk=attempt.id, created_at__gt=since).first()


def _again(kept: IdempotencyRecord, attempt: Attempt) -> HttpResponse:
    if kept.request_hash != attempt.request_hash:
        raise IdempotentRequestDiffers
    headers = {**kept.headers, "Idempotent-Replayed": "true"}
    return HttpResponse(bytes(kept.body), status=kept.status, headers=headers)


def _is_final(status: int) -> bool:
    return status < 500 and status not in _FREE_AGAIN  # noqa: PLR2004


def _store(request: Request, attempt: Attempt, response: Any) -> None:
    """An older row of the same key is one that the hourly tidying has not come to yet."""
    headers = {name: response.headers[name] for name in _KEPT_HEADERS if name in response.headers}
    answer = {
        "organization": caller_of(request).organization,
        "request_hash": attempt.request_hash,
        "status": response.status_code,
        "headers": headers,
        "body": response.content,
        "created_at": timezone.now(),
    }
    IdempotencyRecord.objects.bulk_create(
        [IdempotencyRecord(pk=attempt.id, **answer)],
        update_conflicts=True,
        unique_fields=["id"],
        update_fields=list(answer),
    )


def forget(*, now: datetime) -> int:
    """Answers that are not kept any longer. Needs every organization in scope."""
    removed, _rows = IdempotencyRecord.objects.filter(created_at__lte=now - KEPT).delete()
    return removed
