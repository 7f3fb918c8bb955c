"""A template as a JSON file: `docs/templates.md` describes the format member by member.

The file is closed, as conditions are: a member that this version does not know is refused and
not ignored, because what it wanted to say would be lost. Whether the template is active is not in
it: a file never switches a journey on.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final, NoReturn

from django.utils.translation import gettext as _
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from journeys.blueprints import Blueprint, MoveDraft, StageDraft
from journeys.errors import InvalidTemplateFile
from journeys.models.template import CLOSED_STATUSES, StageStatus, Turn

FORMAT: Final = "kura-journey-template"
FORMAT_VERSION: Final = 1
MAX_BYTES: Final = 256 * 1024  # the archetypes have 5 KB
MAX_STAGES: Final = 100
MAX_MOVES: Final = 1000
SHOWN_PROBLEMS: Final = 20  # more than a person mends at once
NESTING: Final = 40  # brackets inside brackets: no template needs them, and reading them recurses


def _closed(required: list[str], **properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "additionalProperties": False,
        "required": required,
        "properties": properties,
    }


_TEXT: Final = {"type": "string"}
_BOTH_LANGUAGES: Final = _closed(["es", "en"], es=_TEXT, en=_TEXT)
_STAGE: Final = _closed(
    ["code", "label", "status"],
    code=_TEXT,
    label=_BOTH_LANGUAGES,
    help=_BOTH_LANGUAGES,
    status={"enum": StageStatus.values},
    whose_turn={"enum": Turn.values},
)
_MOVE: Final = _closed(
    ["from", "to"],
    **{"from": {"type": ["string", "null"]}},
    to=_TEXT,
    guard={"type": "object"},
    requires_reason={"type": "boolean"},
    permission=_TEXT,
)
SCHEMA: Final = _closed(
    ["format", "format_version", "key", "name", "initial_stage", "stages", "moves"],
    format={"const": FORMAT},
    format_version={"const": FORMAT_VERSION},
    key=_TEXT,
    name=_TEXT,
    initial_stage=_TEXT,
    stages={"type": "array", "items": _STAGE, "maxItems": MAX_STAGES},
    moves={"type": "array", "items": _MOVE, "maxItems": MAX_MOVES},
)
_VALIDATOR: Final = Draft202012Validator(SCHEMA)


def written(blueprint: Blueprint) -> str:
    """The file, with a line break at its end; `read()` gives the same blueprint back."""
    document = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "key": blueprint.key,
        "name": blueprint.name,
        "initial_stage": blueprint.initial_stage,
        "stages": [_stage(stage) for stage in blueprint.stages],
        "moves": [_move(move) for move in blueprint.moves],
    }
    return json.dumps(document, ensure_ascii=False, indent=2) + "\n"


def _stage(stage: StageDraft) -> dict[str, Any]:
    return {
        "code": stage.code,
        "label": {"es": stage.label_es, "en": stage.label_en},
        "status": str(stage.status),
        "whose_turn": str(stage.whose_turn),
        "help": {"es": stage.help_es, "en": stage.help_en},
    }


def _move(move: MoveDraft) -> dict[str, Any]:
    return {
        "from": move.from_stage,
        "to": move.to_stage,
        "guard": dict(move.guard),
        "requires_reason": move.requires_reason,
        "permission": move.permission,
    }


# --- reading ----------------------------------------------------------------------------------


def read(content: bytes) -> Blueprint:
    """The blueprint in the file, not yet asked for sense (`problems_of`).

    Raises InvalidTemplateFile with every problem of its shape, each with its place in the file.
    """
    document = _document(content)
    problems = list(_problems(document))
    if problems:
        _refuse(*problems[:SHOWN_PROBLEMS])
    return _blueprint(document)


def _document(content: bytes) -> Any:
    if len(content) > MAX_BYTES:
        _refuse(_("The file is larger than %(most)s KB.") % {"most": MAX_BYTES // 1024})
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        _refuse(_("The file is not a text in UTF-8."))
    if _nesting(text) > NESTING:
        _refuse(_("The file nests its brackets too deep."))
    document = _parsed(text)
    if not _is_whole(document):
        _refuse(_("The file holds halves of characters (lone surrogates)."))
    return document


def _parsed(text: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_once, parse_constant=_no_number)
    except json.JSONDecodeError as error:
        _refuse(
            _("The file is no JSON: line %(line)s, column %(column)s.")
            % {"line": error.lineno, "column": error.colno}
        )
    except ValueError:  # a number with thousands of digits
        _refuse(_("The file holds a number that cannot be read."))


def _is_whole(document: Any) -> bool:
    try:
        json.dumps(document, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def _nesting(text: str) -> int:
    """How deep the brackets go at most; those in texts count too, which only errs on one side."""
    deepest = depth = 0
    for letter in text:
        if letter in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif letter in "]}":
            depth -= 1
    return deepest


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """JSON lets a member come twice and drops one of them; here nothing is dropped."""
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            _refuse(_("The member “%(name)s” stands twice in one object.") % {"name": name[:60]})
        found[name] = value
    return found


def _no_number(word: str) -> NoReturn:
    _refuse(_("%(word)s is no number in JSON.") % {"word": word})


def _refuse(*found: str) -> NoReturn:
    """The words may quote the file; half a character of it could not be sent to anybody."""
    problems = [problem.encode("utf-8", "replace").decode() for problem in found]
    raise InvalidTemplateFile(problems=problems, problem_words=" ".join(problems))


def _problems(document: Any) -> Iterator[str]:
    if not isinstance(document, Mapping) or document.get("format") != FORMAT:
        yield _("This is no journey template: “format” must be “%(format)s”.") % {"format": FORMAT}
        return
    if document.get("format_version") != FORMAT_VERSION:
        yield _("This version of the format is not known here: “format_version” must be %(n)s.") % {
            "n": FORMAT_VERSION
        }
        return
    for error in _VALIDATOR.iter_errors(document):
        yield _in_words(error)


def _in_words(error: ValidationError) -> str:
    place = "/".join(["", *(str(step) for step in error.absolute_path)]) or "/"
    words = {
        "additionalProperties": lambda: _("unknown members: %(names)s") % {"names": _extra(error)},
        "required": lambda: _("missing members: %(names)s") % {"names": _absent(error)},
        "const": lambda: _("must be %(value)s") % {"value": error.validator_value},
        "enum": lambda: (
            _("must be one of: %(values)s") % {"values": ", ".join(error.validator_value)}
        ),
        "maxItems": lambda: _("has more than %(most)s entries") % {"most": error.validator_value},
        "type": lambda: _("must be of the type %(type)s") % {"type": _types(error)},
    }
    return _("%(place)s: %(problem)s.") % {
        "place": place,
        "problem": words[str(error.validator)](),
    }


def _extra(error: ValidationError) -> str:
    unknown = [name for name in error.instance if name not in error.schema["properties"]]
    return ", ".join(name[:60] for name in unknown[:SHOWN_PROBLEMS])


def _absent(error: ValidationError) -> str:
    return ", ".join(name for name in error.validator_value if name not in error.instance)


def _types(error: ValidationError) -> str:
    expected = error.validator_value
    return expected if isinstance(expected, str) else " / ".join(expected)


def _blueprint(document: Mapping[str, Any]) -> Blueprint:
    stages = [_stage_draft(stage) for stage in document["stages"]]
    return Blueprint(
        key=document["key"],
        name=document["name"],
        initial_stage=document["initial_stage"],
        stages=stages,
        moves=[_move_draft(move) for move in document["moves"]],
        endless=not any(stage.status in CLOSED_STATUSES for stage in stages),
    )


def _stage_draft(stage: Mapping[str, Any]) -> StageDraft:
    words = stage.get("help", {"es": "", "en": ""})
    return StageDraft(
        code=stage["code"],
        label_es=stage["label"]["es"],
        label_en=stage["label"]["en"],
        status=StageStatus(stage["status"]),
        whose_turn=Turn(stage.get("whose_turn", Turn.PRACTICE)),
        help_es=words["es"],
        help_en=words["en"],
    )


def _move_draft(move: Mapping[str, Any]) -> MoveDraft:
    return MoveDraft(
        from_stage=move["from"],
        to_stage=move["to"],
        guard=move.get("guard", {}),
        requires_reason=move.get("requires_reason", False),
        permission=move.get("permission", ""),
    )
