"""Each page, in both themes and two widths: no accessibility violation, no sideways scrolling,
nothing that the content policy refuses, no raw code.

At full size each page is loaded in every look; reduced, one width and theme after the other take
turns, and the colours of the other theme are looked at on the page as it stands.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.urls import reverse
from playwright.sync_api import Page

from automation import monitor
from kura import tenancy
from kura.accounts.access import link_parts
from tests.admin import people
from tests.admin.automated import process
from tests.admin.conftest import Practice
from tests.admin.test_permissions import NO, NO_PAGES, OK, TABLE, url_of
from tests.browser.conftest import tab_to
from tests.sizes import AT_FULL_SIZE, FULL

pytestmark = pytest.mark.browser
AXE = (Path(__file__).parent / "vendor" / "axe.min.js").read_text(encoding="utf-8")
STANDARDS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
CODES = re.compile(r"\b[A-Z]{3,}_[A-Z_]+\b|\bCONFIRMED\b|\bBLOCKED\b")
THEMES = pytest.mark.parametrize("theme", ["light", pytest.param("dark", marks=AT_FULL_SIZE)])
MANAGER = 3  # the column of the table
LINKING = "journeys_systemeventlog_link"


def pages_of(practice: Practice) -> dict[str, str]:
    """Everything a manager may open, the forms with their errors, and the pages that refuse."""
    open_to_manager = [name for name, row in TABLE.items() if row[MANAGER] == OK]
    pages = {name: url_of(name, practice) for name in open_to_manager if name not in NO_PAGES}
    refused = next(name for name, row in TABLE.items() if row[MANAGER] == NO)
    shown = {
        f"event {name}": reverse(
            "admin:journeys_systemeventlog_change", args=[getattr(practice.automated, name).pk]
        )
        for name in ("ran", "refused", "dead", "unmatched")
    }
    skip = reverse("admin:journeys_systemeventlog_skip", args=[practice.automated.unmatched.pk])
    blocked = reverse("admin:patients_patient_change", args=[practice.blocked.patient_id])
    more = shown | {
        "skip unmatched": skip,
        "search": f"{url_of(LINKING, practice)}?q=om",
        "blocked patient": blocked,
        "contact data": f"{blocked}?tab=data",
    }
    return pages | more | {"not found": "/admin/nothing/", "refused": url_of(refused, practice)}


def watch(page: Page) -> list[str]:
    """What the console complains about; a page that is not found complains of itself."""
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on(
        "console",
        lambda message: (
            complaints.append(message.text)
            if message.type in {"error", "warning"}
            and "Failed to load resource" not in message.text
            else None
        ),
    )
    return complaints


COLOURS = ["color-contrast", "link-in-text-block"]  # the rules that a theme alone may break


def violations(page: Page) -> list[str]:
    """All of them in the theme that the page has, and those of colours in the other one. Colours do
    not fade on the way back either: whoever looks next would see them half way.
    """
    is_dark = page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
    found = _violations(page, "tag", STANDARDS)
    page.emulate_media(color_scheme="light" if is_dark else "dark", reduced_motion="reduce")
    in_other = _violations(page, "rule", COLOURS)
    page.emulate_media(color_scheme="dark" if is_dark else "light", reduced_motion="reduce")
    page.evaluate("getComputedStyle(document.body).color")  # the colours are back
    page.emulate_media(reduced_motion="null")
    return found + [f"in the other theme: {one}" for one in in_other]


def _violations(page: Page, kind: str, values: list[str]) -> list[str]:
    if not page.evaluate("'axe' in window"):
        page.evaluate(f"() => {{ {AXE} }}")
    options = {"runOnly": {"type": kind, "values": values}}
    found = page.evaluate("options => axe.run(document, options)", options)
    return [
        f"{one['id']}: {node['target']} {node['failureSummary']}"
        for one in found["violations"]
        for node in one["nodes"]
    ]


def overflow(page: Page) -> int:
    return page.evaluate("document.documentElement.scrollWidth - window.innerWidth")


LOOKS = [("light", 1320), ("dark", 390), ("light", 390), ("dark", 1320)]
NARROWEST = 320  # pixels; a telephone of ten years ago, and 1280 at 400 %


@pytest.mark.soak
def test_every_page_is_accessible_and_quiet(open_page, ours):
    page = open_page(ours.manager)
    complaints = watch(page)
    problems: dict[str, object] = {}
    with tenancy.every_organization():
        monitor.check()
    process()

    for number, (name, url) in enumerate(pages_of(ours).items()):
        for theme, width in LOOKS if FULL else [LOOKS[number % len(LOOKS)]]:
            page.set_viewport_size({"width": width, "height": 900})
            page.emulate_media(color_scheme=theme)
            complaints.clear()
            page.goto(url)
            told = list(complaints)  # before axe, which puts styles into the page
            text = page.inner_text("body")
            found = [*told, *CODES.findall(text), *violations(page), *too_wide(page)]
            if found:
                problems[f"{name}, {theme}, {width} px"] = found

    assert problems == {}


def too_wide(page: Page) -> list[str]:
    """As the page is, and in the narrowest window."""
    wide = {page.viewport_size["width"]: overflow(page)}
    page.set_viewport_size({"width": NARROWEST, "height": 900})
    wide[NARROWEST] = overflow(page)
    return [f"scrolls sideways by {far} of {width} px" for width, far in wide.items() if far > 0]


@pytest.mark.parametrize("width", [pytest.param(NARROWEST, marks=AT_FULL_SIZE)])
def test_no_page_scrolls_sideways_when_loaded_in_the_narrowest_window(open_page, ours, width):
    page = open_page(ours.manager, width=width)
    found: dict[str, int] = {}

    for name, url in pages_of(ours).items():
        page.goto(url)
        if overflow(page) > 0:
            found[name] = overflow(page)

    assert found == {}


@THEMES
def test_forms_with_errors_conflicts_and_results_are_accessible(open_page, ours, theme):
    page = open_page(ours.manager, width=390, color_scheme=theme)
    unblock = reverse("admin:journeys_enrollment_unblock", args=[ours.blocked.pk])
    problems: dict[str, list[str]] = {}

    page.goto(reverse("admin:automation_monitor"))
    page.wait_for_selector(".banner[role=alert]")
    problems["monitor: late"] = violations(page)
    page.goto(unblock)
    page.click("#sheet .submit-row input")
    problems["unblock with errors"] = violations(page)
    page.goto(reverse("admin:patients_patient_add"))
    page.click("input[name=_save]")
    problems["patient with errors"] = violations(page)
    page.goto(unblock)
    page.locator("input[name=expected_seq]").evaluate("field => field.value = 1")
    page.click(".submit-row input")
    problems["conflict"] = violations(page)
    page.goto(reverse("admin:patients_patient_changelist"))
    for chosen in page.locator("input[name=_selected_action]").all():
        chosen.check()
    page.select_option("select[name=action]", "move")
    page.click(".actions button[name=index]")
    problems["many"] = violations(page)
    page.click("button[value=preview]")
    problems["many: with errors"] = violations(page)
    page.select_option("#id_target", label="Cuestionario enviado")
    page.fill("#id_reason", "Se reorganiza el grupo")
    page.click("button[value=preview]")
    problems["many: preview"] = violations(page)
    page.click("button[value=apply]")
    problems["many: result"] = violations(page)

    decided = [f"journeys_systemeventlog_{verb}" for verb in ("retry", "skip", "replay")]
    for name in (*decided, "automation_message_resend", "journeys_enrollment_pause"):
        page.goto(url_of(name, ours))
        page.click(".submit-row input")
        page.wait_for_selector("#id_reason_error")
        problems[f"{name} with errors"] = violations(page)
    page.goto(f"{url_of(LINKING, ours)}?q=om")
    page.click(".submit-row input")
    problems["link with errors"] = violations(page)
    page.goto(url_of("journeys_systemeventlog_skip", ours))
    page.locator("input[name=seen]").evaluate("field => field.value = crypto.randomUUID()")
    page.click(".submit-row input")
    problems["decision: conflict"] = violations(page)

    assert problems == {name: [] for name in problems}
    assert len(problems) == 15


@pytest.mark.parametrize(
    ("theme", "width"),
    [*LOOKS[:2], *(pytest.param(*look, marks=AT_FULL_SIZE) for look in LOOKS[2:])],
)
def test_the_editor_of_a_rule_is_accessible_in_every_state(open_page, ours, theme, width):
    page = open_page(ours.manager, width=width, color_scheme=theme)
    complaints = watch(page)
    problems: dict[str, object] = {}

    def look(state: str) -> None:
        told = list(complaints)
        codes = CODES.findall(page.inner_text("body"))
        problems[state] = [*told, *codes, *violations(page)]
        if overflow(page) > 0:
            problems[state].append(f"scrolls sideways by {overflow(page)} px")
        complaints.clear()

    def press(act: str, wait: str) -> None:
        page.click(f"button[value='{act}']:visible", force=True)
        page.wait_for_selector(wait)

    def choose(select: str, value: str) -> None:
        """What depends on it follows."""
        with page.expect_response(lambda answer: answer.request.method == "POST"):
            page.select_option(select, value)
        page.wait_for_selector(".htmx-request", state="detached")

    page.goto(f"{url_of('automation_automationrule_new', ours)}?kind=timeout")
    press("publish", "#id_name_error")
    look("new time limit with errors")
    page.fill("#id_name", "Sin pagar")
    choose("#id_journey", "retreat")
    page.select_option("#id_stage", "BLOCKED")
    page.fill("#id_max_hours", "24")
    press("publish", "input[name=for_whom]")
    look("for whom")
    page.goto(url_of("automation_automationrule_edit", ours))
    look("as it is")
    press("group-add", "#id_g-1-0-field")
    choose("#id_g-1-0-field", "event.payload.risk_level")
    page.wait_for_selector("#id_g-1-0-op")
    choose("#id_g-1-0-op", "in")
    page.wait_for_selector("fieldset.ticks")
    press("action-add", "#id_a-1-type")
    choose("#id_a-1-type", "send_email")
    page.wait_for_selector("#id_a-1-body-es")
    look("with every kind of field")
    press("publish", "#refusal")
    look("with errors")
    page.locator("input[name=seen]").evaluate("field => field.value = ''")
    press("save", "#conflict")
    look("conflict")

    assert problems == {state: [] for state in problems}
    assert len(problems) == 6


@THEMES
def test_what_the_template_pages_answer_is_accessible_and_without_codes(open_page, ours, theme):
    page = open_page(ours.manager, width=390, color_scheme=theme)
    complaints = watch(page)
    problems: dict[str, list[str]] = {}
    edit = url_of("journeys_journeytemplate_edit", ours)

    def note(name: str) -> None:
        codes = CODES.findall(page.inner_text("body"))
        problems[name] = [*complaints, *codes]
        problems[name] += [f"sideways by {overflow(page)}"] if overflow(page) > 0 else []
        problems[name] += violations(page)
        complaints.clear()

    page.goto(edit)
    page.click("button[value='stage-add:0']")
    note("a new row")
    page.click("button[value=save]")
    page.wait_for_selector("#mistakes")
    note("mistakes")
    page.goto(edit)
    page.select_option("#id_initial_stage", "COMPLETED")
    page.click("button[value=save]")
    page.wait_for_selector("#confirmed")
    note("cautions")
    page.click("button[value='stage-remove:1']")
    page.click("button[value=save]")
    page.wait_for_selector("#problems")
    note("refused")
    page.goto(edit)
    page.locator("input[name=version]").evaluate("field => field.value = 0")
    page.fill("#id_name", "Otro nombre")
    page.click("button[value=save]")
    page.wait_for_selector("#conflict")
    note("conflict")

    document = page.request.get(url_of("journeys_journeytemplate_export", ours)).text()
    files = {
        "preview": document.replace("Confirmado", "Dentro"),
        "new": document.replace('"retreat"', '"other"'),
        "bad file": "{",
    }
    for name, text in files.items():
        page.goto(url_of("journeys_journeytemplate_import", ours))
        file = {"name": "t.json", "mimeType": "application/json", "buffer": text.encode()}
        page.set_input_files("#id_file", file)  # type: ignore[arg-type]
        page.click(".submit-row input")
        page.wait_for_load_state()
        note(name)

    assert problems == {name: [] for name in problems}
    assert len(problems) == 8


@THEMES
@pytest.mark.parametrize("model", ["integrationkey", "apitoken"])
def test_a_key_is_made_by_keyboard_and_its_pages_are_accessible(open_page, ours, theme, model):
    page = open_page(ours.manager, width=390, color_scheme=theme)
    complaints = watch(page)
    problems: dict[str, list[str]] = {}

    def look(name: str) -> None:
        problems[name] = [*complaints, *violations(page)]
        if overflow(page) > 0:
            problems[name].append(f"scrolls sideways by {overflow(page)} px")
        complaints.clear()

    page.goto(reverse(f"admin:accounts_{model}_add"))
    page.click(".submit-row input")
    page.wait_for_selector("#id_name_error, .errorlist")
    look("with errors")
    page.focus("#id_name")
    page.keyboard.type("Página web")
    tab_to(page, "#id_scopes_0")
    page.keyboard.press("Space")
    tab_to(page, ".submit-row input")
    page.keyboard.press("Enter")
    page.wait_for_selector("#new-secret")
    page.click("#new-secret")
    selected = page.evaluate("document.getSelection().toString()")
    look("made")

    assert problems == {"with errors": [], "made": []}
    assert selected == page.inner_text("#new-secret")
    assert selected.startswith("k")


@pytest.mark.parametrize(("theme", "scripts"), [("light", False), ("dark", True)])
def test_letting_people_in_and_importing_are_accessible(open_page, ours, settings, theme, scripts):
    settings.MAIL_REACHES_PEOPLE = True
    page = open_page(ours.manager, width=390, color_scheme=theme, java_script_enabled=scripts)
    problems: dict[str, object] = {}

    def look(name: str) -> None:
        found = violations(page) if scripts else []
        problems[name] = [*found, *CODES.findall(page.inner_text("body"))]
        if scripts and overflow(page) > 0:
            problems[name] = [*found, f"scrolls sideways by {overflow(page)} px"]

    page.goto(reverse("admin:accounts_user_access", args=[ours.viewer.pk]))
    look("access")
    page.click("button[value=password]")
    page.wait_for_selector("#new-password")
    look("new password")
    page.goto(reverse("admin:patients_patient_import"))
    page.click(".submit-row input")
    page.wait_for_selector(".errorlist")
    look("no file")
    people.patient(ours.organization, "Antes", external_id="N-1")
    rows = b"external id;full name;notas\nN-1;Despu\xe9s;x\nN-2;Nueva;\n"
    page.set_input_files("#id_file", {"name": "a.csv", "mimeType": "text/csv", "buffer": rows})
    page.click(".submit-row input")
    page.wait_for_selector("button[name=confirm]")
    look("preview")
    page.click("button[name=confirm]")
    page.wait_for_selector("ul.messagelist .success")
    assert "Después" in page.inner_text("#result_list")

    page.goto(url_of("patients_patient_import_preview", ours))
    look("preview with a problem")
    link = reverse("admin:choose_password", kwargs=link_parts(ours.therapist))
    page.goto(link)
    look("choose a password")
    page.fill("#id_new_password1", "123")
    page.click(".submit-row input")
    page.wait_for_selector(".errorlist")
    look("choose a password with errors")

    assert problems == {name: [] for name in problems}


@THEMES
def test_whoever_has_to_wait_can_read_how_long(open_page, server, theme):
    page = open_page(width=320, color_scheme=theme)

    for _ in range(5):
        page.goto("/admin/login/?ended=idle&unsent=1")
        page.fill("#id_username", "nobody@example.org")
        page.fill("#id_password", "wrong")
        page.click("#login-form input[type=submit]")

    assert "15" in page.inner_text("main")
    assert violations(page) == []
    assert overflow(page) <= 0


@THEMES
def test_asking_for_a_forgotten_password_is_accessible(open_page, server, settings, theme):
    settings.MAIL_REACHES_PEOPLE = True
    page = open_page(width=320, color_scheme=theme)
    complaints = watch(page)
    problems: dict[str, list[str]] = {}

    def look(name: str) -> None:
        problems[name] = [*complaints, *violations(page)]
        problems[name] += ["scrolls sideways"] if overflow(page) > 0 else []
        complaints.clear()

    page.goto("/admin/login/")
    page.click(".forgotten a")
    look("asked")
    page.click("input[type=submit]")
    page.wait_for_selector("#id_email_error")
    look("with an error")
    page.fill("#id_email", "nobody@example.org")
    page.keyboard.press("Enter")
    page.wait_for_selector(".notices")
    look("sent")
    settings.MAIL_REACHES_PEOPLE = False
    page.goto("/admin/forgot-password/")
    look("no mail")

    assert problems == {"asked": [], "with an error": [], "sent": [], "no mail": []}


@THEMES
def test_login_page_is_accessible_quiet_and_narrow(open_page, server, theme):
    page = open_page(width=320, color_scheme=theme)
    complaints = watch(page)

    page.goto("/admin/login/")
    told = list(complaints)

    assert told == []
    assert "Entrar" in page.inner_text("h1")
    assert violations(page) == []
    assert overflow(page) <= 0


def test_logging_in_by_keyboard_leads_to_the_panel(open_page, ours):
    page = open_page()
    page.goto("/admin/login/")

    page.locator("#id_username:focus").wait_for()
    page.keyboard.type(ours.manager.email)
    page.keyboard.press("Tab")
    page.keyboard.type(people.PASSWORD)
    page.keyboard.press("Enter")

    page.wait_for_url("**/admin/")
    assert page.locator("main h1").count() == 1


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without scripts"])
def test_the_theme_button_wins_over_the_system(open_page, ours, scripts):
    page = open_page(ours.viewer, color_scheme="light", java_script_enabled=scripts)
    light = background(page)

    for chosen in ("light", "dark"):
        with page.expect_response("**/theme/"):
            page.click(".theme-toggle")
        page.wait_for_selector(f"html[data-theme={chosen}]")
    dark = background(page)
    page.reload()

    assert dark != light
    assert background(page) == dark


def background(page: Page) -> bytes:
    """A corner of the page, which says the colour with and without scripts."""
    return page.screenshot(clip={"x": 2, "y": 890, "width": 4, "height": 4})


def test_the_theme_button_leaves_a_form_as_it_is(open_page, ours):
    page = open_page(ours.manager)
    page.goto(reverse("admin:patients_patient_add"))
    page.fill("#id_full_name", "A medias")

    page.click(".theme-toggle")
    page.wait_for_selector("html[data-theme=light]")

    assert page.input_value("#id_full_name") == "A medias"


def test_both_languages_from_the_header(open_page, ours):
    page = open_page(ours.viewer)
    page.goto(reverse("admin:patients_patient_changelist"))

    page.click("button[value=en]")
    english = page.inner_text("body")
    page.click("button[value=es]")
    spanish = page.inner_text("body")

    assert "Awaiting payment" in english
    assert "Therapist" in english
    assert "Pendiente de pago" in spanish
    assert "Terapeuta" in spanish
