"""The page of a patient that asks why they did not move."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from automation.services.rules import create_rule, set_active
from kura import tenancy
from patients.models import Patient
from tests.admin import people
from tests.admin.automated import CONFIRM, NOTE, process, tell
from tests.admin.conftest import Practice, logged_in

EURO = {"field": "event.payload.currency", "op": "eq", "value": "EUR"}
MUCH = {"field": "event.payload.amount_cents", "op": "gte", "value": 50000}


def make(ours: Practice, name: str, *actions: dict[str, Any], **fields: Any) -> Any:
    with tenancy.scope(ours.organization):
        definition = {
            "name": name, "trigger_event": "PAYMENT_SUCCEEDED", "journey_key": "retreat",
            "actions": list(actions) or [CONFIRM],
        } | fields  # fmt: skip
        return create_rule(organization=ours.organization, definition=definition, user=None)


def paid(ours: Practice, key: str = "paid", patient: Patient | None = None) -> Any:
    told = tell(patient or ours.patient, "PAYMENT_SUCCEEDED", key,
                {"currency": "USD", "amount_cents": 70000})  # fmt: skip
    process()
    return told


@pytest.fixture
def reader(ours: Practice) -> Client:
    return logged_in(people.person(ours.organization, "therapist", language="en"))


def url_of(patient: Patient, **asked: object) -> str:
    page = reverse("admin:patients_patient_whynot", args=[patient.pk])
    return page + ("?" + "&".join(f"{name}={value}" for name, value in asked.items()))


def read(client: Client, url: str) -> str:
    answer = client.get(url)
    assert answer.status_code == 200
    return answer.content.decode()


def words_of(page: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", page)).split())


def part(page: str, name: str) -> str:
    [found] = re.findall(
        rf'aria-labelledby="{name}[^"]*">(.*?)</(?:section|article)>', page, re.DOTALL
    )
    return words_of(found)


def test_the_rule_that_came_nearest_stands_on_top_with_expected_and_value(reader, ours):
    make(ours, "Confirmar en euros", conditions={"all": [EURO, MUCH]})
    event = paid(ours)

    page = read(reader, url_of(ours.patient))

    assert part(page, "nearest").startswith(
        "The rule that came nearest Confirmar en euros Not met "
        "1 condition was not met when “Payment received” happened. "
        "Expected: Currency is EUR It was: USD"
    )
    trace = reverse("admin:journeys_systemeventlog_change", args=[event.pk])
    assert re.search(rf'href="{trace}#run-[^"]+">See all its conditions', page)


def test_a_rule_that_came_nearest_to_a_block_says_so(reader, ours):
    block = {
        "type": "update_journey_status",
        "params": {"key": "retreat", "status": "BLOCKED"},
    }
    make(ours, "Bloquear en euros", block, conditions=EURO)
    paid(ours)

    told = part(read(reader, url_of(ours.patient)), "nearest")

    assert "It would not have moved the patient on but blocked: Retiro Om." in told


def test_each_event_names_the_rules_about_it_and_leads_to_its_trace(reader, ours):
    make(ours, "En euros", conditions=EURO)
    off = make(ours, "Dormida")
    with tenancy.scope(ours.organization):
        set_active(rule_id=off.pk, is_active=False, user=ours.manager)
    event = paid(ours)

    told = part(read(reader, url_of(ours.patient)), f"event-{event.pk}")

    assert told.startswith("Payment received ")
    assert re.search(
        r"Does not match En euros : Payment received, [^:]+:\d\d Expected: Currency is EUR; it",
        told,
    )
    assert re.search(r"Inactive Dormida It was switched off then, since [^.]+, by Manager Om", told)


def test_a_refusal_says_what_stood_in_the_way(reader, ours):
    told = part(
        read(reader, url_of(Patient.objects.get(pk=ours.blocked.patient_id))),
        f"event-{ours.automated.refused.pk}",
    )

    assert "Refused Regla confirma Om" in told
    assert "Move to “Confirmed” in “Retiro Om”: " in told
    assert "blocked" in told.lower()


@pytest.fixture(autouse=True)
def scope(ours: Practice):
    with tenancy.scope(ours.organization):
        yield


def test_what_the_journey_waits_for_stands_beside(reader, ours):
    make(ours, "Confirmar en euros", conditions=EURO)
    waits = people.patient(ours.organization, "Nueva")
    people.enrolled(waits, ours.template, "AWAITING_PAYMENT")

    beside = part(read(reader, url_of(waits)), "now-")

    assert beside.startswith("What Retiro Om waits for ")
    assert re.search(
        r"Rules that could move it on Regla confirma Om “payment received” happens in "
        r"“Retiro Om” → Confirmed [^→]+: payment received",
        beside,
    )
    assert "Confirmar en euros" in beside
    assert "What is missing For “Confirmed”: payment received" in beside
    assert re.search(r"When time is up Regla plazo Om .+ 0 of 1 · next one due", beside)


def test_a_blocked_journey_says_that_only_a_person_lifts_it(reader, ours):
    stuck = Patient.objects.get(pk=ours.blocked.patient_id)
    page = read(reader, url_of(stuck))

    assert "Nothing moves on until a therapist reviews it." in part(page, "now-")
    assert reverse("admin:journeys_enrollment_unblock", args=[ours.blocked.pk]) in page


def test_nothing_in_the_period_offers_a_longer_one(reader, ours):
    newcomer = Patient(organization=ours.organization, full_name="Nueva")
    Patient.objects.bulk_create([newcomer])  # nobody is told of it

    page = read(reader, url_of(newcomer))
    longest = read(reader, url_of(newcomer, days=365))

    assert "No event in the last 30 days." in page
    assert f'href="{url_of(newcomer, days=90)}">Try the last 90 days' in page
    assert "No event in the last 365 days." in longest
    assert "Try the last" not in longest
    assert "No journey is open: nothing is waited for." in page


def test_events_that_no_rule_listens_to_are_folded_and_still_lead_on(reader, ours):
    quiet = tell(ours.patient, "BOOKING_CONFIRMED", "quiet")
    process()

    page = read(reader, url_of(ours.patient))

    folded = page.partition("events that no rule listens to")[2]
    assert reverse("admin:journeys_systemeventlog_change", args=[quiet.pk]) in folded


def test_journey_and_period_are_chosen_by_links_and_anything_else_is_not_found(reader, ours):
    yoga = people.journey(ours.organization, key="yoga", name="Yoga")
    people.enrolled(ours.patient, yoga, "AWAITING_PAYMENT")

    page = read(reader, url_of(ours.patient, journey="yoga", days=90))

    assert (
        f'<a href="{url_of(ours.patient, journey="yoga", days=90)}" aria-current="true">Yoga'
        in (page.replace("&amp;", "&"))
    )
    assert f'href="{url_of(ours.patient, days=7)}"' in read(reader, url_of(ours.patient))
    assert "What Yoga waits for" in page
    assert "What Retiro Om waits for" not in page
    for asked in ("journey=nothing", "days=31", "days=x", "days=%00", "journey=%00"):
        assert reader.get(f"{url_of(ours.patient)}&{asked}").status_code == 404


def test_the_patients_page_leads_to_it_from_the_tabs_and_from_each_open_journey(reader, ours):
    page = read(reader, reverse("admin:patients_patient_change", args=[ours.patient.pk]))

    own = reverse("admin:patients_patient_whynot", args=[ours.patient.pk])
    assert re.search(rf'<a href="{own}"[^>]*>Why did it not move\?</a>', page)
    card = rf'href="{own}\?journey=retreat">Why did it not move\?<span class="visually-hidden"> \(R'
    assert re.search(card, page)


def test_values_and_contents_stay_hidden_from_who_may_not_see_them(ours):
    make(ours, "En euros", conditions=EURO)
    paid(ours)
    viewer = logged_in(people.person(ours.organization, "viewer", language="en"))

    page = read(viewer, url_of(ours.patient))

    assert "A condition that is hidden from you was not met." in page
    assert "USD" not in page
    assert "The rule that came nearest" not in page


def test_it_is_for_who_may_see_patients_events_and_runs(ours):
    clerk = people.person(ours.organization, "", "Clerk")
    clerk.user_permissions.add(Permission.objects.get(codename="view_patient"))
    client = logged_in(clerk)

    page = client.get(reverse("admin:patients_patient_change", args=[ours.patient.pk]))

    assert client.get(url_of(ours.patient)).status_code == 403
    assert "why-not" not in page.content.decode()


def test_a_patient_of_another_practice_is_as_unknown_as_nobody(ours, theirs):
    client = logged_in(theirs.manager)

    foreign = client.get(url_of(ours.patient))
    nobody = client.get(url_of(Patient(pk=ours.event.pk)))

    assert (foreign.status_code, nobody.status_code) == (404, 404)
    assert foreign.content == nobody.content.replace(
        str(ours.event.pk).encode(), str(ours.patient.pk).encode()
    )


def test_whose_data_were_erased_is_only_read(reader, ours):
    stuck = Patient.objects.get(pk=ours.blocked.patient_id)
    Patient.objects.filter(pk=stuck.pk).update(erased_at=timezone.now())

    page = read(reader, url_of(stuck))

    assert "data were erased" in page
    assert "/unblock/" not in page


def queries(client: Client, url: str) -> int:
    client.get(url)
    with CaptureQueriesContext(connection) as counted:
        assert client.get(url).status_code == 200
    return len(counted)


def test_it_asks_the_same_queries_however_much_happened(reader, ours):
    make(ours, "En euros", conditions=EURO)
    paid(ours)
    few = queries(reader, url_of(ours.patient))

    for number in range(8):
        make(ours, f"Regla {number}", NOTE, conditions=MUCH)
        make(ours, f"Otra {number}", conditions=EURO)
        paid(ours, f"more-{number}")
    tell(ours.patient, "BOOKING_CONFIRMED", "quiet")

    assert queries(reader, url_of(ours.patient)) == few
    assert few <= 36
