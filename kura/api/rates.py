"""How often somebody may call. Counted in one row of an unlogged table; for a token or key in the
statement that recognizes it (`kura.api.credentials`), else in a statement of its own.

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
# What follows `INSERT INTO rate_counts AS r (bucket, ends_at, hits)` and the row.
ONE_MORE: Final = """
    ON CONFLICT (bucket) DO UPDATE SET
        hits = CASE WHEN r.ends_at >= excluded.ends_at THEN r.hits + 1 ELSE 1 END,
        ends_at = greatest(r.ends_at, excluded.ends_at)
    RETURNING hits
"""
_COUNT: Final = f"""
    INSERT INTO rate_counts AS r (bucket, ends_at, hits) VALUES (%s, %s, 1)
    {ONE_MORE}
"""  # noqa: S608  constants


@dataclass(frozen=True, slots=True)
class Rate:
    limit: int
    seconds: int


@dataclass(frozen=True, slots=True)
class Count:
    """`reset`: seconds until the period ends."""

    limit: int
    hits: int
    reset: int

    @property
    def remaining(self) -> int:
        return max(self.limit - self.hits, 0)

    def require_within(self) -> None:
        """RateLimited."""
        if self.hits > self.limit:
            raise RateLimited(retry_after=self.reset, count=self)

    def headers(self) -> dict[str, str]:
        return {
            "RateLimit-Limit": str(self.limit),
            "RateLimit-Remaining": str(self.remaining),
            "RateLimit-Reset": str(self.reset),
        }


@dataclass(frozen=True, slots=True)
class Period:
    """The one that runs now. `ends_at`: seconds since 1970; `left`: seconds until then."""

    limit: int
    ends_at: int
    left: int

    def count(self, hits: int) -> Count:
        return Count(self.limit, hits, self.left)


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


def period(name: str, *, now: float) -> Period | None:
    """None when this rate is off."""
    allowed = rate(name)
    if allowed is None:
        return None
    moment = int(now)
    left = allowed.seconds - moment % allowed.seconds
    return Period(allowed.limit, moment + left, left)


def count(name: str, whom: str, *, now: float | None = None) -> Count | None:
    """One more request of `whom`; None when this rate is off. RateLimited beyond it."""
    current = period(name, now=time.time() if now is None else now)
    if current is None:
        return None
    with connection.cursor() as cursor:
        cursor.execute(_COUNT, [bucket(name, whom), current.ends_at])
        [hits] = cursor.fetchone()
    counted = current.count(hits)
    counted.require_within()
    return counted


def bucket(name: str, whom: str) -> str:
    return f"{name} {whom}"


def tightest(counts: Iterable[Count]) -> Count | None:
    return min(counts, key=lambda one: one.remaining, default=None)


def forget(*, now: float) -> int:
    """Counts of periods that are over."""
    removed, _rows = RateCount.objects.filter(ends_at__lt=int(now)).delete()
    return removed
