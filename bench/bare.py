"""The least that a Django REST framework view does: one row by its key, told as JSON.

No caller, no limit, no scope, no version, no language. It reads and tells all columns of a patient
through the same middleware, so what is left of its pace is the price of what the API promises.
"""

from __future__ import annotations

import uuid

from django.db.models import Model
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from kura import tenancy
from patients.models import Patient


class BareView(APIView):
    authentication_classes = ()
    permission_classes = ()
    schema = None

    def get(self, request: Request, patient_id: uuid.UUID) -> Response:  # noqa: ARG002
        with tenancy.every_organization():
            return Response(_columns(Patient.objects.get(pk=patient_id)))


def _columns(row: Model) -> dict[str, object]:
    return {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields}
