"""What automation tells the pages that move one patient: why a block stands, what comes next."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from django.urls import reverse

from automation.admin.sight import sight_of
from automation.selectors.outlook import Cause, cause_of, held_back, on_arrival, waiting_messages
from automation.wording import source_words
from journeys.admin.outlook import Evidence, HeldBack, Lifted, Outlook, Value
from journeys.models.enrollment import Enrollment
from journeys.selectors.history import HistoryLine, event_label
from kura.accounts.models import User


class RulesOutlook(Outlook):
    def evidence(self, line: HistoryLine, reader: User) -> Evidence | None:
        cause = cause_of(line.log, sight_of(reader))
        return _evidence(cause) if cause else None

    def on_arrival(
        self, enrollment: Enrollment, stages: Collection[str]
    ) -> Mapping[str, Sequence[str]]:
        return on_arrival(enrollment, stages)

    def once_lifted(self, enrollment: Enrollment) -> Lifted:
        events = [
            HeldBack(
                event=event_label(event.event_type),
                url=reverse("admin:journeys_systemeventlog_replay", args=[event.pk]),
            )
            for event in held_back(enrollment)
        ]
        return Lifted(messages=waiting_messages(enrollment), events=events)


def _evidence(cause: Cause) -> Evidence:
    page = reverse("admin:journeys_systemeventlog_change", args=[cause.event.pk])
    return Evidence(
        rule=cause.rule,
        version=cause.version,
        run_url=f"{page}#run-{cause.run_id}" if cause.run_id else "",
        source=source_words(cause.event.source),
        values=[Value(name=n, words=w, decisive=d) for n, w, d in cause.values],
        hidden=cause.hidden,
    )
