"""Search, filters, languages, query counts, error pages."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from kura.accounts.models import User
from tests.admin import people
from tests.admin.conftest import logged_in, text_of
from tests.admin.test_permissions import TABLE, url_of

OWN_STATIC = Path(settings.BASE_DIR, "kura", "admin", "static")


def listed(client: Client, query: str) -> list[str]:
    response = client.get(f"{reverse('admin:patients_patient_changelist')}?{query}")
    return [row.full_name for row in response.context["cl"].result_list]


# --- search and filters -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("nunez", True),
        ("ÁLVARO núñez", True),
        ("alv nun", True),
        ("alvaro@example", True),
        ("+34 600 11", True),
        ("60011", True),
        ("(600)", True),
        ("EXT-7", True),
        ("alvaro perez", False),
        ("%", False),
        ("_", False),
    ],
)
def test_search_finds_every_word_without_accents(ours, typed, found):
    people.patient(ours.organization, "Álvaro Núñez", email="alvaro@example.org",
                   phone="+34 600-11-22", external_id="ext-7")  # fmt: skip

    client = logged_in(ours.viewer)
    response = client.get(reverse("admin:patients_patient_changelist"), {"q": typed})

    names = [row.full_name for row in response.context["cl"].result_list]
    assert ("Álvaro Núñez" in names) is found


def test_who_needs_a_person_comes_first_and_the_others_by_name(ours):
    for name in ("Zoe", "ángela", "Ñíguez", "Oscar"):
        people.patient(ours.organization, name)

    assert listed(logged_in(ours.viewer), "") == [
        "Nuria Om", "Marta Om", "ángela", "Ñíguez", "Oscar", "Zoe",
    ]  # fmt: skip


def test_journey_stage_and_status_describe_one_enrollment(ours):
    yoga = people.journey(ours.organization, "yoga", "Yoga", moves=())
    people.enrolled(ours.blocked.patient, yoga, "COMPLETED")
    client = logged_in(ours.viewer)

    assert listed(client, "status=blocked") == ["Nuria Om"]
    assert listed(client, "journey=retreat&stage=AWAITING_PAYMENT") == ["Marta Om"]
    assert listed(client, "journey=yoga&status=blocked") == []
    assert listed(client, "therapist=none") == ["Nuria Om"]


@pytest.mark.parametrize("query", ["journey=%00", "stage=x", "therapist=1", "status=%27", "p=99"])
def test_a_nonsense_filter_is_no_server_error(ours, query):
    url = f"{reverse('admin:patients_patient_changelist')}?{query}"

    assert logged_in(ours.viewer).get(url).status_code in {200, 302}


# --- queries ----------------------------------------------------------------------------------


def queries(client: Client, url: str) -> int:
    client.get(url)
    with CaptureQueriesContext(
        connection,
    ) as counted:
        assert client.get(url).status_code == 200
    return len(counted)


MOST_QUERIES = {
    "patients_patient_changelist": 9,
    "patients_patient_change": 11,
    "journeys_enrollment_changelist": 9,
    "journeys_journeylog_changelist": 11,
    "journeys_systemeventlog_changelist": 11,
    "journeys_journeytemplate_changelist": 8,
    "journeys_journeytemplate_change": 8,
    "journeys_journeytemplate_edit": 8,
    "journeys_journeytemplate_switch": 7,
    "journeys_journeytemplate_export": 7,
    "accounts_user_changelist": 8,
}


def test_number_of_queries_does_not_grow_with_the_rows(ours):
    client = logged_in(ours.manager)
    urls = {name: url_of(name, ours) for name in MOST_QUERIES}
    few = {name: queries(client, url) for name, url in urls.items()}

    for number in range(12):
        someone = people.patient(ours.organization, f"Persona {number}", therapist=ours.manager)
        people.enrolled(someone, ours.template, "AWAITING_PAYMENT", by=ours.manager)
        people.event(someone, journey_key="retreat")
        people.person(ours.organization, "viewer")
    people.enrolled(ours.patient, people.journey(ours.organization, "yoga", "Yoga", moves=()))

    assert {name: queries(client, url) for name, url in urls.items()} == few
    assert not {name: number for name, number in few.items() if number > MOST_QUERIES[name]}


# --- languages --------------------------------------------------------------------------------


def test_login_is_spanish_by_default_whatever_the_browser_prefers(db):
    response = Client().get(reverse("admin:login"), headers={"accept-language": "en-US,en"})

    assert "Correo electrónico" in response.content.decode()
    assert response["Content-Language"] == "es"


@pytest.mark.parametrize(("demo", "shown"), [(True, True), (False, False)])
def test_the_demo_log_in_is_shown_in_the_demo_only(db, settings, demo, shown):
    settings.DEMO = demo

    page = Client().get(reverse("admin:login")).content.decode()

    assert ("kura-demo" in page) is shown


def test_choosing_a_language_keeps_it_with_the_person(ours):
    client = logged_in(ours.viewer)
    here = reverse("admin:patients_patient_changelist")

    response = client.post(reverse("admin:language"), {"language": "en", "next": here}, follow=True)

    assert response.redirect_chain[0][0] == here
    assert User.objects.get(pk=ours.viewer.pk).language == "en"
    assert "Awaiting payment" in response.content.decode()


def test_language_leads_only_to_our_own_pages(ours):
    response = logged_in(ours.viewer).post(
        reverse("admin:language"), {"language": "en", "next": "https://elsewhere.example/"}
    )

    assert response["Location"] == reverse("admin:index")
    assert Client().post(reverse("admin:language"), {"language": "xx"}).status_code == 400


@pytest.mark.parametrize("theme", ["auto", "light", "dark"])
def test_the_theme_stands_in_the_first_tag_and_stays_with_the_person(ours, theme):
    here = reverse("admin:patients_patient_changelist")

    response = logged_in(ours.viewer).post(reverse("admin:theme"), {"theme": theme, "next": here})
    elsewhere = logged_in(User.objects.get(pk=ours.viewer.pk))

    assert response["Location"] == here
    for url in (here, "/admin/nothing/"):
        first = re.search(r"<html[^>]*>", elsewhere.get(url).content.decode())
        assert f'data-theme="{theme}"' in first[0], url


def test_the_theme_of_nobody_is_a_cookie(db):
    client = Client()
    client.post(reverse("admin:theme"), {"theme": "dark"})

    page = client.get(reverse("admin:login")).content.decode()

    assert 'data-theme="dark"' in page
    assert client.post(reverse("admin:theme"), {"theme": "pink"}).status_code == 400
    client.cookies["kura_theme"] = '"><script>'
    assert 'data-theme="auto"' in client.get(reverse("admin:login")).content.decode()


def test_htmx_gets_the_next_button_and_no_other_page(ours):
    here = reverse("admin:patients_patient_changelist")

    response = logged_in(ours.viewer).post(
        reverse("admin:theme"), {"theme": "light", "next": here}, headers={"HX-Request": "true"}
    )

    button = response.content.decode()
    assert "HX-Redirect" not in response.headers
    assert button.strip().startswith('<form class="theme"')
    assert 'name="theme" value="dark"' in button
    assert f'value="{here}"' in button


def test_our_own_scripts_have_fewer_than_sixty_lines():
    scripts = [one for one in OWN_STATIC.rglob("*.js") if "vendor" not in one.parts]
    text = re.sub(r"/\*.*?\*/", "", "\n".join(map(Path.read_text, scripts)), flags=re.DOTALL)

    lines = [line for line in text.splitlines() if line.strip()]

    assert [one.name for one in scripts] == ["kura.js"]
    assert len(lines) < 60


def test_the_button_leads_round_all_themes(ours):
    client = logged_in(ours.viewer)
    here = reverse("admin:index")

    seen = []
    for _ in range(3):
        seen.append(client.get(here).context["theme"])
        client.post(reverse("admin:theme"), {"theme": client.get(here).context["next_theme"]})

    assert seen == ["auto", "light", "dark"]


@pytest.mark.parametrize(
    ("language", "words"), [("es", "Página no encontrada"), ("en", "Page not found")]
)
def test_error_pages_speak_the_readers_language(ours, language, words):
    User.objects.filter(pk=ours.viewer.pk).update(language=language)

    response = logged_in(User.objects.get(pk=ours.viewer.pk)).get("/admin/nothing/")

    assert response.status_code == 404
    assert words in response.content.decode()


PLACEHOLDER = re.compile(r"\{[a-z_.]+\}")  # what a text of a rule may name, as it is written
ENGLISH = re.compile(
    r"\b(the|and|stage|patient|enrollment|history|save|add|search|change|move|reason|since)\b",
    re.IGNORECASE,
)


SPANISH = re.compile(
    r"\b(paciente|pacientes|etapa|guardar|añadir|buscar|desde|motivo|inscribir|mover|historial|"
    r"aún|también|ningun[oa]?|terapeuta|puedes)\b",
    re.IGNORECASE,
)


def visible_text(page: str) -> str:
    page = re.sub(r"<(script|style|svg)\b.*?</\1>", " ", page, flags=re.DOTALL)
    return re.sub(r"<[^>]+>", " ", page)


@pytest.mark.parametrize("language", ["es", "en"])
def test_no_page_shows_a_raw_code_or_a_word_of_the_other_language(ours, language):
    User.objects.filter(pk=ours.manager.pk).update(language=language)
    client = logged_in(User.objects.get(pk=ours.manager.pk))

    for name in TABLE:
        response = client.get(url_of(name, ours))
        is_page = response.headers.get("Content-Type", "").startswith("text/html")
        if response.status_code != 200 or not is_page:
            continue
        text = visible_text(response.content.decode())
        assert not re.findall(r"\b[A-Z]{3,}_[A-Z_]+\b|PAYMENT|BLOCKED\b", text), name
        if language == "es":
            said = PLACEHOLDER.sub("", text.replace("Europe/Madrid", ""))
            assert not ENGLISH.findall(said), (name, ENGLISH.findall(said))
        else:
            assert not SPANISH.findall(text), (name, SPANISH.findall(text))


def test_the_policy_allows_no_inline_style_or_script_anywhere(ours):
    client = logged_in(ours.manager)

    for name in TABLE:
        response = client.get(url_of(name, ours))
        policy = response.headers.get("Content-Security-Policy", "")
        page = text_of(response)
        assert "style-src 'self'" in policy, name
        assert "unsafe" not in policy, name
        assert not re.search(r"<[a-z]+[^>]*\s(style|on[a-z]+)=", page), name
        assert not re.search(r"<script(?![^>]*\bsrc=)(?![^>]*application/json)", page), name
