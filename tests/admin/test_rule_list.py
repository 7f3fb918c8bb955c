"""The list of rules, its library, and the pages that copy, archive and discard."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from automation.library import READY_RULES
from automation.models import AutomationRule, RuleSwitch, RuleVersion
from automation.services.rules import create_draft, save_draft
from journeys.models.template import JourneyTemplate
from journeys.services.templates import create_template
from kura import tenancy
from kura.demo.archetypes import YOGA
from tests.admin import people
from tests.admin.automated import NOTE, UNREADABLE, rule
from tests.admin.conftest import logged_in
from tests.admin.rule_forms import again, edit_url, fields_of, page_of
from tests.admin.test_pages import queries

LIST = "admin:automation_automationrule_changelist"
LIBRARY = "admin:automation_automationrule_library"


@pytest.fixture
def manager(ours):
    return people.person(ours.organization, "manager", "Eva Ruiz", language="en")


@pytest.fixture
def client(manager) -> Client:
    return logged_in(manager)


def listed(client: Client, query: str = "") -> list[str]:
    answer = client.get(reverse(LIST) + query)
    assert answer.status_code == 200
    return [row.name for row in answer.context["cl"].result_list]


def url(verb: str, one: AutomationRule) -> str:
    return reverse(f"admin:automation_automationrule_{verb}", args=[one.pk])


def pressed(client: Client, verb: str, one: AutomationRule):
    seen = fields_of(client.get(url(verb, one)).content.decode(), '<div id="content-main"')
    return client.post(url(verb, one), seen)


# --- the list -----------------------------------------------------------------------------------


def test_rules_are_found_by_a_part_of_their_name(client, ours):
    assert listed(client, "?q=PLAZO") == ["Regla plazo Om"]
    assert listed(client, "?q=nothing") == []


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("?active=no", {"Regla duerme Om"}),
        ("?active=draft", {"Regla calla Om"}),
        ("?active=archived", {"Regla confirma Om"}),
        ("?when=JOURNEY_STAGE_TIMEOUT", {"Regla plazo Om", "Regla duerme Om"}),
        ("?when=CUSTOM.", {"Regla propia"}),
    ],
)
def test_filters_narrow_the_list(client, ours, query, names):
    rule(ours.organization, "propia", "CUSTOM.sauna", NOTE)
    with tenancy.scope(ours.organization):
        one = AutomationRule.objects.get(name="Regla calla Om")
        save_draft(rule_id=one.pk, definition={"name": "x"})
    pressed(client, "archive", named("Regla confirma Om"))

    assert set(listed(client, query)) == names
    assert "Regla confirma Om" not in listed(client)


@pytest.mark.parametrize("query", ["?active=x", "?when=x", "?o=1"])
def test_filters_that_are_none_show_the_whole_list_or_nothing_new(client, ours, query):
    answer = client.get(reverse(LIST) + query, follow=True)

    assert answer.status_code == 200
    assert len(answer.context["cl"].result_list) == 6


def named(name: str) -> AutomationRule:
    with tenancy.every_organization():
        return AutomationRule.objects.get(name=name)


def test_five_hundred_rules_are_paged_and_cost_no_more_queries(client, ours):
    few = queries(client, reverse(LIST))
    with tenancy.scope(ours.organization):
        AutomationRule.objects.bulk_create(
            AutomationRule(
                organization=ours.organization, name=f"Regla {number}", actions=[NOTE],
                trigger_event="PAYMENT_SUCCEEDED", journey_key="retreat",
            )
            for number in range(500)
        )  # fmt: skip

    assert queries(client, reverse(LIST)) == queries(client, f"{reverse(LIST)}?q=regla") == few <= 8
    assert len(listed(client)) == 25
    assert listed(client, "?p=20&q=Regla")


def test_a_rule_names_its_journey_or_the_key_of_one_that_is_gone(client, ours):
    gone = {"journey_key": "gone", "trigger_event": "PAYMENT_SUCCEEDED", "actions": [NOTE]}
    with tenancy.scope(ours.organization):
        AutomationRule.objects.create(organization=ours.organization, name="Sin sitio", **gone)

    rows = client.get(reverse(LIST)).content.decode().split("<tr>")

    assert any("Retiro Om" in row for row in rows)
    assert any("Sin sitio" in row and "gone" in row for row in rows)


def test_a_rule_that_was_never_published_is_listed_as_a_draft(client, ours):
    with tenancy.scope(ours.organization):
        create_draft(organization=ours.organization, definition={"name": "Empieza"})

    page = client.get(f"{reverse(LIST)}?q=Empieza").content.decode()

    assert "never published" in page


# --- copy, archive, discard ---------------------------------------------------------------------


def test_a_copy_is_a_draft_of_its_own(client, ours):
    answer = pressed(client, "copy", ours.automated.rule)

    copy = named(f"Copy of {ours.automated.rule.name}")
    assert answer["Location"] == edit_url(copy)
    assert (copy.version, copy.is_active) == (0, False)
    assert copy.draft["conditions"] == ours.automated.rule.conditions
    assert again(ours.automated.rule).version == 1


def test_an_archived_rule_can_be_copied(client, ours):
    pressed(client, "archive", ours.automated.rule)

    assert pressed(client, "copy", ours.automated.rule).status_code == 302


def test_archiving_asks_first_and_is_written_down(client, ours, manager):
    asked = client.get(url("archive", ours.automated.rule)).content.decode()
    untouched = again(ours.automated.rule).archived_at

    answer = pressed(client, "archive", ours.automated.rule)

    assert "cannot be switched on or changed any more" in asked
    assert untouched is None
    assert answer["Location"] == reverse(LIST)
    assert not again(ours.automated.rule).is_active
    with tenancy.every_organization():
        switch = RuleSwitch.objects.get(rule=ours.automated.rule, kind="archived")
    assert switch.switched_by == manager
    assert client.get(page_of(ours.automated.rule)).status_code == 200


def test_the_same_click_twice_archives_once(client, ours):
    seen = {"seen": ours.automated.rule.updated_at.isoformat()}

    answers = [client.post(url("archive", ours.automated.rule), seen) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [302, 302]
    with tenancy.every_organization():
        assert RuleSwitch.objects.filter(rule=ours.automated.rule, kind="archived").count() == 1


def test_a_draft_is_discarded_and_what_runs_stays(client, ours):
    one = ours.automated.rule
    with tenancy.scope(ours.organization):
        save_draft(rule_id=one.pk, definition=one.definition | {"name": "Otra"})

    pressed(client, "discard", one)

    assert again(one).draft is None
    assert again(one).name == one.name


@pytest.mark.parametrize("verb", ["archive", "discard"])
def test_who_saw_an_older_state_is_told(client, ours, verb):
    answer = client.post(url(verb, ours.automated.rule), {"seen": "2026-01-01T00:00:00+00:00"})

    assert answer.status_code == 409
    assert again(ours.automated.rule).archived_at is None


@pytest.mark.parametrize("verb", ["copy", "archive", "discard"])
@pytest.mark.parametrize("role", ["viewer", "therapist"])
def test_only_managers_copy_archive_and_discard(ours, role, verb):
    client, one = logged_in(getattr(ours, role)), ours.automated.rule

    answer = client.post(url(verb, one), {"seen": one.updated_at.isoformat()})

    assert answer.status_code == 403
    assert again(one).archived_at is None
    assert url(verb, one) not in client.get(page_of(one)).content.decode()


@pytest.mark.parametrize("verb", ["copy", "archive", "discard"])
def test_another_practices_manager_finds_no_such_rule(ours, theirs, verb):
    one = ours.automated.rule

    answer = logged_in(theirs.manager).post(url(verb, one), {"seen": one.updated_at.isoformat()})

    assert answer.status_code == 404
    with tenancy.every_organization():
        assert AutomationRule.objects.filter(version=0).count() == 0


# --- the library --------------------------------------------------------------------------------


def of(key: str) -> list[str]:
    return [ready.code for ready in READY_RULES if ready.journey_key == key]


def codes(organization) -> list[str]:
    with tenancy.scope(organization):
        made = AutomationRule.objects.filter(code__isnull=False)
        return sorted(made.values_list("code", flat=True))


def test_each_ready_rule_is_told_in_words_with_the_names_of_its_stages(client, ours):
    page = client.get(reverse(LIBRARY)).content.decode()

    assert "block “Retiro Ibiza 2025” in “Blocked”" in page
    assert "BLOCKED_HIGH_RISK" not in page
    assert "that you do not have yet" in page


def test_a_package_brings_its_journey_and_its_rules(client, ours):
    client.post(reverse(LIBRARY), {"act": "package:intake"})

    assert codes(ours.organization) == sorted(of("intake"))
    with tenancy.scope(ours.organization):
        assert JourneyTemplate.objects.filter(key="intake").count() == 1
        assert RuleVersion.objects.filter(rule__code="intake.risk_high").exists()
        limit = AutomationRule.objects.get(code="intake.awaiting_payment.reminder")
    assert limit.visits_from is not None


def test_the_same_click_twice_installs_once_and_touches_nothing(client, ours):
    for _ in range(2):
        client.post(reverse(LIBRARY), {"act": "package:intake"})

    assert codes(ours.organization) == sorted(of("intake"))


def test_one_rule_is_installed_alone(client, ours):
    with tenancy.scope(ours.organization):
        create_template(organization=ours.organization, blueprint=YOGA)

    client.post(reverse(LIBRARY), {"act": "rule:yoga_urban_om.booking_cancelled"})

    assert codes(ours.organization) == ["yoga_urban_om.booking_cancelled"]


@pytest.mark.parametrize(
    "act", ["", "x", "package:nothing", "rule:nothing", "rule:intake.risk_high"]
)
def test_what_is_no_offer_installs_nothing(client, ours, act):
    client.post(reverse(LIBRARY), {"act": act})

    assert codes(ours.organization) == []


def test_a_journey_that_is_no_archetype_any_more_takes_no_rule_by_half(client, ours):
    people.journey(ours.organization, "intake", "Otro intake", moves=())

    answer = client.post(reverse(LIBRARY), {"act": "package:intake"})

    assert answer.status_code == 200
    assert "block at high risk" in answer.content.decode()
    assert 'role="alert"' in answer.content.decode()
    assert codes(ours.organization) == []


@pytest.mark.parametrize("role", ["viewer", "therapist"])
def test_only_managers_install(ours, role):
    answer = logged_in(getattr(ours, role)).post(reverse(LIBRARY), {"act": "package:intake"})

    assert answer.status_code == 403
    assert codes(ours.organization) == []


def test_what_is_installed_belongs_to_ones_own_practice(ours, theirs):
    logged_in(theirs.manager).post(reverse(LIBRARY), {"act": "package:intake"})

    assert codes(ours.organization) == []
    assert codes(theirs.organization) == sorted(of("intake"))


def test_the_library_costs_the_same_however_much_is_installed(client, ours):
    few = queries(client, reverse(LIBRARY))
    client.post(reverse(LIBRARY), {"act": "package:intake"})
    client.post(reverse(LIBRARY), {"act": "package:retreat_ibiza_2025"})

    assert queries(client, reverse(LIBRARY)) == few <= 10


def test_a_rule_that_nobody_can_read_is_listed_all_the_same(client, ours):
    rule(ours.organization, "rara", "NOTHING_KNOWN", UNREADABLE)

    assert "Regla rara" in listed(client)
