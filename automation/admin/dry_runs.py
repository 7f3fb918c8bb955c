"""The dry run: what a rule would have done, as a card that any page about a rule can hold.

Whoever may read a rule may try it: it only reads, and what the reader may not see of patients and
events is left out (`automation.selectors.tried`). Here is no state: the period is in the address,
and the result names the definition that it is about, so that an editor can tell that it is old.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from django.contrib.admin import AdminSite
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import formats, timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from automation.actions.base import Practice
from automation.admin.rule_form.choices import Vocabulary
from automation.admin.rule_form.fields import Mistake, RuleForm
from automation.admin.rule_form.rows import rows_of
from automation.admin.sight import sight_of
from automation.backtest import MOST_EVENTS, backtest, digest_of, is_what_runs
from automation.definition import normal
from automation.errors import BacktestTimeout
from automation.judging import TIMEOUT
from automation.models.rule import AutomationRule
from automation.problems import Problem
from automation.selectors.tried import Tried, tried
from automation.sentences import words_of_rule
from automation.services.rules import UNPUBLISHED
from automation.validation import problems_of
from kura.accounts.models import Organization, User
from kura.accounts.tenant_admin import editor_of

PERIODS: Final = (30, 90, 365)  # days
VIEW: Final = "automation.view_automationrule"
CHANGE: Final = "automation.change_automationrule"
DRAFT: Final = "draft"
PUBLISHED: Final = "published"
Definition = Mapping[str, Any]
Naming = Callable[[Sequence[Problem]], Sequence[Mistake]]


def days_asked(request: HttpRequest) -> int | None:
    """None when nothing was asked, or something that is no period."""
    given = request.POST.get("days") or request.GET.get("days") or ""
    return next((days for days in PERIODS if given == str(days)), None)


# --- the card -------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class Card:
    """`told` None: nothing was tried, or could be: `mistakes` of the definition, or `failure` in
    words. `edit_url`: of the page with its fields; "" where they are on this one, None for who may
    not go there. `outgrown`: why what runs could not be published any more; it is tried all the
    same. `is_stale`: what was tried before says nothing of the present definition. `post_to` "":
    the card has its own form.
    """

    days: int
    wider: int | None
    is_timeout: bool
    is_asked: bool
    told: Tried | None = None
    mistakes: Sequence[Mistake] = ()
    outgrown: tuple[Problem, ...] = ()
    failure: str = ""
    is_stale: bool = False
    post_to: str = ""
    hidden: Mapping[str, str]
    events_url: str
    edit_url: str | None = None

    @property
    def periods(self) -> tuple[int, ...]:
        return PERIODS

    @property
    def most(self) -> int:
        return MOST_EVENTS


def dry_run_card(
    request: HttpRequest,
    *,
    organization: Organization,
    definition: Definition,
    published: AutomationRule | None,
    days: int | None,
    post_to: str = "",
    hidden: Mapping[str, str] | None = None,
) -> SafeString:
    """The fragment `kura/_dry_run.html`. Needs the tenant scope.

    `definition` may have problems: the card says so. `days` None: nothing is tried yet. `post_to`:
    the address of the form that the card stands in; `hidden`: what its own form sends along.
    """
    card = card_of(
        request,
        practice=Practice(organization=organization),
        definition=definition,
        published=published,
        days=days,
        post_to=post_to,
        hidden=hidden or {},
    )
    return render_to_string("kura/_dry_run.html", {"card": card}, request)


def card_of(
    request: HttpRequest,
    *,
    practice: Practice,
    definition: Definition,
    published: AutomationRule | None,
    days: int | None,
    post_to: str = "",
    hidden: Mapping[str, str],
    naming: Naming | None = None,
    edit_url: str | None = None,
) -> Card:
    """`naming`: what the problems of the definition are called in its form."""
    found = tuple(problems_of(definition, practice))
    problems = () if found and is_what_runs(definition, published) else found
    chosen = days or PERIODS[0]
    common: dict[str, Any] = {
        "days": chosen,
        "wider": next((one for one in PERIODS if one > chosen), None),
        "is_timeout": definition.get("trigger_event") == TIMEOUT,
        "is_asked": days is not None,
        "post_to": post_to,
        "hidden": hidden,
        "events_url": _events_url(definition),
        "is_stale": _is_stale(request, definition, is_valid=not problems),
        "mistakes": (naming or named_by(definition, practice))(problems) if problems else (),
        "edit_url": edit_url,
        "outgrown": () if problems else found,
    }
    if days is None or problems:
        return Card(**common)
    try:
        told = _tried(request, practice, definition, published, chosen)
    except BacktestTimeout as refusal:
        return Card(**common, failure=str(refusal))
    return Card(**common | {"is_stale": False}, told=told)


def named_by(definition: Definition, practice: Practice) -> Naming:
    """By the form that the editor would show."""
    point = str(formats.get_format("DECIMAL_SEPARATOR"))
    rows = rows_of(definition, point)
    words = Vocabulary(practice, rows.trigger_event, rows.journey)
    return RuleForm(rows, definition, words, point).told


def _tried(
    request: HttpRequest,
    practice: Practice,
    definition: Definition,
    published: AutomationRule | None,
    days: int,
) -> Tried:
    now = timezone.now()
    found = backtest(
        organization=practice.organization,
        definition=definition,
        published=published,
        since=now - timedelta(days=days),
        until=now,
        now=now,
    )
    return tried(found, normal(definition), practice, sight_of(editor_of(request)))


def _is_stale(request: HttpRequest, definition: Definition, *, is_valid: bool) -> bool:
    """Something was tried, and since then the definition has changed."""
    before = request.POST.get("dry_run_of")
    return bool(before) and (not is_valid or before != digest_of(definition))


def _events_url(definition: Definition) -> str:
    kind = definition.get("trigger_event")
    page = reverse("admin:journeys_systemeventlog_changelist")
    return f"{page}?event={kind}" if isinstance(kind, str) else page


# --- the page -------------------------------------------------------------------------------------


def dry_run_page(site: AdminSite, request: HttpRequest, rule_id: uuid.UUID) -> HttpResponse:
    """The draft where there is one, unless the published version is asked for."""
    if not editor_of(request).has_perm(VIEW):
        raise PermissionDenied
    rules = AutomationRule.objects.select_related("organization")
    rule = get_object_or_404(rules, pk=rule_id)
    version = _version_asked(request, rule)
    definition = rule.definition if version == PUBLISHED else as_mapping(rule.draft)
    practice = Practice(organization=rule.organization)
    card = card_of(
        request,
        practice=practice,
        definition=definition,
        published=rule if rule.version != UNPUBLISHED else None,
        days=days_asked(request),
        hidden={"version": version},
        edit_url=edit_url_of(rule, editor_of(request)),
    )
    context = {
        "title": _("Dry run: %(rule)s") % {"rule": rule.name},
        "rule": rule,
        "rule_url": reverse("admin:automation_automationrule_change", args=[rule.pk]),
        "words": None if card.mistakes else words_of_rule(definition, practice),
        "version": version,
        "has_draft": rule.draft is not None and rule.version != UNPUBLISHED,
        "card": card,
    }
    return render(request, "kura/dry_run.html", {**site.each_context(request), **context})


def edit_url_of(rule: AutomationRule, reader: User) -> str | None:
    """None for who may not edit."""
    may_edit = reader.has_perm(CHANGE) and rule.archived_at is None
    return reverse("admin:automation_automationrule_edit", args=[rule.pk]) if may_edit else None


def _version_asked(request: HttpRequest, rule: AutomationRule) -> str:
    has_draft = rule.draft is not None
    return PUBLISHED if not has_draft or request.GET.get("version") == PUBLISHED else DRAFT


def as_mapping(draft: object) -> Definition:
    """A draft may be unfinished in any way."""
    return draft if isinstance(draft, dict) else {}
