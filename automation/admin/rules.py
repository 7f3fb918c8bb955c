"""The rules: in words, with their versions and runs, and the ways to change them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any, Final

from django.contrib import admin
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.html import format_html_join
from django.utils.safestring import mark_safe
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from automation.actions.base import Practice
from automation.admin import badges
from automation.admin.for_whom import counts_for
from automation.admin.links import two_lines
from automation.admin.rule_pages import ADD, CHANGE, is_timeout
from automation.admin.runs import runs_of
from automation.admin.switching import OFF, ON, switch_page
from automation.admin.timeouts import edit_page, new_page
from automation.models.rule import AutomationRule, RuleVersion
from automation.models.run import RuleRun, RunStatus
from automation.sentences import RuleWords, words_of_rule
from journeys.admin import badges as journey_badges
from journeys.admin.filters import LogJourneyFilter
from journeys.selectors.history import definitions_by_key, event_label
from kura.accounts.tenant_admin import KnownChoiceFilter, ReadOnlyAdmin, editor_of

LATELY: Final = timedelta(days=30)
SHOWN_RUNS: Final = 10  # the rest is one link away, in the list of runs
SHOWN_VERSIONS: Final = 20
_COUNTED: Final = (RunStatus.DONE, RunStatus.REFUSED, RunStatus.FAILED, RunStatus.NOT_MATCHED)


class ActiveFilter(KnownChoiceFilter):
    title = _("state")
    parameter_name = "active"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:  # noqa: ARG002
        return [("yes", _("Switched on")), ("no", _("Switched off"))]

    def narrow(self, request: HttpRequest, rows: QuerySet[Any], choice: str) -> QuerySet[Any]:  # noqa: ARG002
        return rows.filter(is_active=choice == "yes")


@dataclass(frozen=True, slots=True)
class VersionLine:
    version: RuleVersion
    words: RuleWords
    is_current: bool


class RuleAdmin(ReadOnlyAdmin):
    empty_words = _("There are no rules yet. Whoever runs Kura can install the ready ones.")
    list_display = ("name", "when_and_where", "active_and_version", "lately")
    list_filter = (ActiveFilter, LogJourneyFilter)
    ordering = ("trigger_event", "priority", "id")
    sortable_by = ()
    fields = ("name",)  # the page is its template
    change_list_template = "kura/rules.html"
    change_form_template = "kura/rule.html"

    def get_urls(self) -> list[URLPattern]:
        site, wrap = self.admin_site, self.admin_site.admin_view
        own = [
            path(
                f"<uuid:rule_id>/{kind}/",
                wrap(partial(switch_page, site, kind)),
                name=f"automation_automationrule_{kind}",
            )
            for kind in (ON, OFF)
        ]
        edit, new = wrap(partial(edit_page, site)), wrap(partial(new_page, site))
        own += [
            path("<uuid:rule_id>/timeout/", edit, name="automation_automationrule_timeout"),
            path("new-timeout/", new, name="automation_automationrule_newtimeout"),
        ]
        return own + super().get_urls()

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        editor = editor_of(request)
        may_add = editor.has_perm(ADD) and editor.organization_id is not None
        return super().changelist_view(request, {"may_add": may_add} | (extra_context or {}))

    def prepare(self, rows: list[Any]) -> list[Any]:
        known = definitions_by_key({row.journey_key for row in rows if row.journey_key})
        counts = _counts([row.pk for row in rows])
        for row in rows:
            found = known.get((row.organization_id, row.journey_key))
            row.journey_name = found.name if found else row.journey_key
            row.counts = [(status, counts.get((row.pk, status), 0)) for status in _COUNTED]
        return rows

    def beside(self, request: HttpRequest, obj: Any) -> dict[str, Any]:
        practice = Practice(organization=obj.organization)
        return {
            "may_change": obj.archived_at is None and editor_of(request).has_perm(CHANGE),
            "is_timeout": is_timeout(obj),
            "counts_for": counts_for(obj.visits_from) if is_timeout(obj) else "",
            "words": words_of_rule(obj.definition, practice),
            "versions": _versions(obj, practice),
            "runs": runs_of(obj.pk, SHOWN_RUNS),
        }

    @admin.display(description=_("when"))
    def when_and_where(self, row: AutomationRule) -> str:
        journey = getattr(row, "journey_name", "") or _("any journey")
        return two_lines(event_label(row.trigger_event), journey)

    @admin.display(description=_("state"))
    def active_and_version(self, row: AutomationRule) -> str:
        version = gettext("version %(version)s") % {"version": row.version}
        return two_lines(journey_badges.html(badges.of_rule(row)), version)

    @admin.display(description=_("last 30 days"))
    def lately(self, row: AutomationRule) -> str:
        counted = [(status, n) for status, n in getattr(row, "counts", ()) if n]
        told = [(badges.of_outcome(status).word, n) for status, n in counted]
        return format_html_join(mark_safe("<br>"), "{}: {}", told) or str(_("no run"))


def _counts(rules: list[Any]) -> dict[tuple[Any, str], int]:
    """Runs of the last days by rule and outcome: one query for all rules of the page."""
    recent = RuleRun.objects.filter(rule__in=rules, started_at__gte=timezone.now() - LATELY)
    counted = recent.order_by().values_list("rule", "status").annotate(Count("pk"))
    return {(rule, status): number for rule, status, number in counted}


def _versions(rule: AutomationRule, practice: Practice) -> list[VersionLine]:
    versions = RuleVersion.objects.filter(rule=rule).select_related("published_by")
    return [
        VersionLine(one, words_of_rule(one.definition, practice), one.version == rule.version)
        for one in versions.order_by("-version")[:SHOWN_VERSIONS]
    ]
