"""The dry run on its page and as a card: numbers in words, every state, and nobody's secrets."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone, translation

from automation import backtest as engine
from automation.admin import dry_runs
from automation.admin.dry_runs import dry_run_card
from automation.backtest import digest_of
from automation.intake import Subject, record_event
from automation.models import AutomationRule, RuleRun
from automation.services.rules import save_draft
from kura import tenancy
from tests.admin import people
from tests.admin.automated import CLINIC, HIGH, NOTE, STAGE, WAIT, process, rule, tell
from tests.admin.conftest import logged_in
from tests.api.test_rehearsals import everything

RISK = "RISK_ANALYSIS_COMPLETED"


@pytest.fixture
def manager(ours):
    return people.person(ours.organization, "manager", "Eva Ruiz", language="en")


@pytest.fixture
def client(manager) -> Client:
    return logged_in(manager)


def url(one: AutomationRule, **asked: object) -> str:
    page = reverse("admin:automation_automationrule_dryrun", args=[one.pk])
    return page + "?" + "&".join(f"{name}={value}" for name, value in asked.items())


def words(answer) -> str:
    """The card as it is read."""
    text = answer.content.decode()
    card = text[text.index('id="dry-run"') : text.index("</section>", text.index('id="dry-run"'))]
    return " ".join(card.replace("<b>", "").replace("</b>", "").split())


def drafted(one: AutomationRule, **changes: object) -> AutomationRule:
    with tenancy.every_organization():
        return save_draft(rule_id=one.pk, definition={**one.definition, **changes})


# --- results --------------------------------------------------------------------------------------


def test_it_says_how_many_of_how_many_and_shows_them(client, ours):
    tell(ours.patient, RISK, "low", {"risk_level": "LOW"})
    process()

    page = words(client.get(url(ours.automated.rule, days=30)))

    assert "1 of 2 events would have set it off" in page
    assert "1 patient." in page
    assert "With the published version (1): 1. The same ones." in page
    assert "Risk level: high" in page
    assert "Expected: risk level is high; it was: low" in page
    assert str(ours.patient) in page
    assert reverse("admin:journeys_systemeventlog_change", args=[ours.automated.ran.pk]) in page


def test_each_group_has_a_bar_with_its_number_in_words(client, ours):
    groups = {
        "any": [{"all": [HIGH, STAGE]}, {"field": "patient.email", "op": "exists", "value": True}]
    }
    draft = drafted(ours.automated.rule, conditions=groups)

    page = words(client.get(url(draft, days=30)))

    assert "Group 1: risk level is high and" in page.replace("<span>", "").lower().replace(
        "group", "Group"
    )
    assert 'aria-label="1 of 1"' in page
    assert 'width="100.00"' in page
    assert "At least one group is met" in page


def test_the_draft_is_tried_unless_the_published_version_is_asked_for(client, ours):
    draft = drafted(ours.automated.rule, conditions={**HIGH, "value": "LOW"})

    of_draft = words(client.get(url(draft, days=30)))
    of_published = words(client.get(url(draft, days=30, version="published")))

    assert "0 of 1 event would have set it off" in of_draft
    assert "No longer: 1 (patients: 1)." in of_draft
    assert "No longer; version 1 ran. Expected: risk level is low; it was: high" in of_draft
    assert "1 of 1 event would have set it off" in of_published


def test_what_would_be_refused_is_told_with_its_reason(client, ours):
    confirms = RuleRun.objects.filter(event=ours.automated.refused)
    with tenancy.every_organization():
        one = confirms.get().rule

    page = words(client.get(url(one, days=30)))

    assert "would be refused: 1" in page
    assert "The journey is blocked. Only a person may lift the block. (1)" in page


def test_a_time_out_says_whom_it_would_remind_now(client, ours):
    late = rule(ours.organization, "Om", "JOURNEY_STAGE_TIMEOUT", NOTE, **WAIT)

    page = words(client.get(url(late, days=30)))

    assert "1 person would be reminded now" in page
    assert "Past the limit: 1." in page
    assert str(ours.patient) in page
    assert "<select" not in page
    assert reverse("admin:patients_patient_change", args=[ours.patient.pk]) in page


# --- states ---------------------------------------------------------------------------------------


def test_nothing_is_tried_before_it_is_asked_for(client, ours):
    page = words(client.get(url(ours.automated.rule)))

    assert "would have set it off" not in page
    assert "Last 30 days" in page


@pytest.mark.parametrize("days", ["31", "0", "-30", "1e3", "", "thirty", "365%00"])
def test_a_period_that_is_none_tries_nothing(client, ours, days):
    answer = client.get(url(ours.automated.rule, days=days))

    assert answer.status_code == 200
    assert "would have set it off" not in words(answer)


@pytest.mark.parametrize(
    ("days", "told"),
    [(30, "No event in 30 days. Try 90."), (90, "No event in 90 days. Try 365."),
     (365, "No event in 365 days. </p>")],
)  # fmt: skip
def test_an_empty_period_proposes_a_longer_one(client, ours, days, told):
    quiet = rule(ours.organization, "Om", "CUSTOM.never", NOTE)

    assert told in words(client.get(url(quiet, days=days))).replace("days.</p>", "days. </p>")


def test_nobody_past_the_limit_is_said_in_words(client, ours):
    early = rule(
        ours.organization, "Om", "JOURNEY_STAGE_TIMEOUT", NOTE, **(WAIT | {"max_hours": 9999})
    )

    page = words(client.get(url(early, days=30)))

    assert "nobody would be reminded now" in page


def test_a_part_is_called_a_part(client, ours, monkeypatch):
    for number in range(3):
        tell(ours.patient, RISK, f"more-{number}", {"risk_level": "LOW"})
    monkeypatch.setattr(dry_runs, "backtest", lambda **asked: engine.backtest(**asked, most=2))

    page = words(client.get(url(ours.automated.rule, days=30)))

    assert "Partial." in page
    assert "Only the newest 2 of 4 were looked at." in page


def test_no_time_at_all_is_said_and_the_page_stays(client, ours, monkeypatch):
    monkeypatch.setattr(dry_runs, "backtest", lambda **asked: engine.backtest(**asked, seconds=-1))

    answer = client.get(url(ours.automated.rule, days=365))

    assert answer.status_code == 200
    assert "There was not enough time to try this rule." in words(answer)


def test_a_draft_with_problems_says_which(client, ours):
    draft = drafted(ours.automated.rule, actions=[])

    answer = client.get(url(draft, days=30))

    assert answer.status_code == 200
    assert "1 problem has to be corrected first." in words(answer)


def test_a_problem_names_its_field_and_leads_who_may_edit_to_it(client, ours):
    unfit = {"field": "event.payload.risk_level", "op": "eq", "value": "NONE"}
    one = drafted(ours.automated.rule, conditions={"all": [HIGH, unfit]})
    page = url(one, days=30)
    edit = reverse("admin:automation_automationrule_edit", args=[one.pk])
    viewer = logged_in(people.person(ours.organization, "viewer", language="en"))

    assert f'<a href="{edit}#id_g-0-1-value">Condition 1.2 (Value)</a>: ' in words(client.get(page))
    told = viewer.get(page).content.decode()
    assert "<b>Condition 1.2 (Value)</b>: " in told
    assert edit not in told


@pytest.mark.parametrize("draft", [[], "x", 5, {}, {"trigger_event": []}, {"conditions": 3}])
def test_a_draft_that_is_no_rule_at_all_breaks_nothing(client, ours, draft):
    with tenancy.every_organization():
        AutomationRule.objects.filter(pk=ours.automated.rule.pk).update(draft=draft)

    assert client.get(url(ours.automated.rule, days=30)).status_code == 200


def test_nothing_is_written_by_looking(client, ours):
    client.get(url(ours.automated.rule, days=30))
    before = everything()

    client.get(url(ours.automated.rule, days=365))

    assert everything() == before


# --- as a card of an editor -----------------------------------------------------------------------


def card(ours, manager, definition, *, days=None, **posted):
    request = RequestFactory().post("/", posted)
    request.user = manager
    with tenancy.scope(ours.organization), translation.override("en"):
        return dry_run_card(
            request,
            organization=ours.organization,
            definition=definition,
            published=ours.automated.rule,
            days=days,
            post_to="/edit/",
        )


def test_the_card_in_a_form_has_no_form_of_its_own(ours, manager):
    text = card(ours, manager, ours.automated.rule.definition, days=30)

    assert "<form" not in text
    assert 'name="dry_run" value="1"' in text
    assert 'hx-post="/edit/"' in text
    assert "1</b> of <b>1</b> event" in text


def test_a_result_names_what_was_tried_and_an_old_one_says_so(ours, manager):
    definition = ours.automated.rule.definition
    digest = digest_of(definition)
    stale = '<p id="dry-run-stale">'

    assert f'name="dry_run_of" value="{digest}"' in card(ours, manager, definition, days=30)
    assert stale not in card(ours, manager, definition, dry_run_of=digest)
    changed = {**definition, "conditions": HIGH}
    assert stale in card(ours, manager, changed, dry_run_of=digest)
    assert stale in card(ours, manager, {}, dry_run_of=digest)
    assert stale not in card(ours, manager, changed, days=30, dry_run_of=digest)


def test_a_new_rule_is_tried_without_a_version_to_compare(ours, manager):
    request = RequestFactory().get("/")
    request.user = manager
    with tenancy.scope(ours.organization), translation.override("en"):
        text = dry_run_card(
            request, organization=ours.organization, definition=ours.automated.rule.definition,
            published=None, days=30,
        )  # fmt: skip

    assert "With the published version" not in text


# --- who sees what --------------------------------------------------------------------------------


def test_a_viewer_sees_numbers_and_neither_contents_nor_people(ours):
    ours.viewer.language = "en"
    ours.viewer.save()

    page = words(logged_in(ours.viewer).get(url(ours.automated.rule, days=30)))

    assert "1 of 1 event would have set it off" in page
    assert "hidden from you" in page
    assert str(ours.patient) not in page
    assert "Risk level" not in page


def test_a_viewer_sees_the_people_of_a_rule_that_asks_nothing_secret(ours):
    ours.viewer.language = "en"
    ours.viewer.save()
    plain = rule(ours.organization, "Om", RISK, NOTE, conditions=STAGE)

    page = words(logged_in(ours.viewer).get(url(plain, days=30)))

    assert str(ours.patient) in page


def test_another_practices_events_count_for_nothing(client, ours, theirs):
    before = words(client.get(url(ours.automated.rule, days=365)))

    tell(theirs.patient, RISK, "more", {"risk_level": "HIGH"})

    assert words(client.get(url(ours.automated.rule, days=365))) == before


@pytest.mark.parametrize("more", [0, 20])
def test_the_page_costs_as_many_queries_for_one_event_as_for_many(client, ours, more):
    for number in range(more):
        tell(ours.patient, RISK, f"m-{number}", {"risk_level": "HIGH"})
    client.get(url(ours.automated.rule, days=30))

    with CaptureQueriesContext(connection) as queries:
        client.get(url(ours.automated.rule, days=30))

    assert len(queries) == 16, [one["sql"] for one in queries]


def test_an_old_event_is_out_of_the_period(client, ours):
    when = timezone.now() - timedelta(days=45)
    old = rule(ours.organization, "Om", "CUSTOM.old", NOTE)
    with tenancy.scope(ours.organization):
        record_event(
            organization=ours.organization, event_type="CUSTOM.old", source=CLINIC,
            idempotency_key="old", subject=Subject(id=ours.patient.pk), occurred_at=when,
        )  # fmt: skip

    assert "No event in 30 days." in words(client.get(url(old, days=30)))
    assert "1 of 1 event would have set it off" in words(client.get(url(old, days=90)))


def test_the_rule_page_leads_here_for_everybody_who_reads_it(ours):
    page = reverse("admin:automation_automationrule_change", args=[ours.automated.rule.pk])

    assert url(ours.automated.rule, days=30) in logged_in(ours.viewer).get(page).content.decode()
