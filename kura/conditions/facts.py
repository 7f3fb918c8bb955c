"""A dotted path through nested facts, where a key may itself hold dots.

Event types such as `CUSTOM.sauna_done` are one key, so `events.CUSTOM.sauna_done.count` has more
than one reading. Readings are tried longest key first at every level, and the first one that
arrives at a value is the answer: the same facts always give the same answer. Loaders should not
write facts in which two readings arrive; where they do, the longer key wins.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Final

_SHORT: Final = 100  # characters of a path whose readings are remembered: a few KB each at most

Steps = tuple[tuple[str, str | None], ...]


def find(facts: object, path: str) -> object | None:
    """The value at the path; None where there is none, and for JSON null. Lists have no keys."""
    if not isinstance(facts, Mapping):
        return None
    for key, rest in _remembered(path) if len(path) <= _SHORT else _steps(path):
        if key in facts:
            value = facts[key] if rest is None else find(facts[key], rest)
            if value is not None:
                return value
    return None


def _steps(path: str) -> Steps:
    """Each way to read its beginning as one key, the longest first, with what remains then."""
    segments = path.split(".")
    sizes = range(len(segments), 0, -1)
    return tuple((".".join(segments[:size]), _joined(segments[size:])) for size in sizes)


def _joined(segments: list[str]) -> str | None:
    return ".".join(segments) if segments else None


_remembered = lru_cache(maxsize=1024)(_steps)
