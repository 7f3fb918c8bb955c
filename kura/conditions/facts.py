"""A dotted path through nested facts, where a key may itself hold dots.

Event types such as `CUSTOM.sauna_done` are one key, so `events.CUSTOM.sauna_done.count` has more
than one reading. Readings are tried longest key first at every level, and the first one that
arrives at a value is the answer: the same facts always give the same answer. Loaders should not
write facts in which two readings arrive; where they do, the longer key wins.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence


def find(facts: object, path: str) -> object | None:
    """The value at the path; None where there is none, and for JSON null. Lists have no keys."""
    arrived = (value for value in _readings(facts, path.split(".")) if value is not None)
    return next(arrived, None)


def _readings(node: object, segments: Sequence[str]) -> Iterator[object]:
    if not segments:
        yield node
    elif isinstance(node, Mapping):
        for size in range(len(segments), 0, -1):
            key = ".".join(segments[:size])
            if key in node:
                yield from _readings(node[key], segments[size:])
