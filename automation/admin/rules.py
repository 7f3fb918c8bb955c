"""The rules: in words, with their versions and runs, and the ways to change them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final

from django.contrib import admin
from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.html import format_html_join
from django.utils.safestring import mark_safe
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from automation.admin import badges
from automation.admin.dry_runs import dry_run_page
from automation.admin.links import two_lines
from automation.admin.rule_acts import ACTS, act_page
from automation.admin.rule_editor import edit_page, new_page
from automation.admin.rule_form.params import CUSTOM
from automation.admin.rule_page import LATELY, rule_page
from automation.admin.rule_pages import ADD
from automation.admin.switching import OFF, ON, switch_page
from automation.models.rule import AutomationRule
from automation.models.run import RuleRun, RunStatus
from journeys.admin import badges as journey_badges
from journeys.admin.filters import LogJourneyFilter
from journeys.event_types import EVENT_TYPES
from journeys.models.template import JourneyTemplate
from journeys.selectors.history import event_label
from kura.accounts.tenant_admin import KnownChoiceFilter, ReadOnlyAdmin, editor_of

_COUNTED: Final = (RunStatus.DONE, RunStatus.REFUSED, RunStatus.FAILED, RunStatus.NOT_MATCHED)


class StateFilter(KnownChoiceFilter):
    """Without a choice what is archived is out of the way."""

    title = _("state")
    parameter_name = "active"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:  # noqa: ARG002
        return [
            ("yes", _("Switched on")),
            ("no", _("Switched off")),
            ("draft", _("With a draft")),
            ("archived", _("Archived")),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        wants_archived = self.value() == "archived"
        rows = queryset.filter(archived_at__isnull=not wants_archived)
        return super().queryset(request, rows)

    def narrow(self, request: HttpRequest, rows: QuerySet[Any], choice: str) -> QuerySet[Any]:  # noqa: ARG002
        if choice == "draft":
            return rows.filter(draft__isnull=False)
        return rows if choice == "archived" else rows.filter(is_active=choice == "yes")


class TriggerFilter(KnownChoiceFilter):
    title = _("when")
    parameter_name = "when"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:  # noqa: ARG002
        own = (CUSTOM, _("An event of your own"))
        return [*((name, event_label(name)) for name in EVENT_TYPES), own]

    def narrow(self, request: HttpRequest, rows: QuerySet[Any], choice: str) -> QuerySet[Any]:  # noqa: ARG002
        if choice == CUSTOM:
            return rows.filter(trigger_event__startswith=CUSTOM)
        return rows.filter(trigger_event=choice)


class RuleAdmin(ReadOnlyAdmin):
    empty_words = _("There are no rules here. Build one, or install a ready one.")
    list_display = ("name", "when_and_where", "active_and_version", "lately")
    list_filter = (StateFilter, TriggerFilter, LogJourneyFilter)
    search_fields = ("name",)
    ordering = ("trigger_event", "priority", "id")
    sortable_by = ()
    fields = ("name",)  # the page is its template
    change_list_template = "kura/rules.html"
    change_form_template = "kura/rule.html"

    def get_urls(self) -> list[URLPattern]:
        pages: dict[str, Callable[..., HttpResponse]] = {
            **{kind: partial(switch_page, self.admin_site, kind) for kind in (ON, OFF)},
            **{kind: partial(act_page, self.admin_site, kind) for kind in ACTS},
            "edit": partial(edit_page, self.admin_site),
        }
        own = [self._path(f"<uuid:rule_id>/{kind}/", kind, page) for kind, page in pages.items()]
        tried = partial(dry_run_page, self.admin_site)
        own.append(self._path("<uuid:rule_id>/dry-run/", "dryrun", tried))
        own.append(self._path("new/", "new", partial(new_page, self.admin_site)))
        return own + super().get_urls()

    def _path(self, route: str, kind: str, page: Callable[..., HttpResponse]) -> URLPattern:
        view = self.admin_site.admin_view(page)
        return path(route, view, name=f"automation_automationrule_{kind}")

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        editor = editor_of(request)
        may_add = editor.has_perm(ADD) and editor.organization_id is not None
        return super().changelist_view(request, {"may_add": may_add} | (extra_context or {}))

    def get_queryset(self, request: HttpRequest) -> QuerySet[AutomationRule]:
        """With the name of the journey: one query for the whole page."""
        found: QuerySet[AutomationRule] = super().get_queryset(request)
        journeys = JourneyTemplate.objects.filter(
            organization=OuterRef("organization"), key=OuterRef("journey_key")
        )
        return found.annotate(journey_name=Subquery(journeys.values("name")[:1]))

    def prepare(self, rows: list[Any]) -> list[Any]:
        counts = _counts([row.pk for row in rows])
        for row in rows:
            row.counts = [(status, counts.get((row.pk, status), 0)) for status in _COUNTED]
        return rows

    def beside(self, request: HttpRequest, obj: Any) -> dict[str, Any]:
        return rule_page(obj, editor_of(request), timezone.now())

    @admin.display(description=_("when"))
    def when_and_where(self, row: AutomationRule) -> str:
        journey = getattr(row, "journey_name", None) or row.journey_key or _("any journey")
        return two_lines(event_label(row.trigger_event) or "–", journey)

    @admin.display(description=_("state"))
    def active_and_version(self, row: AutomationRule) -> str:
        told = gettext("version %(version)s") if row.version else gettext("never published")
        if row.version and row.draft is not None:
            told = gettext("version %(version)s, with a draft")
        words = told % {"version": row.version}
        return two_lines(journey_badges.html(badges.of_rule(row)), words)

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
