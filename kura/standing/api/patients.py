"""`/patients`: who they are, and on request where they stand."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any, Final

from django.db import transaction
from django.db.models import Q, QuerySet
from django.urls import reverse
from django.utils import timezone
from rest_framework import serializers
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from journeys.api.moves import LONGEST
from journeys.errors import PatientNotFound
from kura.api.fields import Moment, QueryFlag
from kura.api.pagination import Ordering, PageQuery, page_of
from kura.api.scopes import JOURNEYS_READ, JOURNEYS_WRITE, PATIENTS_READ
from kura.api.serializers import Query
from kura.api.versions import etag, require_current, versioned
from kura.api.views import ApiView
from kura.standing.api.causes import cause_of
from kura.standing.api.journey import Journey, told
from kura.standing.journey import journeys_of
from kura.standing.limits import Limits, limits_at
from kura.standing.people import who_have
from kura.standing.worklist import Asked, Which
from patients.api.contact import NewPatient, PatientChange
from patients.api.told import PatientRecord, patient_told
from patients.errors import DuplicatePatient
from patients.models import Patient
from patients.selectors import patient_of, search
from patients.services import change_contact, create_patient

ORDERINGS: Final[Mapping[str, Ordering]] = {
    "-created_at": Ordering("-created_at"),
    "created_at": Ordering("created_at"),
    "full_name": Ordering("sort_key", personal=("sort_key",)),
    "-full_name": Ordering("-sort_key", personal=("sort_key",)),
}
NEWEST: Final = "-created_at"
CLAIMS: Final = ("blocked", "overdue", "action_required")


class PatientWithJourneys(PatientRecord):
    """`journeys`: only when asked for by `expand=journeys`."""

    journeys = Journey(many=True, required=False)


class PatientQuery(Query):
    expand = serializers.ChoiceField(choices=["journeys"], required=False)


class PatientsQuery(PageQuery, PatientQuery):
    """`journey_key` and `stage`: the newest enrollment of a journey, finished ones too."""

    search = serializers.CharField(required=False, max_length=200)
    journey_key = serializers.CharField(required=False, max_length=LONGEST)
    stage = serializers.CharField(required=False, max_length=LONGEST)
    blocked = QueryFlag(required=False)
    overdue = QueryFlag(required=False)
    action_required = QueryFlag(required=False)
    changed_after = Moment(required=False)
    ordering = serializers.ChoiceField(choices=list(ORDERINGS), default=NEWEST)


class PatientsView(ApiView):
    summaries = {"GET": "List patients", "POST": "Create a patient"}
    scopes = {"GET": PATIENTS_READ, "POST": JOURNEYS_WRITE}
    queries = {"GET": PatientsQuery}
    bodies = {"POST": NewPatient}
    answers = {"GET": {200: page_of(PatientWithJourneys)}, "POST": {201: PatientRecord}}
    located = ("POST",)
    refusals = {"POST": (DuplicatePatient,)}

    def get(self, request: Request) -> Response:
        expands = _may_expand(self)
        rows = _chosen(self.query, limits_at(timezone.now()))
        ordering = ORDERINGS[self.query["ordering"]]
        return ordering.page(
            request, rows, self.query, lambda found: _told(self, found, expands=expands)
        )

    def post(self, request: Request) -> Response:  # noqa: ARG002
        contact = self.body(NewPatient)
        patient = create_patient(organization=self.caller.organization, contact=contact)
        where = reverse("api-patient", args=[patient.pk])
        headers = {"Location": where, "ETag": etag(patient.version)}
        return Response(patient_told(patient), status=201, headers=headers)


class PatientView(ApiView):
    summaries = {"GET": "Read a patient", "PATCH": "Change a patient's contact data"}
    scopes = {"GET": PATIENTS_READ, "PATCH": JOURNEYS_WRITE}
    queries = {"GET": PatientQuery}
    bodies = {"PATCH": PatientChange}
    answers = {"GET": {200: PatientWithJourneys}, "PATCH": {200: PatientRecord}}
    preconditions = {"GET": ("If-None-Match",), "PATCH": ("If-Match",)}
    refusals = {"GET": (PatientNotFound,), "PATCH": (PatientNotFound, DuplicatePatient)}
    cache_control = "private, no-cache"

    def get(self, request: Request, patient_id: uuid.UUID) -> Response:
        """With journeys it is never 304: what they say changes with the clock too."""
        expands = _may_expand(self)
        patient = found(patient_id)
        if not expands:
            return versioned(request, patient.version, lambda: patient_told(patient))
        [one] = _told(self, [patient], expands=True)
        return Response(one, headers={"ETag": etag(patient.version)})

    def patch(self, request: Request, patient_id: uuid.UUID) -> Response:
        """Contact data alone. Answers with the whole patient, so it needs `patients:read` too."""
        if not self.caller.may(PATIENTS_READ):
            raise PermissionDenied
        contact = self.body(PatientChange)
        with transaction.atomic():
            patient = found(patient_id, Patient.objects.select_for_update(no_key=True))
            require_current(request, patient.version)
            patient = change_contact(patient=patient, contact=contact)
        return Response(patient_told(patient), headers={"ETag": etag(patient.version)})


def found(patient_id: uuid.UUID, rows: QuerySet[Patient] | None = None) -> Patient:
    """PatientNotFound, whoever else knows such a patient."""
    patient = patient_of(patient_id) if rows is None else rows.filter(pk=patient_id).first()
    if patient is None:
        raise PatientNotFound
    return patient


def _may_expand(view: ApiView) -> bool:
    """Whether journeys are asked for. PermissionDenied when the caller may not read them."""
    if "expand" not in view.query:
        return False
    if not view.caller.may(JOURNEYS_READ):
        raise PermissionDenied
    return True


def _told(view: ApiView, patients: list[Patient], *, expands: bool) -> list[Any]:
    """A fixed number of queries, however many patients."""
    if not expands:
        return [patient_told(one) for one in patients]
    limits, reader = limits_at(timezone.now()), cause_of(view.caller)
    journeys = journeys_of([one.pk for one in patients], limits, reader=reader)
    return [
        {**patient_told(one), "journeys": told(journeys[one.pk], view.caller)} for one in patients
    ]


def _chosen(query: Mapping[str, Any], limits: Limits) -> QuerySet[Patient]:
    rows = search(Patient.objects.filter(_having(query, limits)), query.get("search", ""))
    if "changed_after" in query:
        rows = rows.filter(updated_at__gte=query["changed_after"])
    return rows


def _having(query: Mapping[str, Any], limits: Limits) -> Q:
    """With a journey or a stage named, one enrollment is all that is asked for. Else each claim is
    about the person: not blocked is who is blocked nowhere.
    """
    claims = {name: query[name] for name in CLAIMS if name in query}
    place = {name: query[name] for name in ("journey_key", "stage") if name in query}
    if place:
        return who_have(Asked(which=Which.NEWEST, **place, **claims), limits)
    true: dict[str, Any] = {name: True for name, said in claims.items() if said}
    having = who_have(Asked(**true), limits)
    for name in claims.keys() - true.keys():
        claimed: dict[str, Any] = {name: True}
        having &= ~who_have(Asked(**claimed), limits)
    return having
