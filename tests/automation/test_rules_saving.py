"""Rules are saved whole or not at all, in versions that stay, and nobody overwrites anybody."""

from __future__ import annotations

import pytest
from django.db import IntegrityError, transaction

from automation import errors
from automation.models import AutomationRule, RuleRun, RuleSwitch, RuleVersion
from automation.services.rules import (
    archive,
    create_draft,
    create_rule,
    discard_draft,
    publish,
    save_draft,
    set_active,
)
from journeys.services.transitions import enroll
from kura import tenancy
from kura.errors import constraint_of
from tests.automation.practice import a_definition, drain, emit, move, tell
from tests.factories import a_template, system


@pytest.fixture
def rule(organization, template, therapist):
    return create_rule(organization=organization, definition=a_definition(), user=therapist)


def versions_of(rule):
    rows = RuleVersion.objects.filter(rule=rule).order_by("version")
    return [(row.version, row.definition["name"], row.published_by_id) for row in rows]


def switches_of(rule):
    rows = RuleSwitch.objects.filter(rule=rule).order_by("switched_at", "id")
    return [(row.kind, row.switched_by_id) for row in rows]


def test_a_new_rule_is_version_one_and_says_who_made_it(rule, therapist):
    assert (rule.version, rule.is_active, rule.draft) == (1, True, None)
    assert versions_of(rule) == [(1, "Paid", therapist.pk)]
    assert switches_of(rule) == [("on", therapist.pk)]


def test_what_is_kept_is_the_same_from_the_database(rule):
    kept = AutomationRule.objects.get(pk=rule.pk)

    assert kept.definition == rule.definition == RuleVersion.objects.get().definition


def test_a_draft_lives_beside_the_rule_and_changes_nothing_live(rule, organization, patient):
    draft = a_definition(name="Another", trigger_event="BOOKING_CONFIRMED")

    save_draft(rule_id=rule.pk, definition=draft)

    kept = AutomationRule.objects.get(pk=rule.pk)
    assert (kept.name, kept.trigger_event, kept.version) == ("Paid", "PAYMENT_SUCCEEDED", 1)
    assert kept.draft == draft
    assert RuleVersion.objects.count() == 1


def test_an_unfinished_draft_is_kept_and_only_publishing_refuses_it(rule, therapist):
    save_draft(rule_id=rule.pk, definition={"name": "", "nonsense": [1]})

    with pytest.raises(errors.InvalidRule) as refused:
        publish(rule_id=rule.pk, user=therapist, expected_version=1)

    pointers = {problem.pointer for problem in refused.value.context["problems"]}
    assert pointers == {"/name", "/nonsense", "/trigger_event", "/actions"}
    kept = AutomationRule.objects.get(pk=rule.pk)
    assert (kept.version, kept.draft) == (1, {"name": "", "nonsense": [1]})


@pytest.mark.parametrize(
    "draft",
    [[], "x", {"name": "\x00"}, {"name": "\ud800"}, {"x": float("nan")}, {"x": "y" * 70000}],
)
def test_a_draft_that_cannot_be_stored_is_refused(rule, draft):
    with pytest.raises(errors.InvalidRule):
        save_draft(rule_id=rule.pk, definition=draft)


def test_publishing_makes_the_draft_the_next_version(rule, therapist):
    save_draft(rule_id=rule.pk, definition=a_definition(name="Paid at last"))

    published = publish(rule_id=rule.pk, user=therapist, expected_version=1)

    assert (published.version, published.name, published.draft) == (2, "Paid at last", None)
    assert versions_of(rule) == [(1, "Paid", therapist.pk), (2, "Paid at last", therapist.pk)]
    kept = AutomationRule.objects.get(pk=rule.pk)
    assert kept.definition == RuleVersion.objects.get(rule=rule, version=2).definition


@pytest.mark.parametrize(
    "same",
    [
        a_definition(),
        a_definition(name="  Paid  ", priority=100.0, stage=None, conditions=None),
        a_definition(max_hours=None),
    ],
)
def test_what_says_nothing_new_is_no_draft_and_no_version(rule, therapist, same):
    assert save_draft(rule_id=rule.pk, definition=same).draft is None

    published = publish(rule_id=rule.pk, user=therapist, expected_version=1, definition=same)

    assert published.version == 1
    assert RuleVersion.objects.count() == 1


def test_hours_written_in_another_way_are_the_same_hours(organization, template, therapist):
    stale = a_definition(
        trigger_event="JOURNEY_STAGE_TIMEOUT", stage="AWAITING_PAYMENT", max_hours=48
    )
    rule = create_rule(organization=organization, definition=stale, user=therapist)

    for hours in (48.0, "48", "48.000"):
        again = publish(
            rule_id=rule.pk,
            user=therapist,
            expected_version=1,
            definition=stale | {"max_hours": hours},
        )

        assert again.version == 1
    assert again.definition["max_hours"] == "48.000"


def test_two_editors_do_not_overwrite_each_other(rule, therapist):
    publish(
        rule_id=rule.pk,
        user=therapist,
        expected_version=1,
        definition=a_definition(name="The first editor's"),
    )

    with pytest.raises(errors.RuleChanged) as refused:
        publish(
            rule_id=rule.pk,
            user=therapist,
            expected_version=1,
            definition=a_definition(name="The second editor's"),
        )

    assert refused.value.context["current_version"] == 2
    assert [name for _, name, _ in versions_of(rule)] == ["Paid", "The first editor's"]


def test_a_draft_written_since_it_was_opened_is_not_overwritten_either(rule, therapist):
    seen_at = rule.updated_at
    save_draft(rule_id=rule.pk, definition=a_definition(name="One"), seen_at=seen_at)

    for act in (
        lambda: save_draft(rule_id=rule.pk, definition=a_definition(name="Two"), seen_at=seen_at),
        lambda: discard_draft(rule_id=rule.pk, seen_at=seen_at),
        lambda: publish(rule_id=rule.pk, user=therapist, expected_version=1, seen_at=seen_at),
    ):
        with pytest.raises(errors.RuleChanged):
            act()

    assert AutomationRule.objects.get(pk=rule.pk).draft["name"] == "One"


def test_a_draft_can_be_thrown_away(rule, therapist):
    save_draft(rule_id=rule.pk, definition=a_definition(name="One"))

    assert discard_draft(rule_id=rule.pk).draft is None
    with pytest.raises(errors.NoDraft):
        publish(rule_id=rule.pk, user=therapist, expected_version=1)


# --- a rule that was never published --------------------------------------------------------------


@pytest.fixture
def begun(organization, template):
    return create_draft(organization=organization, definition={"name": " Begun ", "stage": 5})


def test_a_rule_can_be_begun_without_saying_anything(begun):
    assert (begun.version, begun.is_active, begun.name) == (0, False, "Begun")
    assert begun.draft == {"name": " Begun ", "stage": 5}
    assert versions_of(begun) == switches_of(begun) == []


def test_what_was_only_begun_hears_nothing_and_cannot_be_switched_on(begun, patient, therapist):
    tell(patient, "PAYMENT_SUCCEEDED")
    drain()

    with pytest.raises(errors.InvalidRule):
        set_active(rule_id=begun.pk, is_active=True, user=therapist)

    assert not RuleRun.objects.filter(rule=begun).exists()


def test_its_name_follows_the_draft_until_it_is_published(begun, therapist):
    save_draft(rule_id=begun.pk, definition=a_definition(name=""))
    without = AutomationRule.objects.get(pk=begun.pk).name
    save_draft(rule_id=begun.pk, definition=a_definition(name="Paid"))

    published = publish(rule_id=begun.pk, user=therapist, expected_version=0)

    assert without
    assert (published.version, published.name, published.is_active) == (1, "Paid", False)
    assert versions_of(published) == [(1, "Paid", therapist.pk)]
    save_draft(rule_id=begun.pk, definition=a_definition(name="Later"))
    assert AutomationRule.objects.get(pk=begun.pk).name == "Paid"


def test_what_cannot_be_kept_begins_no_rule(organization, other_organization, template):
    with pytest.raises(errors.InvalidRule):
        create_draft(organization=organization, definition={"name": "\x00"})
    with pytest.raises(errors.RuleNotFound):
        create_draft(organization=other_organization, definition={})

    assert AutomationRule.objects.count() == 0


def test_switching_is_kept_with_who_did_it_and_only_when_something_changed(rule, therapist):
    for is_active in (True, False, False, True):
        set_active(rule_id=rule.pk, is_active=is_active, user=therapist)

    kinds = [kind for kind, _ in switches_of(rule)]
    assert kinds == ["on", "off", "on"]
    assert AutomationRule.objects.get(pk=rule.pk).version == 1


def test_a_rule_that_has_become_wrong_while_it_slept_is_not_switched_on(rule, therapist):
    set_active(rule_id=rule.pk, is_active=False, user=therapist)
    AutomationRule.objects.filter(pk=rule.pk).update(actions=[move("intake", "GONE")])

    with pytest.raises(errors.InvalidRule):
        set_active(rule_id=rule.pk, is_active=True, user=therapist)

    assert not AutomationRule.objects.get(pk=rule.pk).is_active


def test_an_archived_rule_is_off_for_ever_and_stays_readable(rule, therapist):
    archive(rule_id=rule.pk, user=therapist)

    kept = AutomationRule.objects.get(pk=rule.pk)
    assert (kept.is_active, kept.archived_at is not None) == (False, True)
    assert switches_of(rule)[-1] == ("archived", therapist.pk)
    for act in (
        lambda: save_draft(rule_id=rule.pk, definition=a_definition(name="x")),
        lambda: set_active(rule_id=rule.pk, is_active=True, user=therapist),
        lambda: publish(
            rule_id=rule.pk, user=therapist, expected_version=1, definition=a_definition(name="x")
        ),
        lambda: archive(rule_id=rule.pk, user=therapist),
    ):
        with pytest.raises(errors.RuleArchived):
            act()


def test_rules_of_another_practice_cannot_be_touched(rule, other_organization, therapist):
    with tenancy.scope(other_organization):
        for act in (
            lambda: save_draft(rule_id=rule.pk, definition=a_definition()),
            lambda: publish(rule_id=rule.pk, user=therapist, expected_version=1),
            lambda: set_active(rule_id=rule.pk, is_active=False, user=therapist),
            lambda: archive(rule_id=rule.pk, user=therapist),
            lambda: create_rule(
                organization=rule.organization, definition=a_definition(), user=therapist
            ),
        ):
            with pytest.raises(errors.RuleNotFound):
                act()


def test_a_ready_rule_is_there_once(organization, template, therapist):
    make = {"organization": organization, "definition": a_definition(), "user": None, "code": "x.y"}
    create_rule(**make)

    with pytest.raises(errors.ReadyRuleInstalled):
        create_rule(**make)

    assert AutomationRule.objects.count() == RuleVersion.objects.count() == 1


@pytest.mark.parametrize(
    ("model", "constraint"),
    [(RuleVersion, "rule_version_append_only"), (RuleSwitch, "rule_switch_append_only")],
)
def test_the_database_keeps_versions_and_switches(rule, model, constraint):
    for act in (
        lambda: model.objects.update(rule=rule),
        lambda: model.objects.all()._raw_delete("default"),
    ):
        with pytest.raises(IntegrityError) as refused, transaction.atomic():
            act()
        assert constraint_of(refused.value) == constraint


def test_a_run_says_which_version_it_ran(organization, rule, patient, therapist):
    enroll(patient_id=patient.pk, journey_key="intake", cause=system())
    tell(patient, "PAYMENT_SUCCEEDED", "a")
    drain()
    publish(
        rule_id=rule.pk,
        user=therapist,
        expected_version=1,
        definition=a_definition(actions=[emit("CUSTOM.paid")]),
    )

    tell(patient, "PAYMENT_SUCCEEDED", "b")
    drain()

    runs = RuleRun.objects.order_by("started_at")
    assert [run.rule_version for run in runs] == [1, 2]
    assert [run.actions[0]["type"] for run in runs] == ["update_journey_status", "emit_event"]


def test_a_rule_that_closes_a_cycle_is_refused_with_its_path(organization, template, therapist):
    for name, trigger, event in (("A", "CUSTOM.a", "CUSTOM.b"), ("B", "CUSTOM.b", "CUSTOM.c")):
        create_rule(
            organization=organization,
            definition=a_definition(name=name, trigger_event=trigger, actions=[emit(event)]),
            user=therapist,
        )
    closing = a_definition(name="C", trigger_event="CUSTOM.c", actions=[emit("CUSTOM.a")])

    with pytest.raises(errors.RuleCycle) as refused:
        create_rule(organization=organization, definition=closing, user=therapist)

    assert refused.value.context["path"] == ["C", "A", "B", "C"]
    assert "“C” → “A” → “B” → “C”" in str(refused.value)
    assert AutomationRule.objects.count() == 2


def test_a_sleeping_rule_may_close_a_cycle_but_not_wake(organization, template, therapist):
    a_definition_of = {"A": ("CUSTOM.a", "CUSTOM.b"), "B": ("CUSTOM.b", "CUSTOM.a")}
    made = {
        name: create_rule(
            organization=organization,
            definition=a_definition(name=name, trigger_event=when, actions=[emit(then)]),
            user=therapist,
            is_active=name == "A",
        )
        for name, (when, then) in a_definition_of.items()
    }

    with pytest.raises(errors.RuleCycle):
        set_active(rule_id=made["B"].pk, is_active=True, user=therapist)
    set_active(rule_id=made["A"].pk, is_active=False, user=therapist)

    assert set_active(rule_id=made["B"].pk, is_active=True, user=therapist).is_active


def test_a_cycle_in_another_practice_is_none_here(organization, other_organization, template):
    with tenancy.scope(other_organization):
        a_template(other_organization)
        create_rule(
            organization=other_organization,
            definition=a_definition(trigger_event="CUSTOM.a", actions=[emit("CUSTOM.b")]),
            user=None,
        )

    assert create_rule(
        organization=organization,
        definition=a_definition(trigger_event="CUSTOM.b", actions=[emit("CUSTOM.a")]),
        user=None,
    ).is_active
