"""Two editors at once, each on a connection of their own, with real commits."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connections

from automation.library import READY_RULES, install
from automation.models import AutomationRule, RuleVersion
from automation.services.rules import create_rule, publish
from journeys.services.templates import create_template
from kura import tenancy
from kura.demo.archetypes import ARCHETYPES
from kura.errors import KuraError
from tests.automation.practice import a_definition, emit
from tests.factories import OrganizationFactory, a_template
from tests.sizes import sized

ROUNDS = sized(reduced=5, full=100)


@pytest.fixture
def practice(committed_db):
    organization = OrganizationFactory()
    with tenancy.scope(organization):
        yield organization


def at_once(practice, acts: list[Callable[[], object]]) -> list[str]:
    """Each on a thread and connection of its own, from one start: "done" or the refusal's code."""
    start = threading.Barrier(len(acts))

    def run(act: Callable[[], object]) -> str:
        with tenancy.scope(practice):
            try:
                start.wait()
                act()
            except KuraError as refusal:
                return refusal.code
            finally:
                connections.close_all()
        return "done"

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(run, acts))


@pytest.mark.soak
def test_two_rules_that_close_a_cycle_together_are_never_both_published(practice):
    a_template(practice)
    for number in range(ROUNDS):
        there, back = f"CUSTOM.there_{number}", f"CUSTOM.back_{number}"
        made = [
            create_rule(
                organization=practice,
                definition=a_definition(trigger_event=when, actions=[emit("CUSTOM.nothing")]),
                user=None,
            )
            for when in (there, back)
        ]

        said = at_once(
            practice,
            [
                lambda rule=rule, event=event: publish(
                    rule_id=rule.pk,
                    user=None,
                    expected_version=1,
                    definition=a_definition(
                        trigger_event=rule.trigger_event, actions=[emit(event)]
                    ),
                )
                for rule, event in zip(made, (back, there), strict=True)
            ],
        )

        assert sorted(said) == ["done", "rule_cycle"]


@pytest.mark.soak
def test_of_two_editors_one_is_told_that_the_rule_has_changed(practice):
    a_template(practice)
    rule = create_rule(organization=practice, definition=a_definition(), user=None)

    for version in range(1, ROUNDS + 1):
        said = at_once(
            practice,
            [
                lambda name=name, version=version: publish(
                    rule_id=rule.pk,
                    user=None,
                    expected_version=version,
                    definition=a_definition(name=f"{name} {version}"),
                )
                for name in ("Laura", "Jon", "Vera")
            ],
        )

        assert sorted(said) == ["done", "rule_changed", "rule_changed"]
    versions = RuleVersion.objects.filter(rule=rule).values_list("version", flat=True)
    assert sorted(versions) == list(range(1, ROUNDS + 2))


def test_ready_rules_are_installed_once_however_many_install_them(practice):
    for blueprint in ARCHETYPES:
        create_template(organization=practice, blueprint=blueprint)

    said = at_once(practice, [lambda: install(practice)] * 4)

    assert said == ["done"] * 4
    codes = AutomationRule.objects.values_list("code", flat=True)
    assert sorted(codes) == sorted(rule.code for rule in READY_RULES)
