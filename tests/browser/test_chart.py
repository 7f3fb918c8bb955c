"""The patient's page in a browser: narrow and wide, with much on it, and without scripts."""

from __future__ import annotations

import pytest
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Page

from journeys.models import BlockReview
from kura import tenancy
from patients.models import Patient
from tests.admin import people
from tests.admin.automated import message
from tests.browser.test_every_page import THEMES, overflow, violations, watch

pytestmark = pytest.mark.browser


def url_of(patient: Patient, query: str = "") -> str:
    return reverse("admin:patients_patient_change", args=[patient.pk]) + query


def much(ours) -> Patient:
    """A long name, a block, a repeated enrollment, a review, messages, two pages of moves."""
    someone = people.patient(ours.organization, "Ñ" * 120, email=f"{'n' * 60}@example.org")
    yoga = people.journey(ours.organization, "yoga", "Yoga " + "larguísimo" * 9, moves=())
    people.enrolled(someone, yoga, "COMPLETED", days_ago=90)
    people.enrolled(someone, yoga, *["CONFIRMED", "AWAITING_PAYMENT"] * 12, days_ago=60)
    blocked = people.enrolled(someone, ours.template, "AWAITING_PAYMENT", "BLOCKED")
    with tenancy.scope(ours.organization):
        message(people.event(someone), ours.automated.rule, "a" * 90, state="failed")
        BlockReview.objects.create(
            organization=ours.organization, enrollment=blocked, seq=blocked.seq,
            reviewer=ours.therapist, note="x" * 300,
        )  # fmt: skip
    return someone


def is_vertical(page: Page) -> bool:
    first, second = page.locator(".steps").first.locator("li").all()[:2]
    return second.bounding_box()["y"] > first.bounding_box()["y"]


@THEMES
@pytest.mark.parametrize(("width", "vertical"), [(1320, False), (390, True), (320, True)])
def test_much_fits_and_is_accessible(open_page, ours, theme, width, vertical):
    someone = much(ours)
    page = open_page(ours.manager, width=width, color_scheme=theme)
    complaints = watch(page)

    page.goto(url_of(someone))
    for summary in page.locator("details summary").all():
        summary.click()
    told = list(complaints)

    assert told == []
    assert overflow(page) <= 0
    assert is_vertical(page) is vertical
    assert violations(page) == []


@pytest.mark.parametrize("state", ["erased", "empty"])
def test_little_is_accessible(open_page, ours, state):
    someone = ours.patient if state == "erased" else people.patient(ours.organization, "Lía")
    if state == "erased":
        with tenancy.scope(ours.organization):
            Patient.objects.filter(pk=someone.pk).update(erased_at=timezone.now())
    page = open_page(ours.manager, width=390)

    page.goto(url_of(someone))

    assert violations(page) == []
    assert page.locator("main a[data-dialog]").count() == (0 if state == "erased" else 2)


def test_without_scripts_the_history_is_narrowed_and_turned_and_a_block_reviewed(open_page, ours):
    someone = much(ours)
    page = open_page(ours.manager, java_script_enabled=False)
    page.goto(url_of(someone))

    page.click(".history-filter li:last-child a")
    narrowed = page.locator(".timeline > li").count()
    page.click(".history-pages a")
    turned = page.locator(".timeline > li").count()
    page.click(".chart-block a.warn")

    assert (narrowed, turned) == (20, 7)
    assert page.url.endswith("/unblock/")
