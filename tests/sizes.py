"""Fault, load and race tests run reduced in `dev.py test` and at full size in `dev.py soak`."""

from __future__ import annotations

import os

FULL = os.environ.get("KURA_SOAK") == "full"


def sized(*, reduced: int, full: int) -> int:
    return full if FULL else reduced
