"""docs/rules.md says what the code does."""

from __future__ import annotations

import json
import re
from io import StringIO
from pathlib import Path

from django.core.management import call_command
from django.utils import translation

from automation.actions import ACTIONS
from automation.actions.base import Practice
from automation.reference import filled, tables
from automation.sentences import sentence
from automation.validation import problems_of
from journeys.event_types import EVENT_TYPES
from kura.conditions import OPERATORS

DOCUMENT = Path(__file__).parents[2] / "docs" / "rules.md"


def text():
    return DOCUMENT.read_text(encoding="utf-8")


def test_the_tables_are_those_of_the_code():
    with translation.override("en"):
        assert filled(text()) == text(), "run `manage.py rules_reference --write docs/rules.md`"
        assert all(table in text() for table in tables().values())


def test_every_event_operator_and_action_is_in_it():
    for name in (*EVENT_TYPES, *OPERATORS, *ACTIONS):
        assert f"`{name}`" in text()


def test_the_example_is_a_rule_and_reads_as_it_says(organization, template):
    example = json.loads(re.search(r"^    \{.*?^    \}$", text(), re.DOTALL | re.MULTILINE)[0])
    practice = Practice(organization=organization)

    assert problems_of(example, practice) == []
    with translation.override("en"):
        assert sentence(example, practice) in " ".join(text().split())


def test_the_command_prints_and_writes_the_tables(tmp_path):
    out, copy = StringIO(), tmp_path / "rules.md"
    copy.write_text(re.sub(r"\| `eq` .*\n", "", text()), encoding="utf-8")

    call_command("rules_reference", stdout=out)
    call_command("rules_reference", "--write", str(copy), stdout=StringIO())

    assert "`update_journey_status`" in out.getvalue()
    assert copy.read_text(encoding="utf-8") == text()
