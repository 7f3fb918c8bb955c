"""What the pages that change a rule share: who may, the rule as it was opened, the page that says
that somebody was faster.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from django.contrib.admin import AdminSite
from django.core.exceptions import PermissionDenied
from django.forms import BoundField
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext as _

from automation import errors
from automation.judging import TIMEOUT
from automation.models.rule import AutomationRule
from kura.accounts.models import User
from kura.accounts.tenant_admin import editor_of

CHANGE: Final = "automation.change_automationrule"
ADD: Final = "automation.add_automationrule"


@dataclass(frozen=True)
class Here:
    """One request about one rule. The page carries the rule's `updated_at` as it was opened."""

    site: AdminSite
    request: HttpRequest
    editor: User
    rule: AutomationRule

    @property
    def posted(self) -> bool:
        return self.request.method == "POST"

    @property
    def url(self) -> str:
        return reverse("admin:automation_automationrule_change", args=[self.rule.pk])

    @property
    def seen_at(self) -> datetime:
        """A time at which no rule was changed, when the page does not say."""
        try:
            return datetime.fromisoformat(self.request.POST.get("seen", ""))
        except ValueError:
            return datetime.min  # noqa: DTZ901  equals no time of the database

    @property
    def is_outdated(self) -> bool:
        return self.posted and self.seen_at != self.rule.updated_at

    def fresh(self) -> Here:
        return replace(self, rule=_load(self.rule.pk))

    def show(self, template: str, context: dict[str, Any], status: int = 200) -> HttpResponse:
        common = {"rule": self.rule, "rule_url": self.url, "seen": self.rule.updated_at.isoformat()}
        everything = {**self.site.each_context(self.request), **common, **context}
        return render(self.request, template, everything, status=status)

    def conflict(self, sentence: str, typed: Sequence[BoundField] = ()) -> HttpResponse:
        """Nothing was changed; what was typed is there to be copied."""
        words = {"title": _("Nothing was changed"), "sentence": sentence, "fields": typed}
        return self.show("kura/rule_conflict.html", words, status=409)


def opened(site: AdminSite, request: HttpRequest, rule_id: uuid.UUID) -> Here:
    """RuleNotPermitted before anybody learns whether there is such a rule."""
    return Here(site, request, editor_who_may(request, CHANGE), _load(rule_id))


def editor_who_may(request: HttpRequest, permission: str) -> User:
    editor = editor_of(request)
    if not editor.has_perm(permission):
        raise PermissionDenied(str(errors.RuleNotPermitted()))
    return editor


def is_timeout(rule: AutomationRule) -> bool:
    return rule.trigger_event == TIMEOUT


def _load(rule_id: uuid.UUID) -> AutomationRule:
    return get_object_or_404(AutomationRule.objects.select_related("organization"), pk=rule_id)
