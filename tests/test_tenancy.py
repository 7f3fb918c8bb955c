"""One organization at a time, and nothing at all outside a scope."""

from __future__ import annotations

import threading

import pytest
from django.apps import apps
from django.db import models

from journeys.models import Enrollment, JourneyLog, JourneyStage, JourneyTemplate
from journeys.services.transitions import enroll
from kura import tenancy
from kura.accounts.models import Organization, User
from kura.tenancy import TenantManager, TenantScopeMissing
from patients.models import Patient
from tests.factories import PatientFactory, a_template, system

OURS = {"patients", "journeys", "automation"}
SYSTEMS_OWN = {"heartbeat"}  # of no practice: signs of life of the system itself
TENANT_MODELS = [
    m
    for m in apps.get_models()
    if m._meta.app_label in OURS and m._meta.model_name not in SYSTEMS_OWN
]


@pytest.fixture
def two_practices(organization, other_organization):
    for practice in (organization, other_organization):
        a_template(practice)
        with tenancy.scope(practice):
            patient = PatientFactory(organization=practice)
            enroll(patient_id=patient.pk, journey_key="intake", cause=system())
    return organization, other_organization


@pytest.mark.parametrize("model", TENANT_MODELS, ids=lambda m: m.__name__)
def test_every_model_of_a_practice_has_a_manager_that_fails_closed(model):
    assert isinstance(model._default_manager, TenantManager)


@pytest.mark.parametrize("model", TENANT_MODELS, ids=lambda m: m.__name__)
@pytest.mark.parametrize(
    "use",
    [
        list,
        lambda rows: rows.count(),
        lambda rows: rows.exists(),
        lambda rows: rows.first(),
        lambda rows: rows.update(**{rows.model._meta.pk.name: None}),
        lambda rows: rows._raw_delete("default"),
        lambda rows: list(rows.values_list("pk").union(rows.values_list("pk"))),
        lambda rows: list(rows.iterator()),
        lambda rows: rows.aggregate(n=models.Count("pk")),
    ],
    ids=["list", "count", "exists", "first", "update", "delete", "union", "iterator", "aggregate"],
)
def test_nothing_runs_outside_a_scope(db, model, use):
    with pytest.raises(TenantScopeMissing):
        use(model._default_manager.all())


@pytest.mark.parametrize("model", [Patient, JourneyTemplate, JourneyStage, Enrollment, JourneyLog])
def test_each_practice_sees_its_own_rows_alone(two_practices, model):
    seen = []
    for practice in two_practices:
        with tenancy.scope(practice):
            seen.append(set(model.objects.values_list("pk", flat=True)))
    with tenancy.every_organization():
        everything = set(model.objects.values_list("pk", flat=True))

    ours, theirs = seen
    assert ours
    assert theirs
    assert ours.isdisjoint(theirs)
    assert ours | theirs == everything


def test_related_rows_and_subqueries_stay_in_the_practice(two_practices):
    ours, theirs = two_practices
    with tenancy.every_organization():
        their_template = JourneyTemplate.objects.get(organization=theirs)

    with tenancy.scope(ours):
        assert not their_template.stages.exists()
        assert not theirs.patients.exists()
        assert Enrollment.objects.filter(patient__in=Patient.objects.all()).count() == 1


def test_queryset_built_before_the_scope_obeys_the_scope_it_runs_in(two_practices):
    ours, theirs = two_practices
    rows = Patient.objects.all()

    with tenancy.scope(ours):
        mine = {patient.organization_id for patient in rows.all()}
    with tenancy.scope(theirs):
        yours = {patient.organization_id for patient in rows.all()}

    assert (mine, yours) == ({ours.pk}, {theirs.pk})


def test_scopes_nest_and_do_not_reach_other_threads(organization, other_organization):
    assert tenancy.organization_in_scope() == organization.pk
    with tenancy.scope(other_organization):
        assert tenancy.in_scope(other_organization.pk)
        assert not tenancy.in_scope(organization.pk)
    assert tenancy.in_scope(organization.pk)

    failures = []

    def elsewhere() -> None:
        try:
            tenancy.organization_in_scope()
        except TenantScopeMissing as missing:
            failures.append(missing)

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert failures


@pytest.mark.parametrize("model", [Organization, User])
def test_log_in_needs_no_scope(db, model):
    assert not model._default_manager.exists()
