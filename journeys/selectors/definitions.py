"""A template as the services read it: stages, graph and guards of one version, in one value.

A version never changes once it is committed, so it is kept in memory under (template, version).
A version that the reader's own transaction is still making is read afresh each time. Of a version
that is kept, the database is asked only whether it is the present one.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.utils.functional import cached_property
from django.utils.translation import get_language

from journeys.models.template import CLOSED_STATUSES, StageStatus
from kura.prepared import prepared_cursor
from kura.tenancy import organization_in_scope

CACHED_VERSIONS: Final = 512  # a few hundred bytes each


@dataclass(frozen=True, slots=True)
class Stage:
    code: str
    position: int
    status: str
    label_es: str
    label_en: str
    whose_turn: str
    help_es: str
    help_en: str
    retired: bool

    @property
    def label(self) -> str:
        """The name in the reader's language."""
        return self.label_en if (get_language() or "").startswith("en") else self.label_es

    @property
    def help(self) -> str:
        """What is expected here, in the reader's language, or else in the other one."""
        if (get_language() or "").startswith("en"):
            return self.help_en or self.help_es
        return self.help_es or self.help_en

    @property
    def is_blocking(self) -> bool:
        return self.status == StageStatus.ON_HOLD

    @property
    def is_closed(self) -> bool:
        return self.status in CLOSED_STATUSES


@dataclass(frozen=True, slots=True)
class Move:
    """An edge of the graph; `from_stage` None is enrollment."""

    from_stage: str | None
    to_stage: str
    guard: Mapping[str, Any]
    requires_reason: bool
    permission: str


@dataclass(frozen=True)
class Definition:
    """One version of a template. `stages` holds retired ones too: the history needs their names."""

    template_id: uuid.UUID
    organization_id: uuid.UUID
    key: str
    name: str
    initial_stage: str
    is_active: bool
    version: int
    stages: Mapping[str, Stage]
    moves: tuple[Move, ...]

    @cached_property
    def allowed(self) -> Mapping[str, Stage]:
        """Spec 2.2: the stages a patient may be in, in order."""
        return {code: stage for code, stage in self.stages.items() if not stage.retired}

    @cached_property
    def _edges(self) -> Mapping[tuple[str | None, str], Move]:
        return {(move.from_stage, move.to_stage): move for move in self.moves}

    @property
    def has_graph(self) -> bool:
        return bool(self.moves)

    @cached_property
    def has_guards(self) -> bool:
        return any(move.guard for move in self.moves)

    @cached_property
    def _free_sources(self) -> Mapping[str, list[Stage]]:
        sources: dict[str, list[Stage]] = {}
        for move in self.moves:
            stage = self.allowed.get(move.from_stage or "")
            if stage and not (move.guard or stage.is_blocking or stage.is_closed):
                sources.setdefault(move.to_stage, []).append(stage)
        return sources

    def free_sources(self, to_stage: str) -> list[Stage]:
        """Stages that neither block nor close, with an arrow to there that has no condition."""
        return self._free_sources.get(to_stage, [])

    def move(self, from_stage: str | None, to_stage: str) -> Move | None:
        return self._edges.get((from_stage, to_stage))

    def label(self, code: str | None) -> str:
        """The stage's name; a code that the template never had is shown as it is."""
        stage = self.stages.get(code or "")
        return stage.label if stage else (code or "")


# Stages and moves are null when the version is one that the reader has kept.
_SETTLED: Final = "t.version_txid IS DISTINCT FROM pg_current_xact_id_if_assigned()::text::bigint"
_IS_KEPT: Final = f"({_SETTLED} AND t.version = (%(kept)s::jsonb ->> t.id::text)::integer) IS TRUE"
_LOAD: Final = f"""
SELECT t.id, t.organization_id, t.key, t.name, t.initial_stage, t.is_active, t.version,
    CASE WHEN {_IS_KEPT} THEN NULL ELSE (
        SELECT coalesce(jsonb_agg(jsonb_build_array(
            s.code, s.position, s.status, s.label_es, s.label_en, s.whose_turn,
            s.help_es, s.help_en, s.retired_at IS NOT NULL) ORDER BY s.position, s.code), '[]')
        FROM journey_stages s WHERE s.template_id = t.id) END,
    CASE WHEN {_IS_KEPT} THEN NULL ELSE (
        SELECT coalesce(jsonb_agg(jsonb_build_array(
            m.from_stage, m.to_stage, m.guard, m.requires_reason, m.permission)
            ORDER BY m.from_stage NULLS FIRST, m.to_stage), '[]')
        FROM journey_transitions m WHERE m.template_id = t.id) END,
    {_SETTLED}
FROM journey_templates t
"""  # noqa: S608  constants

_cache: dict[tuple[uuid.UUID, int], Definition] = {}
_newest: dict[tuple[uuid.UUID, str], Definition] = {}
_kept: dict[uuid.UUID, Definition] = {}  # of each template, what was read last


def definition_of(template_id: uuid.UUID, version: int, *, settled: bool) -> Definition:
    """The definition; `settled` is False while this transaction is editing the template."""
    found = _cache.get((template_id, version)) if settled else None
    return found or definitions([template_id])[template_id]


def newest_known(organization_id: uuid.UUID, key: str) -> Definition | None:
    """The newest version that this process has read. There may be a newer one: compare under lock.

    None before the first reading.
    """
    return _newest.get((organization_id, key))


def definitions(template_ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, Definition]:
    """Current definitions by template id, read in one statement (one snapshot)."""
    ids = set(template_ids)
    kept = {pk: one for pk in ids if (one := _kept.get(pk))}
    return _read("WHERE t.id = ANY(%(ids)s::uuid[])", kept, ids=f"{{{','.join(map(str, ids))}}}")


def definitions_in_scope() -> dict[uuid.UUID, Definition]:
    """All of the practice, in order of their names."""
    home = organization_in_scope()
    kept = {pk: one for pk, one in dict(_kept).items() if home in {None, one.organization_id}}
    narrowed = "WHERE %(home)s::uuid IS NULL OR t.organization_id = %(home)s"
    return _read(f"{narrowed} ORDER BY t.name, t.id", kept, home=home)


def _read(
    narrowed: str, kept: Mapping[uuid.UUID, Definition], **asked: Any
) -> dict[uuid.UUID, Definition]:
    versions = json.dumps({str(pk): one.version for pk, one in kept.items()})
    with prepared_cursor() as cursor:
        cursor.execute(f"{_LOAD} {narrowed}", {"kept": versions, **asked})
        rows = cursor.fetchall()
    return {row[0]: kept[row[0]] if row[7] is None else _remembered(row) for row in rows}


def _remembered(row: tuple[Any, ...]) -> Definition:
    stages = [Stage(*values) for values in row[7]]
    moves = tuple(Move(*values) for values in row[8])
    by_code = {stage.code: stage for stage in stages}
    definition = Definition(*row[:7], by_code, moves)  # type: ignore[call-arg]
    if row[9]:  # settled: no version that this transaction is still making
        _remember(definition)
    return definition


def _remember(definition: Definition) -> None:
    if len(_cache) >= CACHED_VERSIONS:
        _cache.clear()
        _newest.clear()
        _kept.clear()
    _cache[definition.template_id, definition.version] = definition
    _kept[definition.template_id] = definition
    place = (definition.organization_id, definition.key)
    known = _newest.get(place, definition)
    if known.template_id != definition.template_id or known.version <= definition.version:
        _newest[place] = definition
