"""What the editor of a rule works on, and the page that shows it.

`Desk` is one request about one rule; `Draft` is what stands in the form, what it says as a
definition and what is wrong with it. The editor and the publishing both answer with `show`.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import Any, Final

from django.contrib.admin import AdminSite
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import formats
from django.utils.translation import gettext as _

from automation import errors
from automation.actions.base import Practice
from automation.admin.dry_runs import Card, card_of, days_asked
from automation.admin.rule_form.buttons import Edited, settled
from automation.admin.rule_form.choices import Vocabulary
from automation.admin.rule_form.fields import Mistake, RuleForm
from automation.admin.rule_form.posting import as_posted, posted_rows
from automation.admin.rule_form.rows import RuleRows, rows_of
from automation.admin.rule_form.written import Reading, definition_of, without_unreadable
from automation.comparison import changes_between, changes_told
from automation.definition import DEFAULT_PRIORITY, normal
from automation.models.rule import AutomationRule
from automation.problems import Problem
from automation.sentences import words_of_rule
from automation.services.rules import UNPUBLISHED
from automation.validation import problems_of
from kura.accounts.models import Organization, User

MOST_MISSING: Final = 3  # that the bar names
DRY_RUN: Final = "dry_run"  # the button of the card that tries the rule


@dataclass(frozen=True)
class Desk:
    """One request about one rule, or about one that is still to be made."""

    site: AdminSite
    request: HttpRequest
    editor: User
    organization: Organization
    rule: AutomationRule | None = None

    @cached_property
    def practice(self) -> Practice:
        return Practice(organization=self.organization)

    @cached_property
    def point(self) -> str:
        return str(formats.get_format("DECIMAL_SEPARATOR"))

    @property
    def is_published(self) -> bool:
        return self.rule is not None and self.rule.version != UNPUBLISHED

    @property
    def published(self) -> Mapping[str, Any] | None:
        """The definition that runs, or would if it were switched on."""
        return self.rule.definition if self.rule is not None and self.is_published else None

    @property
    def seen(self) -> str:
        return self.rule.updated_at.isoformat() if self.rule else ""

    @property
    def seen_at(self) -> datetime | None:
        """As the page says; a moment at which nothing changed, when it does not say."""
        if self.rule is None:
            return None
        try:
            return datetime.fromisoformat(self.request.POST.get("seen", ""))
        except ValueError:
            return datetime.min  # noqa: DTZ901  equals no time of the database

    @property
    def is_outdated(self) -> bool:
        return self.rule is not None and self.seen_at != self.rule.updated_at

    @property
    def next_version(self) -> int:
        return self.rule.version + 1 if self.rule else 1

    @property
    def url(self) -> str:
        """Of the rule's page; of the list for a rule that is not made yet."""
        if self.rule is None:
            return reverse("admin:automation_automationrule_changelist")
        return reverse("admin:automation_automationrule_change", args=[self.rule.pk])

    def fresh(self) -> Desk:
        return self if self.rule is None else replace(self, rule=loaded(self.rule.pk))

    def show(self, template: str, context: Mapping[str, Any], status: int = 200) -> HttpResponse:
        common = {"rule": self.rule, "rule_url": self.url, "seen": self.seen}
        everything = {**self.site.each_context(self.request), **common, **context}
        return render(self.request, template, everything, status=status)


@dataclass(frozen=True)
class Draft:
    """What stands in the form now, and what it says as a definition."""

    desk: Desk
    edited: Edited
    is_checked: bool = False
    is_conflict: bool = False
    refusal: str = ""

    @property
    def rows(self) -> RuleRows:
        return self.edited.rows

    @cached_property
    def words(self) -> Vocabulary:
        return Vocabulary(self.desk.practice, self.rows.trigger_event, self.rows.journey)

    @cached_property
    def said(self) -> dict[str, Any]:
        return definition_of(self.rows, self.reading)

    @property
    def reading(self) -> Reading:
        return Reading(self.words.field, self.desk.point)

    @cached_property
    def problems(self) -> Sequence[Problem]:
        return problems_of(self.said, self.desk.practice)

    @cached_property
    def told(self) -> dict[str, Any]:
        """As it is compared and told: whole when it is valid, else as far as it can be read."""
        if not self.problems:
            return normal(self.said)
        readable = definition_of(without_unreadable(self.rows), self.reading)
        return readable | {"priority": readable.get("priority", DEFAULT_PRIORITY)}

    @property
    def says_what_is_published(self) -> bool:
        return not self.problems and normal(self.said) == self.desk.published


@dataclass(frozen=True, kw_only=True, slots=True)
class Unpublishable:
    """Why the draft cannot be published. `missing`: what is still to be filled in or corrected, the
    first of it, and how much `more`; nothing: it says what is published.
    """

    missing: Sequence[Mistake] = ()
    more: int = 0


def posted_draft(desk: Desk) -> Draft:
    rows = posted_rows(desk.request.POST)
    words = Vocabulary(desk.practice, rows.trigger_event, rows.journey)
    is_checked = desk.request.POST.get("checked") == "1"
    return Draft(desk, Edited(settled(rows, words)), is_checked)


def organization_of(editor: User) -> Organization:
    if editor.organization is None:
        raise PermissionDenied(
            _("You belong to no practice. Log in as somebody who works there to add this.")
        )
    return editor.organization


def loaded(rule_id: uuid.UUID) -> AutomationRule:
    return get_object_or_404(AutomationRule.objects.select_related("organization"), pk=rule_id)


# --- the page -----------------------------------------------------------------------------------


def conflict(draft: Draft, refusal: str) -> HttpResponse:
    """Nothing was changed. All that was typed is still there, beside what the other one says."""
    fresh = draft.desk.fresh()
    if fresh.rule is not None and fresh.rule.archived_at:
        refusal = str(errors.RuleArchived())
    return show(replace(draft, desk=fresh, is_conflict=True, refusal=refusal), status=409)


def show(draft: Draft, status: int = 200) -> HttpResponse:
    """At most: rule, practice, and what every page of the workplace asks."""
    desk = draft.desk
    form = RuleForm(draft.rows, draft.said, draft.words, desk.point)
    if draft.is_checked:
        form.show(draft.problems)
    focus = draft.edited.focus
    if draft.refusal and not draft.is_conflict:
        focus = form.first_mistake
    form.focus(focus)
    context = {
        "title": _("Edit %(rule)s") % {"rule": desk.rule.name} if desk.rule else _("New rule"),
        "form": form,
        "draft": draft,
        "mistakes": form.mistakes,
        "said": draft.edited.said,
        "focus": focus,
        "is_published": desk.is_published,
        "next_version": desk.next_version,
        "unpublishable": _unpublishable(draft, form),
        "card": _dry_run(draft, form),
        **_told(draft),
    }
    return desk.show("kura/rule_edit.html", context, status)


def _unpublishable(draft: Draft, form: RuleForm) -> Unpublishable | None:
    """None for what can be published."""
    if draft.problems:
        found = form.told(draft.problems)
        return Unpublishable(missing=found[:MOST_MISSING], more=len(found) - MOST_MISSING)
    return Unpublishable() if draft.says_what_is_published else None


def _told(draft: Draft) -> dict[str, Any]:
    """Published and draft side by side, and what differs."""
    desk = draft.desk
    said = words_of_rule(draft.told, desk.practice)
    told: dict[str, Any] = {"words": said}
    if desk.published is not None:
        is_new = desk.published != draft.told
        before = words_of_rule(desk.published, desk.practice) if is_new else said
        told["published_words"] = before
        told["changes"] = changes_told(desk.published, before, draft.told, said)
    if draft.is_conflict and desk.rule is not None and desk.rule.draft is not None:
        other = rows_of(desk.rule.draft, desk.point)
        words = Vocabulary(desk.practice, other.trigger_event, other.journey)
        theirs = definition_of(other, Reading(words.field, desk.point))
        told["their_draft"] = changes_between(theirs, draft.told, desk.practice)
    return told


def _dry_run(draft: Draft, form: RuleForm) -> Card:
    """Of what stands in the form, kept or not; nothing is tried before somebody asks."""
    desk = draft.desk
    is_asked = DRY_RUN in desk.request.POST
    return card_of(
        desk.request,
        practice=desk.practice,
        definition=draft.said,
        published=desk.rule if desk.is_published else None,
        days=days_asked(desk.request) if is_asked else None,
        post_to=desk.request.path,
        hidden={},
        naming=form.told,
        edit_url="",
    )


def hidden(draft: Draft) -> list[tuple[str, str]]:
    """The form as a page carries it that does not show it."""
    return [("seen", draft.desk.request.POST.get("seen", "")), *as_posted(draft.rows)]
