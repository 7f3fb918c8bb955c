"""A flood of one organization does not hold back another's event."""

from __future__ import annotations

import pytest

from automation import dispatch
from automation.models import EventDispatch
from kura import tenancy
from tests.automation.practice import drain, tell
from tests.factories import OrganizationFactory, PatientFactory
from tests.sizes import sized


@pytest.mark.soak
def test_a_flood_of_one_practice_lets_one_event_of_another_pass_after_a_handful(db):
    flooding, other = OrganizationFactory(), OrganizationFactory()
    with tenancy.scope(flooding):
        for patient in [PatientFactory(organization=flooding) for _ in range(20)]:
            for number in range(sized(reduced=10, full=100)):
                tell(patient, "CUSTOM.flood", f"{patient.pk}-{number}")
    with tenancy.scope(other):
        one = tell(PatientFactory(organization=other), "CUSTOM.single").event_id

    drain()

    with tenancy.every_organization():
        ended = EventDispatch.objects.get(pk=one).finished_at
        told = EventDispatch.objects.filter(event__event_type="CUSTOM.flood", status="done")
        before = told.filter(finished_at__lt=ended).count()
        assert told.count() == 20 * sized(reduced=10, full=100)
    assert before <= dispatch.AT_ONCE
