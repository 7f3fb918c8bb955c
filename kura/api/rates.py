"""How often somebody may call. One statement a request, on an unlogged table.

A period is fixed (each full minute), so twice the limit can pass around its end; that protects the
server as well as a sliding one, at one row a caller. Limits come from the environment
(`KURA_RATE_USER=600/min`, or `off`).
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Final

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import connection

from kura.api.errors import RateLimited
from kura.api.models import RateCount

_RATE: Final = re.compile(r"(\d{1,9})/(sec|min|hour)")
_SECONDS: Final = {"sec": 1, "min": 60, "hour": 3600}
_COUNT: Final = """
    INSERT INTO rate_counts AS r (bucket, ends_at, hits) VALUES (%s, %s, 1)
    ON CONFLICT (bucket) DO UPDATE SET
        hits = CASE WHEN r.ends_at >= excluded.ends_at THEN r.hits + 1 ELSE 1 END,
        ends_at = greatest(r.ends_at, excluded.ends_at)
    RETURNING hits
"""


@dataclass(frozen=True, slots=True)
class Rate:
    limit: int
    seconds: int


@dataclass(frozen=True, slots=True)
class Count:
    """`reset`: seconds until the period ends."""

    limit: int
    remaining: int
    reset: int

    def headers(self) -> dict[str, str]:
        return {
            "RateLimit-Limit": str(self.limit),
            "RateLimit-Remaining": str(self.remaining),
            "RateLimit-Reset": str(self.reset),
        }


def rate(name: str) -> Rate | None:
    """The rate of this name, None for off. ImproperlyConfigured."""
    return _parsed(name, settings.KURA_RATES[name])


@cache
def _parsed(name: str, text: str) -> Rate | None:
    if text == "off":
        return None
    match = _RATE.fullmatch(text)
    if match is None or int(match[1]) < 1:
        raise ImproperlyConfigured(f"KURA_RATE_{name.upper()} is {text!r}, not 600/min or off.")
    return Rate(int(match[1]), _SECONDS[match[2]])


def count(name: str, whom: str, *, now: float | None = None) -> Count | None:
    """One more request of `whom`; None when this rate is off. RateLimited beyond it."""
    allowed = rate(name)
    if allowed is None:
        return None
    moment = int(time.time() if now is None else now)
    ends_at = moment - moment % allowed.seconds + allowed.seconds
    with connection.cursor() as cursor:
        cursor.execute(_COUNT, [f"{name} {whom}", ends_at])
        [hits] = cursor.fetchone()
    counted = Count(allowed.limit, max(allowed.limit - hits, 0), ends_at - moment)
    if hits > allowed.limit:
        raise RateLimited(retry_after=counted.reset, count=counted)
    return counted


def tightest(counts: Iterable[Count]) -> Count | None:
    return min(counts, key=lambda one: one.remaining, default=None)


def forget(*, now: float) -> int:
    """Counts of periods that are over."""
    removed, _rows = RateCount.objects.filter(ends_at__lt=int(now)).delete()
    return removed
