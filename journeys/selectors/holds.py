"""Who is on hold where: whoever moves a patient in one journey should know of the others."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterable, Mapping

from journeys.models.enrollment import Enrollment
from journeys.models.template import StageStatus


def holds_besides(
    patient_ids: Iterable[uuid.UUID], journey_key: str = ""
) -> Mapping[uuid.UUID, list[str]]:
    """The names of the journeys that hold each patient, `journey_key` left out. One query."""
    held = Enrollment.objects.filter(
        patient__in=list(patient_ids), closed_at__isnull=True, status=StageStatus.ON_HOLD
    ).exclude(journey_key=journey_key)
    found: dict[uuid.UUID, list[str]] = defaultdict(list)
    for patient, name in held.order_by("entered_at", "id").values_list("patient", "template__name"):
        found[patient].append(name)
    return found
