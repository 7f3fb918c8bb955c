"""A patient as the API tells them."""

from __future__ import annotations

from typing import Any, Final

from rest_framework import serializers

from kura.api.fields import Moment
from patients.models import Patient


class PatientRecord(serializers.Serializer[Patient]):
    """`journey_status`: of each journey the stage, as the log says it (Spec 2.1)."""

    id = serializers.UUIDField()
    external_id = serializers.CharField(allow_null=True)
    full_name = serializers.CharField()
    email = serializers.CharField()
    phone = serializers.CharField()
    language = serializers.CharField()
    timezone = serializers.CharField()
    therapist_id = serializers.UUIDField(allow_null=True)
    journey_status = serializers.DictField(child=serializers.CharField())
    version = serializers.IntegerField()
    created_at = Moment()
    updated_at = Moment()


_NAMES: Final = tuple(PatientRecord().fields)


def patient_told(patient: Patient) -> dict[str, Any]:
    """What `PatientRecord` would tell; the renderer writes ids and times as its fields do."""
    return {name: getattr(patient, name) for name in _NAMES}
