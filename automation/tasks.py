"""What django-q2 calls. Thin edges: no arguments but ids, and no harm when called late or twice."""

from __future__ import annotations

from automation import dispatch


def drain() -> int:
    """The bell was rung: process what waits."""
    return dispatch.drain()
