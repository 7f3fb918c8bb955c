"""A practice changes its journeys under its rules: nothing about a risk may become silent."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import call_command
from django.utils import timezone

from automation.backtest import backtest
from automation.errors import InvalidRule
from automation.models import AutomationRule, RuleRun, StaffTask
from automation.services.rules import create_rule
from journeys.blueprints import Blueprint, stages_from_codes
from journeys.services.templates import edit_template
from journeys.services.transitions import enroll
from tests.automation.practice import a_definition, drain, move, tell
from tests.factories import STAGES, system


@pytest.fixture
def outgrown(organization, template):
    """A rule that blocks in a stage which the template has no more."""
    create_rule(organization=organization, definition=a_definition(), user=None)
    rule = create_rule(
        organization=organization,
        definition=a_definition(
            name="Block", trigger_event="CUSTOM.risk", actions=[move("intake", "BLOCKED_HIGH_RISK")]
        ),
        user=None,
    )
    stages = stages_from_codes([code for code in STAGES if code != "BLOCKED_HIGH_RISK"])
    edit_template(
        template_id=template.pk,
        blueprint=Blueprint(
            key="intake", name="Intake", initial_stage=stages[0].code, stages=stages
        ),
    )
    return rule


def check() -> tuple[int, str]:
    out, code = StringIO(), 0
    try:
        call_command("check_rules", stdout=out)
    except SystemExit as ended:
        code = ended.code
    return code, out.getvalue()


def test_a_block_whose_stage_is_gone_becomes_a_task(outgrown, patient):
    enroll(patient_id=patient.pk, journey_key="intake", cause=system())

    tell(patient, "CUSTOM.risk")
    drain()

    assert RuleRun.objects.get(rule=outgrown).actions[0]["error_code"] == "stage_not_allowed"
    assert StaffTask.objects.get().kind == "block_refused"


def test_the_command_names_what_is_broken(outgrown, organization):
    code, said = check()

    assert code == 1
    assert f"{organization.slug}: “Block” ({outgrown.pk})" in said
    assert "/actions/0/params/status: " in said
    assert said.endswith("2 active rules, 1 of them broken.\n")


def test_the_command_is_content_when_nothing_is(organization, template):
    create_rule(organization=organization, definition=a_definition(), user=None)

    assert check() == (0, "1 active rules, none of them broken.\n")


def tried(rule, definition=None):
    now = timezone.now()
    return backtest(
        organization=rule.organization,
        definition=definition or rule.definition,
        published=rule,
        since=now - timedelta(days=1),
        until=now + timedelta(minutes=1),
        now=now,
    )


def test_what_runs_is_tried_as_it_runs_with_what_it_can_do_no_longer_refused(outgrown, patient):
    enroll(patient_id=patient.pk, journey_key="intake", cause=system())
    tell(patient, "CUSTOM.risk")
    drain()

    found = tried(outgrown)

    assert (found.events, found.matched) == (1, 1)
    assert found.effects.would_fail == {"stage_not_allowed": 1}
    ran = RuleRun.objects.get(rule=outgrown).actions[0]
    assert ran["error_code"] == "stage_not_allowed"


def test_a_draft_that_names_what_is_gone_is_not_tried(outgrown):
    changed = outgrown.definition | {"conditions": {"field": "patient.language", "op": "eq",
                                                    "value": "es"}}  # fmt: skip

    with pytest.raises(InvalidRule):
        tried(outgrown, changed)


@pytest.mark.parametrize(
    "broken",
    [
        {"conditions": {"field": "patient.language", "op": "nonsense", "value": 1}},
        {"actions": [{"type": "nonsense", "params": {}}]},
        {"actions": [{"type": "update_journey_status", "params": {}}]},
        {"actions": []},
        {"trigger_event": "NONSENSE"},
        {"trigger_event": "JOURNEY_STAGE_TIMEOUT"},
    ],
)
def test_what_nobody_can_read_is_not_tried_although_it_runs(outgrown, broken):
    AutomationRule.objects.filter(pk=outgrown.pk).update(**broken)
    outgrown.refresh_from_db()

    with pytest.raises(InvalidRule):
        tried(outgrown)
