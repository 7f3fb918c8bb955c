"""The same decision sent twice at the same moment is one decision."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import connection
from django.urls import reverse

from automation.models import DispatchDecision, EventDispatch
from journeys.models import SystemEventLog
from kura import tenancy
from tests.admin.conftest import logged_in, make_practice, plain_http

__all__ = ["plain_http"]

REASON = "La clínica ya arregló el formulario"
VERBS = {"retry": "dead", "skip": "dead", "link": "unmatched", "replay": "refused"}


@pytest.mark.parametrize("verb", VERBS)
def test_two_clicks_at_once_make_one_decision(committed_db, plain_http, verb):
    ours = make_practice("Om")
    event = getattr(ours.automated, VERBS[verb])
    url = reverse(f"admin:journeys_systemeventlog_{verb}", args=[event.pk])
    fields = {"reason": REASON, "seen": "", "patient": str(ours.patient.pk), "q": "Marta"}
    clients = [logged_in(ours.therapist) for _ in range(2)]
    together = Barrier(2)

    def click(client) -> int:
        together.wait()
        try:
            return client.post(url, fields).status_code
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(click, clients))

    with tenancy.every_organization():
        assert DispatchDecision.objects.filter(event=event).count() == 1
        assert EventDispatch.objects.get(pk=event.pk).status in {"queued", "skipped"}
        linked = SystemEventLog.objects.filter(parent_event_id=event.pk, source=event.source)
        assert linked.count() == (verb == "link")
    assert answers == [302, 302]
