"""Every URL of the admin, for everybody: one table. A route that is missing in it fails."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, reverse

from automation.models import DispatchDecision, Message, StaffTask
from journeys.models.template import JourneyTemplate
from kura import tenancy
from kura.accounts.models import User
from kura.admin.site import site
from tests.admin import people
from tests.admin.conftest import Practice, logged_in

LOGIN, OK, NO, GONE, SENT_ON = 302, 200, 403, 404, 302
NOBODY = "anonymous"
ROLES = (NOBODY, "viewer", "therapist", "manager", "foreign manager")

# route name -> what anonymous, viewer, therapist, manager and another practice's manager get
TABLE = {
    "patients_patient_changelist": (LOGIN, OK, OK, OK, OK),
    "patients_patient_change": (LOGIN, OK, OK, OK, GONE),
    "patients_patient_add": (LOGIN, NO, OK, OK, OK),
    "patients_patient_delete": (LOGIN, NO, NO, NO, NO),
    "patients_patient_history": (LOGIN, OK, OK, OK, GONE),
    "patients_patient_enroll": (LOGIN, NO, OK, OK, GONE),
    "patients_patient_whynot": (LOGIN, OK, OK, OK, GONE),
    "patients_patient_bulk_move": (LOGIN, NO, SENT_ON, SENT_ON, SENT_ON),
    "patients_patient_bulk_enroll": (LOGIN, NO, SENT_ON, SENT_ON, SENT_ON),
    "patients_patient_import": (LOGIN, NO, OK, OK, OK),
    "patients_patient_import_template": (LOGIN, NO, OK, OK, OK),
    "patients_patient_import_preview": (LOGIN, NO, GONE, OK, GONE),
    "journeys_enrollment_changelist": (LOGIN, OK, OK, OK, OK),
    "journeys_enrollment_change": (LOGIN, OK, OK, OK, GONE),
    "journeys_enrollment_add": (LOGIN, NO, NO, NO, NO),
    "journeys_enrollment_delete": (LOGIN, NO, NO, NO, NO),
    "journeys_enrollment_history": (LOGIN, GONE, GONE, GONE, GONE),
    "journeys_enrollment_move": (LOGIN, NO, OK, OK, GONE),
    "journeys_enrollment_unblock": (LOGIN, NO, OK, OK, GONE),
    "journeys_enrollment_pause": (LOGIN, NO, OK, OK, GONE),
    "journeys_enrollment_resume": (LOGIN, NO, OK, OK, GONE),
    "journeys_journeylog_changelist": (LOGIN, OK, OK, OK, OK),
    "journeys_journeylog_export": (LOGIN, NO, OK, OK, OK),
    "journeys_journeylog_change": (LOGIN, OK, OK, OK, GONE),
    "journeys_journeylog_add": (LOGIN, NO, NO, NO, NO),
    "journeys_journeylog_delete": (LOGIN, NO, NO, NO, NO),
    "journeys_journeylog_history": (LOGIN, GONE, GONE, GONE, GONE),
    "journeys_systemeventlog_changelist": (LOGIN, OK, OK, OK, OK),
    "journeys_systemeventlog_export": (LOGIN, NO, OK, OK, OK),
    "journeys_systemeventlog_change": (LOGIN, OK, OK, OK, GONE),
    "journeys_systemeventlog_add": (LOGIN, NO, NO, NO, NO),
    "journeys_systemeventlog_delete": (LOGIN, NO, NO, NO, NO),
    "journeys_systemeventlog_history": (LOGIN, GONE, GONE, GONE, GONE),
    "journeys_systemeventlog_retry": (LOGIN, NO, OK, OK, GONE),
    "journeys_systemeventlog_skip": (LOGIN, NO, OK, OK, GONE),
    "journeys_systemeventlog_link": (LOGIN, NO, OK, OK, GONE),
    "journeys_systemeventlog_replay": (LOGIN, NO, OK, OK, GONE),
    "automation_stafftask_changelist": (LOGIN, OK, OK, OK, OK),
    "automation_stafftask_change": (LOGIN, OK, OK, OK, GONE),
    "automation_stafftask_done": (LOGIN, NO, OK, OK, GONE),
    "automation_stafftask_add": (LOGIN, NO, NO, NO, NO),
    "automation_stafftask_delete": (LOGIN, NO, NO, NO, NO),
    "automation_stafftask_history": (LOGIN, GONE, GONE, GONE, GONE),
    "automation_message_changelist": (LOGIN, OK, OK, OK, OK),
    "automation_message_change": (LOGIN, OK, OK, OK, GONE),
    "automation_message_resend": (LOGIN, NO, OK, OK, GONE),
    "automation_message_add": (LOGIN, NO, NO, NO, NO),
    "automation_message_delete": (LOGIN, NO, NO, NO, NO),
    "automation_message_history": (LOGIN, GONE, GONE, GONE, GONE),
    "automation_rulerun_changelist": (LOGIN, OK, OK, OK, OK),
    "automation_rulerun_change": (LOGIN, SENT_ON, SENT_ON, SENT_ON, GONE),
    "automation_rulerun_add": (LOGIN, NO, NO, NO, NO),
    "automation_rulerun_delete": (LOGIN, NO, NO, NO, NO),
    "automation_rulerun_history": (LOGIN, GONE, GONE, GONE, GONE),
    "automation_automationrule_changelist": (LOGIN, OK, OK, OK, OK),
    "automation_automationrule_change": (LOGIN, OK, OK, OK, GONE),
    "automation_automationrule_add": (LOGIN, NO, NO, NO, NO),
    "automation_automationrule_delete": (LOGIN, NO, NO, NO, NO),
    "automation_automationrule_history": (LOGIN, GONE, GONE, GONE, GONE),
    "automation_automationrule_on": (LOGIN, NO, NO, OK, GONE),
    "automation_automationrule_off": (LOGIN, NO, NO, OK, GONE),
    "automation_automationrule_dryrun": (LOGIN, OK, OK, OK, GONE),
    "automation_automationrule_edit": (LOGIN, NO, NO, OK, GONE),
    "automation_automationrule_new": (LOGIN, NO, NO, OK, OK),
    "automation_automationrule_library": (LOGIN, NO, NO, OK, OK),
    "automation_automationrule_discard": (LOGIN, NO, NO, OK, GONE),
    "automation_automationrule_copy": (LOGIN, NO, NO, OK, GONE),
    "automation_automationrule_archive": (LOGIN, NO, NO, OK, GONE),
    "automation_monitor": (LOGIN, OK, OK, OK, OK),
    "journeys_whole": (LOGIN, OK, OK, OK, OK),
    "journeys_journeytemplate_changelist": (LOGIN, OK, OK, OK, OK),
    "journeys_journeytemplate_change": (LOGIN, OK, OK, OK, GONE),
    "journeys_journeytemplate_add": (LOGIN, NO, NO, OK, OK),
    "journeys_journeytemplate_delete": (LOGIN, NO, NO, NO, NO),
    "journeys_journeytemplate_history": (LOGIN, OK, OK, OK, GONE),
    "journeys_journeytemplate_edit": (LOGIN, NO, NO, OK, GONE),
    "journeys_journeytemplate_clone": (LOGIN, NO, NO, OK, GONE),
    "journeys_journeytemplate_switch": (LOGIN, NO, NO, OK, GONE),
    "journeys_journeytemplate_export": (LOGIN, NO, NO, OK, GONE),
    "journeys_journeytemplate_import": (LOGIN, NO, NO, OK, OK),
    "accounts_user_changelist": (LOGIN, NO, OK, OK, OK),
    "accounts_user_change": (LOGIN, NO, OK, OK, GONE),
    "accounts_user_add": (LOGIN, NO, NO, OK, OK),
    "accounts_user_delete": (LOGIN, NO, NO, NO, NO),
    "accounts_user_history": (LOGIN, NO, OK, OK, GONE),
    "accounts_user_access": (LOGIN, NO, NO, OK, GONE),
    "accounts_organization_changelist": (LOGIN, NO, NO, OK, OK),
    "accounts_organization_change": (LOGIN, NO, NO, OK, GONE),
    "accounts_organization_add": (LOGIN, NO, NO, NO, NO),
    "accounts_organization_delete": (LOGIN, NO, NO, NO, NO),
    "accounts_organization_history": (LOGIN, NO, NO, OK, GONE),
    "accounts_integrationkey_changelist": (LOGIN, NO, NO, OK, OK),
    "accounts_integrationkey_change": (LOGIN, NO, NO, OK, GONE),
    "accounts_integrationkey_add": (LOGIN, NO, NO, OK, OK),
    "accounts_integrationkey_delete": (LOGIN, NO, NO, NO, NO),
    "accounts_integrationkey_history": (LOGIN, NO, NO, OK, GONE),
    "accounts_integrationkey_revoke": (LOGIN, NO, NO, OK, GONE),
    "accounts_apitoken_changelist": (LOGIN, OK, OK, OK, OK),
    "accounts_apitoken_change": (LOGIN, GONE, OK, OK, GONE),
    "accounts_apitoken_add": (LOGIN, OK, OK, OK, OK),
    "accounts_apitoken_delete": (LOGIN, NO, NO, NO, NO),
    "accounts_apitoken_history": (LOGIN, GONE, OK, OK, GONE),
    "accounts_apitoken_revoke": (LOGIN, GONE, OK, OK, GONE),
    "design_system": (LOGIN, OK, OK, OK, OK),
    "index": (LOGIN, OK, OK, OK, OK),
    "app_list": (LOGIN, OK, OK, OK, OK),
    "autocomplete": (LOGIN, NO, NO, NO, NO),
    "jsi18n": (LOGIN, OK, OK, OK, OK),
    "view_on_site": (LOGIN, GONE, GONE, GONE, GONE),
    "password_change": (LOGIN, OK, OK, OK, OK),
    "password_change_done": (LOGIN, OK, OK, OK, OK),
    "login": (OK, 302, 302, 302, 302),
    "forgot_password": (OK, SENT_ON, SENT_ON, SENT_ON, SENT_ON),
    "choose_password": (OK, OK, OK, OK, OK),
    "logout": (LOGIN, 405, 405, 405, 405),
    "language": (405, 405, 405, 405, 405),
    "theme": (405, 405, 405, 405, 405),
}
# What is no page for people: a script, and files.
NO_PAGES = {
    "jsi18n",
    "journeys_journeylog_export",
    "journeys_journeytemplate_export",
    "journeys_systemeventlog_export",
    "patients_patient_import_template",
}


TEMPLATE_VERBS = ("edit", "clone", "switch", "export")


def named_routes(patterns: list[URLPattern | URLResolver]) -> Iterator[tuple[str, URLPattern]]:
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            yield from named_routes(pattern.url_patterns)
        elif pattern.name:
            yield pattern.name, pattern


def arguments(name: str, practice: Practice) -> dict[str, object]:
    """The URL's arguments for one practice's objects, as the route names them."""
    objects = {
        "patients_patient": practice.patient.pk,
        "journeys_enrollment": practice.enrollment.pk,
        "journeys_journeylog": practice.log.pk,
        "journeys_systemeventlog": practice.event.pk,
        "journeys_journeytemplate": practice.template.pk,
        "automation_stafftask": practice.automated.task.pk,
        "automation_message": practice.automated.message.pk,
        "automation_rulerun": practice.automated.run.pk,
        "automation_automationrule": practice.automated.rule.pk,
        "accounts_user": practice.viewer.pk,
        "accounts_organization": practice.organization.pk,
        "accounts_integrationkey": practice.key.pk,
        "accounts_apitoken": practice.token.pk,
    }
    special = {
        "patients_patient_enroll": {"patient_id": practice.patient.pk},
        "patients_patient_whynot": {"patient_id": practice.patient.pk},
        "patients_patient_import_preview": {"import_id": practice.pending.pk},
        "journeys_enrollment_move": {"enrollment_id": practice.enrollment.pk},
        "journeys_enrollment_unblock": {"enrollment_id": practice.blocked.pk},
        "journeys_enrollment_pause": {"enrollment_id": practice.enrollment.pk},
        "journeys_enrollment_resume": {"enrollment_id": practice.enrollment.pk},
        "journeys_systemeventlog_retry": {"event_id": practice.automated.dead.pk},
        "journeys_systemeventlog_skip": {"event_id": practice.automated.dead.pk},
        "journeys_systemeventlog_link": {"event_id": practice.automated.unmatched.pk},
        "journeys_systemeventlog_replay": {"event_id": practice.automated.refused.pk},
        "automation_message_resend": {"message_id": practice.automated.message.pk},
        "automation_stafftask_done": {"task_id": practice.automated.task.pk},
        "accounts_user_access": {"user_id": practice.viewer.pk},
        "accounts_integrationkey_revoke": {"key_id": practice.key.pk},
        "accounts_apitoken_revoke": {"token_id": practice.token.pk},
        "choose_password": {"uidb64": "nobody", "token": "of-none"},
        **{
            f"journeys_journeytemplate_{verb}": {"template_id": practice.template.pk}
            for verb in TEMPLATE_VERBS
        },
        "app_list": {"app_label": "journeys"},
        "password_change": {},
        "automation_monitor": {},
        "design_system": {},
        "journeys_whole": {},
        "forgot_password": {},
        "automation_automationrule_on": {"rule_id": practice.automated.asleep.pk},
        "automation_automationrule_off": {"rule_id": practice.automated.timeout.pk},
        "automation_automationrule_library": {},
        "automation_automationrule_dryrun": {"rule_id": practice.automated.rule.pk},
        **{
            f"automation_automationrule_{verb}": {"rule_id": practice.automated.rule.pk}
            for verb in ("edit", "discard", "copy", "archive")
        },
        "view_on_site": {"content_type_id": 1, "object_id": practice.patient.pk},
    }
    if name in special:
        return special[name]
    model, _, verb = name.rpartition("_")
    return {"object_id": objects[model]} if verb in {"change", "delete", "history"} else {}


def url_of(name: str, practice: Practice) -> str:
    return reverse(f"admin:{name}", kwargs=arguments(name, practice))


def client_of(role: str, ours: Practice, theirs: Practice) -> Client:
    people: dict[str, User] = {
        "viewer": ours.viewer,
        "therapist": ours.therapist,
        "manager": ours.manager,
        "foreign manager": theirs.manager,
    }
    return logged_in(people[role]) if role in people else Client()


def test_the_table_names_every_route():
    routes = {name for name, _pattern in named_routes(site.get_urls())}

    assert routes == set(TABLE)


@pytest.mark.parametrize("column", range(len(ROLES)), ids=ROLES)
def test_everybody_gets_what_the_table_says(ours, theirs, column):
    client = client_of(ROLES[column], ours, theirs)

    got = {name: client.get(url_of(name, ours)).status_code for name in TABLE}

    assert got == {name: row[column] for name, row in TABLE.items()}


def test_anonymous_is_sent_to_the_login_page(ours):
    response = Client().get(url_of("patients_patient_change", ours))

    assert response["Location"].startswith(reverse("admin:login"))


OBJECT_ROUTES = [name for name, row in TABLE.items() if row[3] != GONE and row[4] == GONE]


@pytest.mark.parametrize("name", OBJECT_ROUTES)
def test_foreign_and_unknown_objects_are_the_same_page(ours, theirs, name):
    client = logged_in(ours.manager)
    foreign = url_of(name, theirs)
    unknown = url_with_unknown_id(name, theirs)

    answers = [client.get(url) for url in (foreign, unknown)]

    assert [answer.status_code for answer in answers] == [404, 404]
    assert answers[0].content == answers[1].content


def url_with_unknown_id(name: str, practice: Practice) -> str:
    """As the URL of this practice's object, with an id of the same form that belongs to nobody."""
    [(argument, taken)] = arguments(name, practice).items()
    free = 99_999_999 if isinstance(taken, int) else uuid.UUID(int=0)
    return reverse(f"admin:{name}", kwargs={argument: free})


@pytest.mark.parametrize("verb", ["add", "change", "delete"])
@pytest.mark.parametrize(
    "model",
    [
        "journeys_journeylog",
        "journeys_systemeventlog",
        "journeys_enrollment",
        "automation_message",
        "automation_automationrule",
        "automation_stafftask",
    ],
)
def test_nobody_writes_by_hand_what_the_system_writes(ours, model, verb):
    client = logged_in(ours.manager)

    response = client.post(url_of(f"{model}_{verb}", ours), {"to_stage": "CONFIRMED"})

    assert response.status_code == NO


def test_a_viewer_cannot_move_unblock_enroll_or_save_by_hand(ours):
    client = logged_in(ours.viewer)

    for name in ("journeys_enrollment_move", "journeys_enrollment_unblock",
                 "patients_patient_enroll", "patients_patient_change"):  # fmt: skip
        response = client.post(url_of(name, ours), {"to_stage": "CONFIRMED", "journey": "retreat"})
        assert response.status_code == NO, name


TEMPLATE_POSTS = {
    "edit": {"act": "save", "version": "1", "name": "x", "stages-count": "0", "moves-count": "0"},
    "clone": {"name": "x", "key": "x"},
    "switch": {"to": "off"},
    "export": {},
    "change": {"name": "x"},
}


@pytest.mark.parametrize("role", ["viewer", "therapist"])
def test_only_managers_write_templates_whatever_is_posted(ours, role):
    client = logged_in(getattr(ours, role))

    answers = {
        verb: client.post(url_of(f"journeys_journeytemplate_{verb}", ours), fields).status_code
        for verb, fields in TEMPLATE_POSTS.items()
    }
    posted = {"document": "{}", "version": "0"}
    answers["import"] = client.post(
        url_of("journeys_journeytemplate_import", ours), posted
    ).status_code

    assert answers == dict.fromkeys([*TEMPLATE_POSTS, "import"], NO)
    assert_untouched(ours)


def test_another_practices_manager_writes_no_template_of_ours(ours, theirs):
    client = logged_in(theirs.manager)
    verbs = [verb for verb in TEMPLATE_POSTS if verb != "change"]

    answers = {
        verb: client.post(
            url_of(f"journeys_journeytemplate_{verb}", ours), TEMPLATE_POSTS[verb]
        ).status_code
        for verb in verbs
    }

    assert answers == dict.fromkeys(verbs, GONE)
    assert_untouched(ours)


def assert_untouched(practice: Practice) -> None:
    with tenancy.every_organization():
        now = JourneyTemplate.objects.get(pk=practice.template.pk)
        count = JourneyTemplate.objects.filter(organization=practice.organization).count()
    assert (now.version, now.is_active, now.name) == (1, True, practice.template.name)
    assert count == 1


DECIDING = ("retry", "skip", "link", "replay")


@pytest.mark.parametrize("verb", DECIDING)
def test_a_viewer_cannot_decide_about_an_event_by_hand(ours, verb):
    url = url_of(f"journeys_systemeventlog_{verb}", ours)

    response = logged_in(ours.viewer).post(
        url, {"reason": "una razón muy larga", "patient": ours.patient.pk}
    )

    assert response.status_code == NO
    with tenancy.every_organization():
        assert not DispatchDecision.objects.exists()


def test_another_practices_manager_decides_nothing_by_hand(ours, theirs):
    client = logged_in(theirs.manager)
    fields = {"reason": "una razón muy larga", "patient": theirs.patient.pk}

    names = [*(f"journeys_systemeventlog_{verb}" for verb in DECIDING), "automation_stafftask_done",
             "automation_message_resend"]  # fmt: skip
    answers = {name: client.post(url_of(name, ours), fields).status_code for name in names}

    assert answers == dict.fromkeys(names, GONE)
    with tenancy.every_organization():
        assert not DispatchDecision.objects.exists()
        assert not StaffTask.objects.filter(done_by=theirs.manager).exists()
        assert not Message.objects.filter(state="queued").exists()


def test_platform_staff_reads_every_page_of_automation(ours, theirs):
    client = logged_in(people.person(None, "", is_superuser=True))
    reading = [
        name
        for name, row in TABLE.items()
        if name.startswith(("automation_", "journeys_systemeventlog_")) and row[1] == OK
    ]

    got = {url_of(name, one): client.get(url_of(name, one)).status_code
           for name in reading for one in (ours, theirs)}  # fmt: skip

    assert set(got.values()) == {OK}


def test_a_refusal_tells_whom_to_ask_and_no_names(ours):
    response = logged_in(ours.viewer).get(url_of("journeys_enrollment_unblock", ours))

    page = response.content.decode()
    assert "no tienes permiso para desbloquear" in page
    assert ours.blocked.patient.full_name not in page
