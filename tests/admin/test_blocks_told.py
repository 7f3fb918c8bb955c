"""Panel, list, patient's page and "why did it not move?" tell the same of a block."""

from __future__ import annotations

import re

import pytest
from django.urls import reverse
from django.utils.html import strip_tags

from automation.models import RuleVersion
from journeys.models import BlockReview
from kura import tenancy
from kura.accounts.models import User
from patients.models import Patient
from tests.admin import people
from tests.admin.automated import HIGH, process, rule, tell
from tests.admin.conftest import Practice, logged_in

BLOCK = {"type": "update_journey_status", "params": {"key": "retreat", "status": "BLOCKED"}}


@pytest.fixture
def held(ours: Practice) -> Patient:
    """Blocked by a rule that found a high risk."""
    someone = people.patient(ours.organization, "Pau Riera")
    people.enrolled(someone, ours.template, "AWAITING_PAYMENT")
    made = rule(
        ours.organization, "frena", "RISK_ANALYSIS_COMPLETED", BLOCK, conditions={"all": [HIGH]}
    )
    with tenancy.scope(ours.organization):
        assert RuleVersion.objects.filter(rule=made).exists()
    tell(someone, "RISK_ANALYSIS_COMPLETED", "risk-1", {"risk_level": "HIGH"})
    process()
    return someone


def keep(someone: Patient, reviewer: User) -> None:
    with tenancy.scope(someone.organization):
        enrollment = someone.enrollments.get()
        BlockReview.objects.create(
            organization=someone.organization,
            enrollment=enrollment,
            seq=enrollment.seq,
            reviewer=reviewer,
        )


def told(user: User, someone: Patient) -> dict[str, str]:
    """What the four places say, each in the part that is about this block."""
    client = logged_in(user)

    def read(url: str, begin: str, end: str) -> str:
        page = client.get(url).content.decode()
        parts = [part.split(end)[0] for part in page.split(begin)[1:]]
        about = [part for part in parts if someone.full_name in part] or parts[:1]
        return " ".join(strip_tags(f"<p {about[0]}").split())

    patient = [someone.pk]
    return {
        "panel": read(reverse("admin:index"), '<li class="decision"', "</li>"),
        "list": read(reverse("admin:patients_patient_changelist"), "<tr", "</tr>"),
        "chart": read(
            reverse("admin:patients_patient_change", args=patient),
            '<section class="banner chart-block"',
            "</section>",
        ),
        "why_not": read(
            reverse("admin:patients_patient_whynot", args=patient),
            '<section class="card" aria-labelledby="now-',
            "</section>",
        ),
    }


KEPT = re.compile(r"Manager Om lo revisó y mantuvo el bloqueo hoy a las \d\d:\d\d")


def test_who_kept_the_block_is_named_everywhere_and_nothing_says_unreviewed(ours, held):
    before = told(ours.therapist, held)
    keep(held, ours.manager)
    after = told(ours.therapist, held)

    assert not any(KEPT.search(words) for words in before.values())
    assert {place: bool(KEPT.search(words)) for place, words in after.items()} == dict.fromkeys(
        after, True
    )
    for place in ("chart", "why_not"):
        assert "hasta que una terapeuta lo revise" in before[place]
        assert "hasta que una terapeuta lo levante" in after[place]


def test_the_reason_is_what_the_rule_found_in_the_same_words(ours, held):
    places = told(ours.therapist, held)

    for place in ("panel", "list", "chart"):
        assert "riesgo alto" in places[place]
        assert "Regla frena" not in places[place] or place == "chart"


def test_who_may_not_read_events_is_told_the_rule(ours, held):
    places = told(ours.viewer, held)

    for place in ("panel", "list", "chart"):
        assert "riesgo alto" not in places[place]
        assert "Regla frena" in places[place]
