"""What rules did: one line for each rule and event. A run is read on the page of its event, among
the other rules that listened to it.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from automation.admin import badges
from automation.admin.links import event_link, rule_link, two_lines
from automation.models.run import RuleRun, RunStatus
from automation.wording import error_words
from journeys.admin import badges as journey_badges
from journeys.admin.enrollments import patient_link
from journeys.selectors.history import definitions_by_key
from kura.accounts.tenant_admin import KnownChoiceFilter, ReadOnlyAdmin, moment


class OutcomeFilter(KnownChoiceFilter):
    title = _("outcome")
    parameter_name = "outcome"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:  # noqa: ARG002
        return [(status.value, badges.of_outcome(status).word) for status in RunStatus]

    def narrow(self, request: HttpRequest, rows: QuerySet[Any], choice: str) -> QuerySet[Any]:  # noqa: ARG002
        return rows.filter(status=choice)


class RunAdmin(ReadOnlyAdmin):
    empty_words = _("No rule has been asked yet. They are asked when an event comes in.")
    list_display = ("rule_name", "outcome", "event_name", "patient_and_journey", "when")
    list_display_links = None
    list_filter = (OutcomeFilter,)
    list_select_related = ("rule", "event__patient")
    sortable_by = ()

    def prepare(self, rows: list[Any]) -> list[Any]:
        known = definitions_by_key({row.target for row in rows if row.target})
        for row in rows:
            found = known.get((row.organization_id, row.target))
            row.journey_name = found.name if found else row.target
        return rows

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        """The page of a rule links to its own runs."""
        allowed: bool = super().lookup_allowed(lookup, value, request)  # type: ignore[arg-type]
        return allowed or lookup == "rule__id__exact"

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",  # noqa: ARG002
        extra_context: dict[str, Any] | None = None,  # noqa: ARG002
    ) -> HttpResponse:
        run = self.get_object(request, object_id)
        if run is None:
            raise Http404
        page = reverse("admin:journeys_systemeventlog_change", args=[run.event_id])
        return redirect(f"{page}#run-{run.pk}")

    @admin.display(description=_("rule"))
    def rule_name(self, row: RuleRun) -> str:
        return rule_link(row.rule)

    @admin.display(description=_("outcome"))
    def outcome(self, row: RuleRun) -> str:
        why = error_words(row.error or _code_of_refusal(row.actions))
        return two_lines(journey_badges.html(badges.of_outcome(RunStatus(row.status))), why)

    @admin.display(description=_("event"))
    def event_name(self, row: RuleRun) -> str:
        return event_link(row.event, anchor=f"#run-{row.pk}")

    @admin.display(description=_("patient"))
    def patient_and_journey(self, row: RuleRun) -> str:
        return two_lines(patient_link(row.event.patient), getattr(row, "journey_name", ""))

    @admin.display(description=_("when"))
    def when(self, row: RuleRun) -> str:
        return moment(row.started_at)


def _code_of_refusal(actions: Iterable[dict[str, Any]]) -> str:
    codes = (one.get("error_code") for one in actions if one.get("status") == "refused")
    return next(codes, "") or ""


def runs_of(rule_id: uuid.UUID, most: int) -> list[RuleRun]:
    runs = RuleRun.objects.filter(rule=rule_id).select_related("event__patient")
    return list(runs.order_by("-started_at", "-id")[:most])
