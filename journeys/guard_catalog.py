"""The guards that must stand in the database, and what is wrong with the ones that do.

One list for /readyz and `manage.py verify_journeys`; a test holds it against a migrated database.
The two ask different questions. `trigger_faults` asks whether every guard is there and fires in
every session: that must be true while two releases serve side by side. `definition_faults` asks
whether each is, to the letter, what this release shipped: between a migration and the restart
that follows it an honest database differs, so no traffic depends on it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final, Literal

from django.db import connection

from journeys.sql import SQL as JOURNEYS
from patients.sql import SQL as PATIENTS


@dataclass(frozen=True, slots=True)
class Guard:
    """A trigger. `fires` and `when` are worded as PostgreSQL words them (pg_get_triggerdef)."""

    table: str
    trigger: str
    fires: str
    function: str
    each: Literal["ROW", "STATEMENT"] = "ROW"
    when: str = ""
    argument: str = ""
    at_commit: bool = False
    sees: str = ""  # the name of the transition table

    @property
    def name(self) -> str:
        return f"{self.table}.{self.trigger}"

    @property
    def definition(self) -> str:
        condition = f" WHEN ({self.when})" if self.when else ""
        argument = f"'{self.argument}'" if self.argument else ""
        kind = "CONSTRAINT TRIGGER" if self.at_commit else "TRIGGER"
        rows = f"REFERENCING NEW TABLE AS {self.sees} " if self.sees else ""
        commit = "DEFERRABLE INITIALLY DEFERRED " if self.at_commit else ""
        return (
            f"CREATE {kind} {self.trigger} {self.fires} ON public.{self.table} {commit}{rows}"
            f"FOR EACH {self.each}{condition} EXECUTE FUNCTION {self.function}({argument})"
        )


GUARDS: Final = (
    # the one door, and the read models behind it
    Guard("journey_logs", "journey_door", "BEFORE INSERT", "kura_journey_door"),
    Guard(
        "patients",
        "journey_status_of_new_patient",
        "BEFORE INSERT",
        "kura_journey_status_follows_log",
        when="(new.journey_status <> '{}'::jsonb)",
    ),
    Guard(
        "patients",
        "journey_status_follows_log",
        "BEFORE UPDATE",
        "kura_journey_status_follows_log",
        when="(new.journey_status IS DISTINCT FROM old.journey_status)",
    ),
    Guard(
        "journey_enrollments",
        "enrollment_follows_log",
        "BEFORE INSERT OR DELETE OR UPDATE",
        "kura_enrollment_follows_log",
    ),
    Guard(
        "journey_enrollments",
        "enrollment_kept",
        "BEFORE TRUNCATE",
        "kura_enrollment_follows_log",
        each="STATEMENT",
    ),
    Guard(
        "journey_enrollments",
        "enrollment_is_logged",
        "AFTER INSERT OR UPDATE",
        "kura_enrollment_is_logged",
        at_commit=True,
    ),
    # what is appended stays, and so does whom it speaks of
    Guard(
        "journey_logs",
        "journey_log_append_only",
        "BEFORE DELETE OR UPDATE OR TRUNCATE",
        "kura_append_only",
        each="STATEMENT",
        argument="journey_log_append_only",
    ),
    Guard(
        "system_events",
        "system_event_append_only",
        "BEFORE DELETE OR UPDATE OR TRUNCATE",
        "kura_append_only",
        each="STATEMENT",
        argument="system_event_append_only",
    ),
    Guard("system_events", "system_event_door", "BEFORE INSERT", "kura_system_event_door"),
    Guard(
        "patients",
        "patient_is_logged",
        "BEFORE DELETE OR UPDATE OF id",
        "kura_keep_who_is_logged",
    ),
    Guard(
        "organizations",
        "organization_is_logged",
        "BEFORE DELETE OR UPDATE OF id",
        "kura_keep_who_is_logged",
    ),
    Guard(
        "users",
        "user_is_logged",
        "BEFORE DELETE OR UPDATE OF id, organization_id",
        "kura_keep_who_is_logged",
    ),
    Guard(
        "system_event_payloads",
        "payload_with_event",
        "BEFORE INSERT OR UPDATE",
        "kura_payload_erase_only",
    ),
    Guard(
        "system_event_payloads",
        "payload_kept",
        "BEFORE TRUNCATE",
        "kura_payload_erase_only",
        each="STATEMENT",
    ),
    Guard(
        "block_reviews",
        "block_review_stays",
        "BEFORE INSERT OR DELETE OR UPDATE",
        "kura_block_review",
    ),
    Guard(
        "block_reviews",
        "block_review_kept",
        "BEFORE TRUNCATE",
        "kura_block_review",
        each="STATEMENT",
    ),
    Guard(
        "journey_log_notes",
        "journey_log_note_with_move",
        "BEFORE INSERT OR UPDATE",
        "kura_note_erase_only",
    ),
    Guard(
        "journey_log_notes",
        "journey_log_note_kept",
        "BEFORE TRUNCATE",
        "kura_note_erase_only",
        each="STATEMENT",
    ),
    # templates, through which the history is read
    Guard(
        "journey_templates", "template_change", "BEFORE DELETE OR UPDATE", "kura_template_change"
    ),
    Guard("journey_stages", "stage_change", "BEFORE DELETE OR UPDATE", "kura_stage_change"),
    Guard(
        "journey_stages",
        "stage_makes_version",
        "AFTER INSERT OR DELETE OR UPDATE",
        "kura_part_of_template_changed",
    ),
    Guard(
        "journey_transitions",
        "transition_makes_version",
        "AFTER INSERT OR DELETE OR UPDATE",
        "kura_part_of_template_changed",
    ),
    *(
        Guard(table, trigger, "BEFORE TRUNCATE", "kura_template_kept", each="STATEMENT")
        for table, trigger in (
            ("journey_templates", "template_kept"),
            ("journey_stages", "stage_kept"),
            ("journey_transitions", "transition_kept"),
        )
    ),
    # the patient
    Guard("patients", "patient_change", "BEFORE INSERT OR UPDATE", "kura_patient_change"),
)

# Where the functions come from, in the order of the migrations: a later definition counts.
SOURCES: Final = (
    PATIENTS / "name_keys.sql",
    PATIENTS / "patient_guard.sql",
    JOURNEYS / "time_ordered_uuid.sql",
    JOURNEYS / "journey_door.sql",
    JOURNEYS / "append_only.sql",
    JOURNEYS / "read_models.sql",
    JOURNEYS / "system_event_door.sql",
    JOURNEYS / "template_guards.sql",
    JOURNEYS / "journey_position.sql",
    JOURNEYS / "privileges.sql",
    JOURNEYS / "block_reviews.sql",
)


@dataclass(frozen=True, slots=True)
class Fault:
    """`code` for programs; `name`: the trigger (`table.trigger`) or the function."""

    code: str
    name: str
    expected: str
    found: str


# --- triggers ---------------------------------------------------------------------------------

_ENABLED: Final = {  # pg_trigger.tgenabled
    "A": "enabled in every session",
    "O": "not enabled in replica sessions",
    "R": "enabled in replica sessions only",
    "D": "disabled",
}

_TRIGGERS: Final = """
SELECT c.relname || '.' || t.tgname, t.tgenabled, fn.nspname || '.' || f.proname,
    pg_get_triggerdef(t.oid)
FROM pg_catalog.pg_trigger t
JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_proc f ON f.oid = t.tgfoid
JOIN pg_catalog.pg_namespace fn ON fn.oid = f.pronamespace
WHERE n.nspname = 'public' AND NOT t.tgisinternal
"""


@dataclass(frozen=True, slots=True)
class _Trigger:
    name: str
    enabled: str
    function: str
    definition: str


def trigger_faults(guards: Iterable[Guard] = GUARDS) -> Iterator[Fault]:
    """Guards that are missing, or that some session could pass."""
    found = _triggers()
    for guard in guards:
        trigger = found.get(guard.name)
        if trigger is None:
            yield Fault("guard_trigger_missing", guard.name, guard.definition, "no such trigger")
        elif trigger.enabled != "A":
            state = _ENABLED.get(trigger.enabled, trigger.enabled)
            yield Fault("guard_trigger_disabled", guard.name, _ENABLED["A"], state)


def definition_faults() -> Iterator[Fault]:
    """Guards that stand but are not what this release ships, and their functions."""
    found = _triggers()
    for guard in GUARDS:
        trigger = found.get(guard.name)
        if trigger is not None and not _as_declared(trigger, guard):
            yield Fault("guard_trigger_changed", guard.name, guard.definition, trigger.definition)
    yield from _function_faults()


def _as_declared(trigger: _Trigger, guard: Guard) -> bool:
    """The schema apart: PostgreSQL leaves it out for a function on the search path."""
    return trigger.function == f"public.{guard.function}" and (
        trigger.definition.replace("FUNCTION public.", "FUNCTION ") == guard.definition
    )


def _triggers() -> dict[str, _Trigger]:
    with connection.cursor() as cursor:
        cursor.execute(_TRIGGERS)
        return {row[0]: _Trigger(*row) for row in cursor.fetchall()}


# --- functions --------------------------------------------------------------------------------

_FUNCTION: Final = re.compile(
    r"^CREATE (?:OR REPLACE )?FUNCTION (?P<name>\w+)\((?P<head>.*?)^AS \$\$(?P<body>.*?)\$\$;",
    re.DOTALL | re.MULTILINE,
)
_SETTING: Final = re.compile(r"^SET (\w+) = (.*?)(?:\s*--.*)?$", re.MULTILINE)

_FUNCTIONS: Final = """
SELECT f.proname, f.prosrc, f.prosecdef, coalesce(f.proconfig, '{}')
FROM pg_catalog.pg_proc f
JOIN pg_catalog.pg_namespace n ON n.oid = f.pronamespace
WHERE n.nspname = 'public' AND f.proname = ANY(%s)
"""


@dataclass(frozen=True, slots=True)
class _Function:
    """What a function does: its source, whose rights it has, and the settings it runs under."""

    body: str
    is_definer: bool
    settings: frozenset[str]


def _function_faults() -> Iterator[Fault]:
    found = _functions()
    for name, shipped in shipped_functions().items():
        if name not in found:
            yield Fault("guard_function_missing", name, "the shipped function", "no such function")
        elif found[name] != shipped:
            difference = _difference(shipped, found[name])
            yield Fault("guard_function_changed", name, "the shipped function", difference)


def _difference(shipped: _Function, found: _Function) -> str:
    if found.body != shipped.body:
        return "another source"
    return "other rights" if found.is_definer != shipped.is_definer else "other settings"


def _functions() -> dict[str, _Function]:
    with connection.cursor() as cursor:
        cursor.execute(_FUNCTIONS, [list(shipped_functions())])
        return {
            name: _Function(body, is_definer, frozenset(settings))
            for name, body, is_definer, settings in cursor.fetchall()
        }


@cache
def shipped_functions() -> dict[str, _Function]:
    """Every function of the shipped SQL files by name; PostgreSQL keeps the text as it was sent."""
    return {name: function for path in SOURCES for name, function in _functions_in(path)}


def _functions_in(path: Path) -> Iterator[tuple[str, _Function]]:
    for found in _FUNCTION.finditer(path.read_text(encoding="utf-8")):
        settings = frozenset(f"{name}={value}" for name, value in _SETTING.findall(found["head"]))
        is_definer = "SECURITY DEFINER" in found["head"]
        yield found["name"], _Function(found["body"], is_definer, settings)
