"""The ready rules: valid for their journeys, said in both languages, installed once."""

from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from automation import errors
from automation.actions.base import Practice
from automation.library import READY_RULES, install
from automation.models import AutomationRule, RuleVersion
from automation.models.rule import DEFINITION
from automation.services.rules import archive, publish
from automation.validation import problems_of
from journeys.blueprints import stages_from_codes
from journeys.services.templates import create_template
from kura import tenancy
from kura.demo.archetypes import ARCHETYPES, INTAKE, YOGA
from tests.factories import OrganizationFactory, a_template, with_ready_rules

each_rule = pytest.mark.parametrize("rule", READY_RULES, ids=lambda one: one.code)


@pytest.fixture
def archetypes(organization):
    return {
        one.key: create_template(organization=organization, blueprint=one) for one in ARCHETYPES
    }


def codes():
    return sorted(AutomationRule.objects.values_list("code", flat=True))


def test_the_rules_have_codes_of_their_own_and_every_archetype_has_some():
    assert len({rule.code for rule in READY_RULES}) == len(READY_RULES)
    assert {rule.journey_key for rule in READY_RULES} == {one.key for one in ARCHETYPES}
    assert all(rule.code.startswith(f"{rule.journey_key}.") for rule in READY_RULES)


@each_rule
def test_a_ready_rule_is_said_in_both_languages(rule):
    for words in (rule.names, rule.descriptions):
        assert words.keys() == {"es", "en"}
        assert words["es"] != words["en"]
    assert all(words.endswith(".") for words in rule.descriptions.values())


@each_rule
def test_a_ready_rule_is_valid(organization, archetypes, rule):
    for language in ("es", "en"):
        definition = rule.definition(language)

        assert problems_of(definition, Practice(organization=organization)) == []


def target_of(rule):
    """The stage that it moves to; "" for one that moves nobody."""
    moves = [one["params"] for one in rule.actions if one["type"] == "update_journey_status"]
    assert all(params["key"] == rule.journey_key for params in moves)
    return moves[0]["status"] if moves else ""


@each_rule
def test_a_ready_rule_leads_along_the_graph_of_its_journey(rule):
    [journey] = [one for one in ARCHETYPES if one.key == rule.journey_key]
    known = {(move.from_stage, move.to_stage) for move in journey.moves}
    stages = [rule.stage] if rule.stage else rule.conditions.get("value", [])
    target = target_of(rule)

    assert not target or any(end == target for _, end in known)
    for stage in stages if rule.trigger.startswith("PAYMENT_") else []:
        assert (stage, target) in known


def test_every_journey_that_has_a_block_blocks_at_a_risk():
    for journey in ARCHETYPES:
        block = [stage.code for stage in journey.stages if stage.status == "onhold"]
        blocking = {
            rule.code.split(".")[1]
            for rule in READY_RULES
            if rule.journey_key == journey.key and target_of(rule) in block
        }

        assert blocking == ({"risk_high", "risk_unknown", "risk_known_before"} if block else set())


def test_installing_makes_the_rules_of_the_journeys_that_are_there(organization):
    create_template(organization=organization, blueprint=YOGA)

    made = install(organization)

    assert sorted(rule.code for rule in made) == codes()
    assert codes() == [
        "yoga_urban_om.awaiting_waiver.escalation",
        "yoga_urban_om.awaiting_waiver.reminder",
        "yoga_urban_om.booking_cancelled",
        "yoga_urban_om.form_completed",
    ]
    assert all(rule.is_active and rule.version == 1 for rule in made)
    assert RuleVersion.objects.count() == len(made)


def test_the_tests_of_the_specification_run_with_the_rules_that_are_installed(organization):
    """They do without the 500 statements of an installation each."""
    create_template(organization=organization, blueprint=INTAKE)
    kept = ("code", "is_active", "version", *DEFINITION)
    installed = {rule.code for rule in install(organization, also_waiting=True)}
    as_installed = list(AutomationRule.objects.order_by("code").values(*kept))
    said = list(RuleVersion.objects.order_by("rule__code").values("version", "definition"))

    other = OrganizationFactory()
    with tenancy.scope(other):
        create_template(organization=other, blueprint=INTAKE)
        with_ready_rules(other, [rule for rule in READY_RULES if rule.code in installed])

        assert list(AutomationRule.objects.order_by("code").values(*kept)) == as_installed
        versions = RuleVersion.objects.order_by("rule__code").values("version", "definition")
        assert list(versions) == said


def test_time_outs_count_for_who_comes_from_now_unless_asked_for(organization):
    create_template(organization=organization, blueprint=YOGA)
    create_template(organization=organization, blueprint=INTAKE)

    from_now = install(organization, keys=["yoga_urban_om"])
    for_all = install(organization, keys=["intake"], also_waiting=True)

    assert {rule.visits_from is None for rule in from_now if rule.max_hours} == {False}
    assert {rule.visits_from for rule in for_all} == {None}


def test_installing_again_makes_only_what_is_missing(organization, archetypes):
    install(organization, keys=["intake"])
    some = codes()

    more = install(organization)

    assert not {rule.code for rule in more} & set(some)
    assert codes() == sorted(rule.code for rule in READY_RULES)
    assert install(organization) == []


def test_what_a_therapist_changed_or_archived_is_left_alone(organization, archetypes, therapist):
    made = {rule.code: rule for rule in install(organization)}
    changed, archived = made["intake.payment_succeeded"], made["intake.risk_low"]
    publish(
        rule_id=changed.pk,
        user=therapist,
        expected_version=1,
        definition=changed.definition | {"name": "Pagado, gracias"},
    )
    archive(rule_id=archived.pk, user=therapist)

    assert install(organization) == []

    assert AutomationRule.objects.get(pk=changed.pk).name == "Pagado, gracias"
    assert not AutomationRule.objects.get(pk=archived.pk).is_active


def test_the_names_are_in_the_practices_language(organization, archetypes):
    organization.language = "en"

    install(organization, keys=["carta_natal"])

    assert AutomationRule.objects.filter(name="Carta natal: form received").exists()


def test_a_journey_of_that_key_that_is_another_one_is_refused_whole(organization):
    a_template(organization, key="intake", codes=["SCREENING_PENDING", "CONFIRMED", "COMPLETED"])

    with pytest.raises(errors.ReadyRuleUnfit) as refused:
        install(organization)

    assert refused.value.context["journey_key"] == "intake"
    assert "intake" in str(refused.value)

    assert not AutomationRule.objects.exists()


def run(*arguments):
    out = StringIO()
    call_command("install_rules", *arguments, stdout=out)
    return out.getvalue()


def test_the_command_says_what_it_made(organization, archetypes):
    first = run("--organization", organization.slug, "--journey", "intake")
    second = run("--organization", organization.slug, "--journey", "intake")

    assert "intake.payment_succeeded: Intake: pago recibido" in first
    assert first.endswith("13 rules installed.\n")
    assert second == "0 rules installed.\n"


def test_the_command_names_the_practices_there_are(organization):
    with pytest.raises(CommandError, match=f"Known: {organization.slug}"):
        run("--organization", "nowhere")


def test_the_command_refuses_in_words_and_installs_nothing(organization):
    a_template(
        organization,
        key=INTAKE.key,
        codes=[s.code for s in stages_from_codes(["PENDING", "COMPLETED"])],
    )

    with pytest.raises(CommandError, match="Nothing was installed"):
        run("--organization", organization.slug)

    assert not AutomationRule.objects.exists()
