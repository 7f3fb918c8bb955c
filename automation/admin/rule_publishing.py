"""Publishing out of the editor: what the rule would do from now on, then the next version.

A draft with problems is refused, with each problem beside its field. Else a page says what
changes and asks: for whom a time-out counts, with the numbers of people. A chain of rules without
end is told there, before anything is written.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from django import forms
from django.contrib import messages
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _

from automation import errors
from automation.admin.for_whom import (
    ForWhomForm,
    StillForWhomForm,
    choices_of,
    newly_words,
    still_choices_of,
)
from automation.admin.rule_draft import Desk, Draft, conflict, hidden, show
from automation.comparison import changes_between
from automation.definition import normal
from automation.judging import TIMEOUT
from automation.models.rule import AutomationRule
from automation.selectors.rules import cycle_through
from automation.selectors.stale import people_newly_due
from automation.sentences import words_of_rule
from automation.services.rules import create_rule, hold_rules, publish, set_active

RULE = "admin:automation_automationrule_change"


@dataclass(frozen=True)
class Question:
    """For whom a time-out counts. `newly`: whom the next check would announce at once."""

    form: ForWhomForm | StillForWhomForm | None = None
    newly: int = 0

    @property
    def is_answered(self) -> bool:
        return self.form is None or self.form.is_valid()

    @property
    def also_waiting(self) -> bool | None:
        return None if self.form is None else self.form.also_waiting


def publish_page(draft: Draft) -> HttpResponse:
    desk = draft.desk
    if draft.problems:
        return show(replace(draft, is_checked=True, refusal=_refusal()))
    if desk.is_outdated:
        if draft.says_what_is_published:  # a click that was sent twice
            return _done(desk, is_new=True)
        return conflict(draft, str(errors.RuleChanged()))
    question = _question(draft)
    is_confirmed = desk.request.POST.get("confirmed") == "1"
    if not (is_confirmed and question.is_answered):
        return _ask(draft, question)
    return _publish(draft, question)


def _refusal() -> str:
    return _("It cannot be published yet. What is missing or wrong is marked below.")


def _publish(draft: Draft, question: Question) -> HttpResponse:
    try:
        made, is_new = _written(draft, question.also_waiting)
    except (errors.RuleChanged, errors.RuleArchived) as refusal:
        return conflict(draft, str(refusal))
    except errors.InvalidRule:  # a journey changed meanwhile
        return show(replace(draft, is_checked=True, refusal=_refusal()))
    except errors.RuleCycle as refusal:
        return show(replace(draft, is_checked=True, refusal=str(refusal)))
    return _done(replace(draft.desk, rule=made), is_new=is_new)


@transaction.atomic
def _written(draft: Draft, also_waiting: bool | None) -> tuple[AutomationRule, bool]:
    """The rule, and whether it says something new. A rule's first version is switched on."""
    desk = draft.desk
    if desk.rule is None:
        return _made(draft, also_waiting=bool(also_waiting)), True
    published = publish(
        rule_id=desk.rule.pk,
        user=desk.editor,
        expected_version=desk.rule.version,
        definition=draft.said,
        seen_at=desk.seen_at,
        also_waiting=also_waiting,
    )
    if not desk.is_published:
        published = set_active(
            rule_id=published.pk,
            is_active=True,
            user=desk.editor,
            also_waiting=bool(also_waiting),
        )
    return published, published.version != desk.rule.version


def _made(draft: Draft, *, also_waiting: bool) -> AutomationRule:
    """One rule, also for a click that was sent twice: the second finds the first one's."""
    desk = draft.desk
    hold_rules(desk.organization.pk)
    said = normal(draft.said)
    named = AutomationRule.objects.filter(
        organization=desk.organization, archived_at=None, name=said["name"], is_active=True
    )
    for rule in named:
        if rule.definition == said:
            return rule
    return create_rule(
        organization=desk.organization,
        definition=draft.said,
        user=desk.editor,
        also_waiting=also_waiting,
    )


def _done(desk: Desk, *, is_new: bool) -> HttpResponse:
    rule = desk.rule
    if rule is None:
        return redirect(desk.url)
    words = (
        _("Version %(version)s is published.")
        if is_new
        else _("Nothing was changed: version %(version)s says the same already.")
    )
    told = [words % {"version": rule.version}]
    if not rule.is_active:
        told.append(_("The rule is switched off: it does nothing until it is switched on."))
    messages.success(desk.request, " ".join(told))
    return redirect(RULE, rule.pk)


# --- the question -------------------------------------------------------------------------------


def _question(draft: Draft) -> Question:
    """A time-out that begins, or whose new hours would announce people at once."""
    desk, wanted = draft.desk, normal(draft.said)
    posted = desk.request.POST if "for_whom" in desk.request.POST or _is_asked(desk) else None
    if wanted["trigger_event"] != TIMEOUT:
        return Question()
    if _begins(desk, wanted):
        return Question(ForWhomForm(posted))
    newly = people_newly_due(desk.rule.pk, wanted, now=timezone.now()) if desk.rule else 0
    return Question(StillForWhomForm(posted), newly) if newly else Question()


def _is_asked(desk: Desk) -> bool:
    return desk.request.POST.get("confirmed") == "1"


def _begins(desk: Desk, wanted: dict[str, Any]) -> bool:
    """A new time-out, and a live one that will wait somewhere else. What is off asks once it is
    switched on.
    """
    if desk.rule is None or not desk.is_published:
        return True
    places = ("trigger_event", "journey_key", "stage")
    moved = any(desk.rule.definition[name] != wanted[name] for name in places)
    return moved and desk.rule.is_active


def _ask(draft: Draft, question: Question) -> HttpResponse:
    desk, wanted = draft.desk, normal(draft.said)
    rule_id = desk.rule.pk if desk.rule else None
    runs = desk.rule is None or desk.rule.is_active or not desk.is_published
    cycle = cycle_through(wanted, desk.practice, besides=rule_id) if runs else None
    context: dict[str, Any] = {
        "title": _("Publish version %(version)s?") % {"version": desk.next_version},
        "hidden": hidden(draft),
        "words": words_of_rule(wanted, desk.practice),
        "changes": _changes(draft, wanted),
        "is_first": not desk.is_published,
        "runs": runs,
        "next_version": desk.next_version,
        "cycle": " → ".join(f"“{name}”" for name in cycle) if cycle else "",
        "form": question.form,
        "is_block": wanted["trigger_event"] == TIMEOUT
        and desk.practice.is_blocking(wanted["journey_key"], wanted["stage"]),
    }
    return desk.show("kura/rule_publish.html", context | _choices(draft, question, wanted))


def _changes(draft: Draft, wanted: dict[str, Any]) -> list[str]:
    published = draft.desk.published
    return changes_between(published, wanted, draft.desk.practice) if published else []


def _choices(draft: Draft, question: Question, wanted: dict[str, Any]) -> dict[str, Any]:
    desk, form = draft.desk, question.form
    if isinstance(form, ForWhomForm):
        return {"choices": choices_of(form, desk.organization.pk, wanted, timezone.now())}
    if isinstance(form, forms.Form) and desk.rule is not None:
        choices = still_choices_of(form, desk.rule, question.newly, timezone.now())
        return {"choices": choices, "newly": newly_words(question.newly)}
    return {}
