"""The pages that edit a time-out and make a new one. A later builder of flows will do more.

What is published is version n + 1; of two people at once the second is told, and keeps the text.
A new one is made in two steps: what it says, then for whom, with the numbers of people. A change
that would announce people at once takes the same second step.
"""

from __future__ import annotations

import uuid
from typing import Any, Final

from django.contrib import messages
from django.contrib.admin import AdminSite
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from automation import errors
from automation.actions.base import Practice
from automation.admin.for_whom import (
    ForWhomForm,
    StillForWhomForm,
    choices_of,
    newly_words,
    still_choices_of,
)
from automation.admin.rule_pages import ADD, Here, editor_who_may, is_timeout, opened
from automation.admin.timeout_forms import NewTimeoutForm, TimeoutForm, placeholder_words
from automation.definition import normal
from automation.models.rule import AutomationRule
from automation.selectors.stale import people_newly_due
from automation.sentences import words_of_rule
from automation.services.rules import create_rule, hold_rules, publish
from kura.accounts.models import Organization, User

RULE: Final = "admin:automation_automationrule_change"


# --- one that there is ----------------------------------------------------------------------------


def edit_page(site: AdminSite, request: HttpRequest, rule_id: uuid.UUID) -> HttpResponse:
    here = opened(site, request, rule_id)
    if not is_timeout(here.rule):
        raise Http404
    if here.rule.archived_at:
        return here.conflict(str(errors.RuleArchived()))
    form = _form(here)
    if here.is_outdated:
        return _overtaken(here, form)
    if not (here.posted and form.is_valid()) or "back" in request.POST:
        return _show(here, form)
    whom = StillForWhomForm(request.POST if "asked" in request.POST else None)
    if not whom.is_valid():
        newly = people_newly_due(here.rule.pk, normal(form.wanted), now=timezone.now())
        if newly:
            return _ask_again(here, form, whom, newly)
    return _publish(here, form, also_waiting=whom.also_waiting if whom.is_valid() else None)


def _publish(here: Here, form: TimeoutForm, *, also_waiting: bool | None) -> HttpResponse:
    try:
        published = publish(
            rule_id=here.rule.pk,
            user=here.editor,
            expected_version=here.rule.version,
            definition=form.wanted,
            seen_at=here.seen_at,
            also_waiting=also_waiting,
        )
    except (errors.RuleChanged, errors.RuleArchived):
        return _overtaken(here.fresh(), form)
    except errors.InvalidRule as refusal:
        form.show(refusal.context["problems"])
    except errors.RuleCycle as refusal:
        form.add_error(None, str(refusal))
    else:
        return _published(here, published)
    return _show(here, form)


def _ask_again(here: Here, form: TimeoutForm, whom: StillForWhomForm, newly: int) -> HttpResponse:
    wanted, practice = normal(form.wanted), form.practice
    context = {
        "title": _("Edit the time limit: for whom?"),
        "kept": form,
        "form": whom,
        "words": words_of_rule(wanted, practice),
        "newly": newly_words(newly),
        "choices": still_choices_of(whom, here.rule, newly, timezone.now()),
        "is_block": practice.is_blocking(wanted["journey_key"], wanted["stage"]),
    }
    return here.show("kura/timeout_confirm.html", context)


def _form(here: Here) -> TimeoutForm:
    practice = Practice(organization=here.rule.organization)
    data = here.request.POST if here.posted else None
    return TimeoutForm(data, rule=here.rule.definition, practice=practice)


def _overtaken(here: Here, form: TimeoutForm) -> HttpResponse:
    """A click that was sent twice finds its own words published."""
    again = _form(here)
    if again.is_valid() and normal(again.wanted) == here.rule.definition:
        return _published(here, here.rule)
    return here.conflict(str(errors.RuleChanged()), list(form))


def _published(here: Here, published: AutomationRule) -> HttpResponse:
    is_new = published.version != here.rule.version or here.is_outdated
    words = (
        _("Version %(version)s is published.")
        if is_new
        else _("Nothing was changed: version %(version)s says the same already.")
    )
    messages.success(here.request, words % {"version": published.version})
    return redirect(here.url)


def _show(here: Here, form: TimeoutForm) -> HttpResponse:
    practice = form.practice
    context = {
        "title": _("Edit the time limit"),
        "form": form,
        "words": words_of_rule(here.rule.definition, practice),
        "placeholders": placeholder_words(_reader()),
    }
    return here.show("kura/timeout.html", context)


# --- a new one ------------------------------------------------------------------------------------


def new_page(site: AdminSite, request: HttpRequest) -> HttpResponse:
    editor = editor_who_may(request, ADD)
    if editor.organization is None:
        raise PermissionDenied(
            _("You belong to no practice. Log in as somebody who works there to add this.")
        )
    practice = Practice(organization=editor.organization)
    posted = request.method == "POST"
    form = NewTimeoutForm(request.POST if posted else None, practice=practice)
    if not posted or not form.is_valid() or "back" in request.POST:
        return _ask(site, request, form)
    whom = ForWhomForm(request.POST if "for_whom" in request.POST else None)
    if not whom.is_valid():
        return _confirm(site, request, form, whom)
    try:
        rule = _made(editor.organization, form.wanted, editor, also_waiting=whom.also_waiting)
    except errors.InvalidRule as refusal:
        form.show(refusal.context["problems"])
    except errors.RuleCycle as refusal:
        form.add_error(None, str(refusal))
    else:
        messages.success(request, _("The rule is made and switched on."))
        return redirect(RULE, rule.pk)
    return _ask(site, request, form)


@transaction.atomic
def _made(
    organization: Organization, wanted: dict[str, Any], editor: User, *, also_waiting: bool
) -> AutomationRule:
    """One rule, also for a click that was sent twice: the second finds the first one's."""
    hold_rules(organization.pk)
    said = normal(wanted)
    named = AutomationRule.objects.filter(organization=organization, archived_at=None)
    for rule in named.filter(name=said["name"], is_active=True):
        if rule.definition == said:
            return rule
    return create_rule(
        organization=organization, definition=wanted, user=editor, also_waiting=also_waiting
    )


def _ask(site: AdminSite, request: HttpRequest, form: NewTimeoutForm) -> HttpResponse:
    context = {
        "title": _("New time limit"),
        "form": form,
        "placeholders": placeholder_words(_reader()),
        "is_new": True,
    }
    return render(request, "kura/timeout.html", {**site.each_context(request), **context})


def _confirm(
    site: AdminSite, request: HttpRequest, form: NewTimeoutForm, whom: ForWhomForm
) -> HttpResponse:
    wanted = normal(form.wanted)
    practice = form.practice
    context = {
        "title": _("New time limit: for whom?"),
        "kept": form,
        "form": whom,
        "words": words_of_rule(wanted, practice),
        "choices": choices_of(whom, practice.organization.pk, wanted, timezone.now()),
        "is_block": practice.is_blocking(wanted["journey_key"], wanted["stage"]),
    }
    return render(request, "kura/timeout_confirm.html", {**site.each_context(request), **context})


def _reader() -> str:
    return "en" if (get_language() or "").startswith("en") else "es"
