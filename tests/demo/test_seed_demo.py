"""`seed_demo` makes the demo practices once, whole, and never touches them again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.utils import timezone

from automation.backtest import backtest
from automation.models import AutomationRule
from journeys.cause import by_user
from journeys.services.transitions import unblock
from kura import tenancy
from kura.accounts.models import Organization, User
from kura.demo import practices
from kura.demo.archetypes import RETREAT
from kura.demo.centro_sol import CENTRO_SOL
from kura.demo.management.commands import seed_demo
from kura.demo.practices import PASSWORD, make_practice
from patients.models import Patient

pytestmark = pytest.mark.django_db

HEARD = ("FORM_SUBMISSION_COMPLETED", "PAYMENT_SUCCEEDED", "RISK_ANALYSIS_COMPLETED")
JUST_AFTER_MIDNIGHT = datetime(2026, 1, 7, 0, 3, tzinfo=UTC)


@pytest.fixture(autouse=True)
def demo(settings):
    settings.DEMO = True


@pytest.fixture
def one_practice(monkeypatch):
    """The smaller one alone, where two would say no more."""
    monkeypatch.setattr(seed_demo, "PRACTICES", (CENTRO_SOL,))


def seed(*arguments: str) -> str:
    out = StringIO()
    call_command("seed_demo", *arguments, stdout=out)
    return out.getvalue()


def everything() -> dict[str, list[str]]:
    """Every row of every table, as text."""
    with tenancy.every_organization():
        return {
            model._meta.label: sorted(map(str, model._base_manager.values_list()))
            for model in apps.get_models()
        }


def test_the_first_run_says_what_it_made_and_the_second_changes_no_row(
    django_assert_max_num_queries,
):
    first = seed()
    made = everything()

    with django_assert_max_num_queries(6):  # a savepoint and one question a practice
        second = seed()

    assert "Clínica Om: made, 64 patients" in first
    assert "Centro Sol: made, 20 patients" in first
    assert second.count("there already") == 2
    assert everything() == made
    for said in (first, second):
        assert "laura@clinica-om.example (manager)" in said
        assert PASSWORD in said


def test_a_later_run_leaves_alone_what_a_user_changed(one_practice):
    seed()
    centre = Organization.objects.get(slug="centro-sol")
    ana = User.objects.get(email="ana@centro-sol.example")
    ana.set_password("another one")
    ana.save()
    with tenancy.scope(centre):
        blocked = Patient.objects.get(full_name="Gabriel Ordóñez")
        unblock(
            patient_id=blocked.pk,
            journey_key=RETREAT.key,
            cause=by_user(ana, reason_code="reviewed_safe", reason="Informe médico revisado."),
            to_stage="AWAITING_PAYMENT",
        )
        Patient.objects.get(full_name="William Hartley").delete()
    centre.slug = "centro-luna"
    centre.save()
    changed = everything()

    seed()

    assert everything() == changed


def test_a_run_that_was_killed_leaves_nothing_and_the_next_one_makes_all(one_practice, monkeypatch):
    def killed(*args, **kwargs):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(practices, "replay", killed)
        with pytest.raises(KeyboardInterrupt):
            seed()

    assert not Organization.objects.exists()
    assert not User.objects.exists()
    assert "Centro Sol: made, 20 patients" in seed()


def test_a_practice_can_be_made_just_after_midnight():
    assert make_practice(CENTRO_SOL, now=JUST_AFTER_MIDNIGHT)


def test_without_demo_it_refuses_in_words_and_makes_nothing(settings):
    settings.DEMO = False

    with pytest.raises(CommandError, match="KURA_DEMO is off") as refused:
        seed()

    assert refused.value.returncode != 0
    assert not Organization.objects.exists()
    assert not User.objects.exists()


def test_without_demo_it_can_be_insisted_on(settings, one_practice):
    settings.DEMO = False

    assert "Centro Sol: made" in seed("--yes-create-demo-logins")


def test_a_dry_run_can_judge_what_happened_in_the_demo(one_practice):
    """The facts of each event are those of its day: where people stood before it moved them."""
    seed()
    centre = Organization.objects.get(slug="centro-sol")
    now = timezone.now()
    with tenancy.scope(centre):
        rules = AutomationRule.objects.exclude(trigger_event="JOURNEY_STAGE_TIMEOUT")
        tried = [
            backtest(
                organization=centre, definition=rule.definition, published=rule,
                since=now - timedelta(days=365), until=now, now=now,
            )
            for rule in rules.filter(trigger_event__in=HEARD)
        ]  # fmt: skip

    assert sum(one.matched for one in tried) > 0
    assert sum(one.effects.would_move for one in tried) > 0
    assert sum(one.effects.unknown for one in tried) == 0
