"""What the HTTP edge remembers is forgotten in time. Called each hour by `tidy`."""

from __future__ import annotations

from datetime import datetime

from kura import tenancy
from kura.api import idempotency, rates


def forget_old(*, now: datetime) -> int:
    """Stored answers after 48 hours, counts when their period is over; how many rows went."""
    with tenancy.every_organization():
        return idempotency.forget(now=now) + rates.forget(now=now.timestamp())
