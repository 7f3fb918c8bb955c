"""Fault, load and race tests run reduced in `dev.py test` and at full size in `dev.py soak`."""

from __future__ import annotations

import os

import pytest

FULL = os.environ.get("KURA_SOAK") == "full"

# The marks of a parameter that the daily run leaves out, because others stand for it there.
AT_FULL_SIZE = (
    pytest.mark.soak,
    pytest.mark.skipif(not FULL, reason="runs in `dev.py soak`; others stand for it here"),
)


def sized(*, reduced: int, full: int) -> int:
    return full if FULL else reduced
