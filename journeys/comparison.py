"""What an edit of a template changes, in words: one sentence for each difference.

The editor and the import show it before anything is written, the conflict page to whoever was
slower. Pure: two blueprints in, sentences out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from django.utils.translation import gettext as _

from journeys.blueprints import Blueprint, MoveDraft, StageDraft
from journeys.fields import guard_field
from journeys.models.template import StageStatus, Turn
from kura.conditions import InvalidCondition, describe

Edge = tuple[str | None, str]


def changes_between(before: Blueprint, after: Blueprint) -> list[str]:
    """Empty when both say the same. Whether the template is active is not part of an edit."""
    return [*_head(before, after), *_stages(before, after), *_moves(before, after)]


def _head(before: Blueprint, after: Blueprint) -> Iterator[str]:
    if before.name != after.name:
        yield _("The journey is renamed: “%(old)s” becomes “%(new)s”.") % {
            "old": before.name,
            "new": after.name,
        }
    if before.initial_stage != after.initial_stage:
        yield _("Patients begin in “%(new)s” instead of “%(old)s”.") % {
            "old": _label(before, before.initial_stage),
            "new": _label(after, after.initial_stage),
        }


# --- stages -----------------------------------------------------------------------------------


def _stages(before: Blueprint, after: Blueprint) -> Iterator[str]:
    old, new = _by_code(before), _by_code(after)
    for code, stage in new.items():
        if code not in old:
            yield _("New stage: “%(stage)s” (%(status)s).") % {
                "stage": stage.label,
                "status": status_word(stage),
            }
    for code, stage in old.items():
        if code not in new:
            yield _("The stage “%(stage)s” goes.") % {"stage": stage.label}
        else:
            yield from _stage(stage, new[code])
    kept = [code for code in before.codes if code in new]
    if kept != [code for code in after.codes if code in old]:
        order = ", ".join(stage.label for stage in after.stages)
        yield _("The order of the stages becomes: %(order)s.") % {"order": order}


def _stage(old: StageDraft, new: StageDraft) -> Iterator[str]:
    if (old.label_es, old.label_en) != (new.label_es, new.label_en):
        yield _("The stage “%(old)s” is named “%(es)s” in Spanish and “%(en)s” in English.") % {
            "old": old.label,
            "es": new.label_es,
            "en": new.label_en,
        }
    if old.status != new.status:
        yield _("“%(stage)s” changes its status: %(old)s becomes %(new)s.") % {
            "stage": new.label,
            "old": status_word(old),
            "new": status_word(new),
        }
    if old.whose_turn != new.whose_turn:
        yield _("In “%(stage)s” it is the turn of: %(turn)s.") % {
            "stage": new.label,
            "turn": turn_word(new),
        }
    if (old.help_es, old.help_en) != (new.help_es, new.help_en):
        yield _("The help text of “%(stage)s” changes.") % {"stage": new.label}


def status_word(stage: StageDraft) -> str:
    return str(StageStatus(stage.status).label).lower()


def turn_word(stage: StageDraft) -> str:
    return str(Turn(stage.whose_turn).label).lower()


# --- moves ------------------------------------------------------------------------------------


def _moves(before: Blueprint, after: Blueprint) -> Iterator[str]:
    old, new = _by_edge(before), _by_edge(after)
    for edge, move in new.items():
        arrow = arrow_of(after, move)
        if edge not in old:
            yield _("New move: %(move)s (%(terms)s).") % {"move": arrow, "terms": terms_of(move)}
        elif _terms(old[edge]) != _terms(move):
            yield _("The move %(move)s changes: before, %(old)s; then, %(new)s.") % {
                "move": arrow,
                "old": terms_of(old[edge]),
                "new": terms_of(move),
            }
    for edge, move in old.items():
        if edge not in new:
            yield _("The move %(move)s goes.") % {"move": arrow_of(before, move)}


def arrow_of(blueprint: Blueprint, move: MoveDraft) -> str:
    """In the reader's words, for example: Awaiting payment → Confirmed."""
    start = _("enrollment") if move.from_stage is None else _label(blueprint, move.from_stage)
    return f"{start} → {_label(blueprint, move.to_stage)}"


def terms_of(move: MoveDraft) -> str:
    """On what conditions; never empty."""
    terms = [guard_words(move.guard)] if move.guard else []
    if move.requires_reason:
        terms.append(_("with a reason"))
    if move.permission:
        terms.append(_("with the permission %(name)s") % {"name": move.permission})
    return "; ".join(terms) or _("without conditions")


def guard_words(guard: Mapping[str, object]) -> str:
    try:
        return describe(guard, guard_field)
    except InvalidCondition as unreadable:
        return str(unreadable)


def _terms(move: MoveDraft) -> tuple[object, ...]:
    return (dict(move.guard), move.requires_reason, move.permission)


def _by_edge(blueprint: Blueprint) -> dict[Edge, MoveDraft]:
    return {(move.from_stage, move.to_stage): move for move in blueprint.moves}


def _by_code(blueprint: Blueprint) -> dict[str, StageDraft]:
    return {stage.code: stage for stage in blueprint.stages}


def _label(blueprint: Blueprint, code: str) -> str:
    stage = _by_code(blueprint).get(code)
    return stage.label if stage else code
