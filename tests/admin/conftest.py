"""Two practices with everybody in them. Everything of the other one carries the word FOREIGN."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from django.db import connection, transaction
from django.http.response import HttpResponseBase
from django.test import Client
from pytest_django import DjangoDbBlocker

from journeys.models.enrollment import Enrollment
from journeys.models.event import SystemEventLog
from journeys.models.log import JourneyLog
from journeys.models.template import JourneyTemplate
from kura import tenancy
from kura.accounts.keys import make_key
from kura.accounts.models import ApiToken, IntegrationKey, Organization, User
from patients.models import Patient, PatientImport
from tests.admin import people
from tests.admin.automated import Automated, automated
from tests.conftest import clear_tables


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """One worker runs a module: its two practices are made once."""
    if config.pluginmanager.hasplugin("xdist"):
        for item in items:
            if Path(__file__).parent in item.path.parents:
                item.add_marker(pytest.mark.xdist_group(item.path.stem))


@dataclass(frozen=True)
class Practice:
    organization: Organization
    viewer: User
    therapist: User
    manager: User
    template: JourneyTemplate
    patient: Patient
    enrollment: Enrollment
    blocked: Enrollment
    log: JourneyLog
    event: SystemEventLog
    automated: Automated
    pending: PatientImport
    key: IntegrationKey
    token: ApiToken  # the therapist's


def make_practice(word: str) -> Practice:
    organization = people.practice(f"Clínica {word}")
    team = {
        role: people.person(organization, role, f"{role.title()} {word}")
        for role in ("viewer", "therapist", "manager")
    }
    template = people.journey(organization, name=f"Retiro {word}")
    someone = people.patient(organization, f"Marta {word}", therapist=team["therapist"])
    stuck = people.patient(organization, f"Nuria {word}")
    enrollment = people.enrolled(someone, template, "AWAITING_PAYMENT", by=team["therapist"])
    with tenancy.scope(organization):
        blocked = people.enrolled(stuck, template, "AWAITING_PAYMENT", "BLOCKED")
        log = JourneyLog.objects.filter(enrollment_id=enrollment.pk).latest("id")
    event = people.event(someone, journey_key=template.key, source=f"source-{word}")
    key, _text = make_key(
        by=team["manager"], name=f"Stripe {word}", scopes=["events:write"], expires_at=None
    )
    token, _text = ApiToken.objects.make(
        user=team["therapist"], name=f"Script {word}", expires_at=None, scopes=["journeys:read"]
    )
    return Practice(
        organization, **team, template=template, patient=someone, enrollment=enrollment,
        blocked=blocked, log=log, event=event, pending=people.file(team["manager"], word),
        automated=automated(organization, someone, stuck, team["therapist"], word),
        key=key, token=token,
    )  # fmt: skip


@pytest.fixture(autouse=True)
def plain_http(settings, tmp_path_factory) -> None:
    """As `dev.py run` serves: files by their names, no redirect to TLS."""
    settings.STATIC_ROOT = str(tmp_path_factory.getbasetemp())
    settings.WHITENOISE_USE_FINDERS = True
    settings.WHITENOISE_AUTOREFRESH = True  # else each client begins by reading all files
    settings.STORAGES = settings.STORAGES | {
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    }
    settings.SECURE_SSL_REDIRECT = False
    settings.SESSION_COOKIE_SECURE = settings.CSRF_COOKIE_SECURE = False


@pytest.fixture(scope="module", autouse=True)
def two_practices(
    django_db_setup: None, django_db_blocker: DjangoDbBlocker
) -> Iterator[tuple[Practice, Practice]]:
    """Committed once for all tests of a module; each test's own transaction starts from them.

    As within a test, nothing that waits for the commit is done.
    """
    with django_db_blocker.unblock(), transaction.atomic():
        made = make_practice("Om"), make_practice("FOREIGN")
        connection.run_on_commit.clear()
    yield made
    with django_db_blocker.unblock():
        clear_tables()
        connection.close()


@pytest.fixture
def ours(db: None, two_practices: tuple[Practice, Practice]) -> Practice:
    """A copy, since a test may change what it was given."""
    return copy.deepcopy(two_practices[0])


@pytest.fixture
def theirs(db: None, two_practices: tuple[Practice, Practice]) -> Practice:
    return copy.deepcopy(two_practices[1])


def logged_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def text_of(response: HttpResponseBase) -> str:
    """Of a page, and of a file that is sent in pieces."""
    return b"".join(response).decode()


def logs_of(enrollment: Enrollment) -> list[JourneyLog]:
    with tenancy.every_organization():
        return list(JourneyLog.objects.filter(enrollment_id=enrollment.pk).order_by("seq"))
