"""The two logs as files: filtered, of one practice, in pieces, with a trace of who took them."""

from __future__ import annotations

import csv
import io
import tracemalloc

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from kura import tenancy
from kura.accounts import exporting
from kura.accounts.exporting import EXPORTED
from kura.accounts.models import User
from tests.admin import people
from tests.admin.automated import process, rule, tell
from tests.admin.conftest import logged_in
from tests.sizes import sized

LOG = "/admin/journeys/journeylog/"
EVENTS = "/admin/journeys/systemeventlog/"
MEMORY = 24 * 1024 * 1024  # bytes; 100,000 rows as text alone are more


def table(client: Client, url: str, query: str = "") -> list[dict[str, str]]:
    response = client.get(f"{url}export/{query}")
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    text = b"".join(response).decode("utf-8")
    assert text.startswith("\ufeff")
    return list(csv.DictReader(io.StringIO(text[1:], newline=""), delimiter=";"))


@pytest.fixture
def client(ours):
    return logged_in(ours.manager)


def columns(rows: list[dict[str, str]]) -> list[list[str]]:
    return [list(row.values()) for row in rows]


@pytest.mark.parametrize("url", [LOG, EVENTS])
def test_a_file_has_the_lines_of_the_list_and_no_others(ours, theirs, client, url):
    listed = client.get(url, {"all": ""}).context["cl"]

    rows = table(client, url)

    assert len(rows) == listed.result_count
    assert "FOREIGN" not in str(rows)
    assert "Marta Om" in str(rows)


@pytest.mark.parametrize(
    ("url", "query"),
    [(LOG, "?actor=user"), (LOG, "?journey=retreat&actor=system"), (LOG, "?days=7"),
     (EVENTS, "?state=dead"), (EVENTS, "?event=PAYMENT_SUCCEEDED"), (EVENTS, "?days=1")],
)  # fmt: skip
def test_a_file_follows_the_filters_of_the_list(ours, client, url, query):
    listed = client.get(url + query).context["cl"].result_count

    rows = table(client, url, query)

    assert len(rows) == listed
    assert query in client.get(url + query).content.decode().replace("&amp;", "&")
    assert f"{url}export/{query}" in client.get(url + query).content.decode().replace("&amp;", "&")


@pytest.mark.parametrize("query", ["?actor=nobody", "?nonsense=1", "?days=x", "?journey=%00"])
def test_a_filter_that_makes_no_sense_exports_nothing(ours, client, query):
    response = client.get(f"{LOG}export/{query}")

    assert (response.status_code, response["Location"]) == (302, f"{LOG}?e=1")
    assert not LogEntry.objects.filter(action_flag=EXPORTED).exists()


def test_a_line_says_what_happened_in_words_and_leads_to_its_cause(ours, client):
    [first] = columns(table(client, EVENTS, "?state=dead"))
    moves = columns(table(client, LOG, "?actor=user"))

    assert first[-2].endswith(f"{EVENTS}{ours.automated.dead.pk}/change/")
    assert "Cuestionario enviado" in moves[0]
    assert "Therapist Om" in moves[0]
    assert "Interesada en la salida" in moves[0]
    assert "AWAITING" not in str(moves)


def test_a_move_names_its_rule_and_links_to_the_event_that_caused_it(ours, client):
    move = {"type": "update_journey_status",
            "params": {"key": "retreat", "status": "AWAITING_SCREENING"}}  # fmt: skip
    rule(ours.organization, "mueve", "RISK_ANALYSIS_COMPLETED", move, journey_key="retreat")
    event = tell(ours.patient, "RISK_ANALYSIS_COMPLETED", "moved", {"risk_level": "LOW"})
    process()

    rows = columns(table(client, LOG, "?actor=rule"))
    page = client.get(LOG, {"actor": "rule"}).content.decode()
    after = client.get(EVENTS, {"event": "JOURNEY_STAGE_CHANGED"}).content.decode()

    assert [row[-1] for row in rows] == [f"http://testserver{EVENTS}{event.pk}/change/"]
    assert "Regla mueve" in str(rows)
    assert "Regla mueve" in page
    assert f'href="{EVENTS}{event.pk}/change/"' in page
    assert f'href="{EVENTS}{event.pk}/change/"' in after


def test_what_somebody_typed_is_no_formula_in_a_file(ours, client):
    someone = people.patient(ours.organization, "=HYPERLINK(1)", external_id="+49")
    people.enrolled(someone, ours.template)

    [row] = [row for row in columns(table(client, LOG)) if "HYPERLINK" in str(row)]

    assert "'=HYPERLINK(1)" in row
    assert "'+49" in row


def test_times_are_on_the_practices_clock(ours, client):
    ours.organization.timezone = "Atlantic/Canary"
    ours.organization.save()

    rows = table(logged_in(User.objects.get(pk=ours.manager.pk)), LOG)

    assert any("Atlantic/Canary" in title for title in rows[0])


@pytest.mark.parametrize("url", [LOG, EVENTS])
def test_who_took_what_and_how_much_is_kept(ours, client, url):
    rows = table(client, url, "?days=30")

    entry = LogEntry.objects.get(action_flag=EXPORTED)
    assert entry.user == ours.manager
    assert entry.change_message == f"{len(rows)} rows days=30"
    assert entry.content_type.model == url.split("/")[-2]


def test_a_file_that_was_broken_off_leaves_its_trace_too(ours, client):
    response = client.get(f"{LOG}export/")
    next(iter(response))

    assert LogEntry.objects.filter(action_flag=EXPORTED, user=ours.manager).count() == 1


def test_nothing_of_the_practice_stays_in_the_thread_while_a_file_is_sent(ours, client):
    pieces = iter(client.get(f"{LOG}export/"))
    next(pieces)

    with pytest.raises(tenancy.TenantScopeMissing):
        tenancy.organization_in_scope()


def test_platform_staff_gets_the_lines_of_all_practices(ours, theirs):
    staff = logged_in(people.person(None, "", is_superuser=True))

    assert {"Marta Om", "Marta FOREIGN"} <= {
        cell for row in columns(table(staff, LOG)) for cell in row
    }


@pytest.mark.parametrize("url", [LOG, EVENTS])
def test_number_of_queries_does_not_grow_with_the_rows(ours, client, url, monkeypatch):
    monkeypatch.setattr(exporting, "ROWS_READ", 5)
    table(client, url)  # what Django reads once in a process
    few = counted(client, url)

    for number in range(12):
        someone = people.patient(ours.organization, f"Persona {number}", therapist=ours.manager)
        people.enrolled(someone, ours.template, "AWAITING_PAYMENT", by=ours.manager)
        people.event(someone, journey_key="retreat")

    assert counted(client, url) <= few <= 20


def counted(client: Client, url: str) -> int:
    with CaptureQueriesContext(connection) as queries:
        table(client, url)
    return len(queries)


@pytest.mark.parametrize("verb", ["post", "put", "delete"])
@pytest.mark.parametrize("tail", ["add/", "{pk}/change/", "{pk}/delete/", ""])
def test_no_url_of_a_log_writes(ours, client, verb, tail):
    for url, pk in ((LOG, ours.log.pk), (EVENTS, ours.event.pk)):
        before = len(table(client, url))
        client.generic(verb.upper(), url + tail.format(pk=pk))
        assert len(table(client, url)) == before


@pytest.mark.soak
def test_memory_is_bounded_however_long_the_log_is(ours, client):
    number = sized(reduced=6_000, full=100_000)
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO system_events (id, organization_id, event_type, patient_id, source,"
            " idempotency_key, occurred_at, depth)"
            " SELECT gen_random_uuid(), %s, 'PAYMENT_SUCCEEDED', %s, 'stripe', n::text, now(), 0"
            " FROM generate_series(1, %s) n",
            [ours.organization.pk, ours.patient.pk, number],
        )
    response = client.get(f"{EVENTS}export/")

    tracemalloc.start()
    lines = sum(piece.count(b"\r\n") for piece in response)
    _now, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert lines > number
    assert peak < MEMORY


def test_the_link_is_there_for_those_who_may(ours):
    url = reverse("admin:journeys_journeylog_export")

    assert url in logged_in(ours.therapist).get(LOG).content.decode()
    assert url not in logged_in(ours.viewer).get(LOG).content.decode()
