"""The pages that discard a rule's draft, make a copy of a rule, and archive it.

GET says what will happen, POST does it. What is archived stays to be read and never comes back, so
the page says what the rule does now.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.contrib import messages
from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from automation import errors
from automation.actions.base import Practice
from automation.admin.rule_pages import ADD, Here, editor_who_may, opened
from automation.models.rule import AutomationRule
from automation.sentences import words_of_rule
from automation.services.rules import (
    MOST_NAME,
    UNPUBLISHED,
    archive,
    create_draft,
    discard_draft,
)

DISCARD: Final = "discard"
COPY: Final = "copy"
ARCHIVE: Final = "archive"
EDIT: Final = "admin:automation_automationrule_edit"
LIST: Final = "admin:automation_automationrule_changelist"


@dataclass(frozen=True, slots=True)
class Act:
    """`consequence`: what will happen, in words. `does`: it happens; where to go then."""

    title: Promise
    consequence: Promise
    button: Promise
    does: Callable[[Here], HttpResponse]
    is_final: bool = False


def act_page(site: AdminSite, kind: str, request: HttpRequest, rule_id: uuid.UUID) -> HttpResponse:
    here = opened(site, request, rule_id)
    if kind == COPY:
        editor_who_may(request, ADD)
    elif here.rule.archived_at:
        return _already(here, kind)
    if not here.posted:
        return _ask(here, kind)
    if here.is_outdated and kind != COPY:
        return here.conflict(str(errors.RuleChanged()))
    try:
        return ACTS[kind].does(here)
    except (errors.RuleChanged, errors.RuleArchived) as refusal:
        return here.fresh().conflict(str(refusal))


def _already(here: Here, kind: str) -> HttpResponse:
    """A click that was sent twice finds what it asked for."""
    if kind == ARCHIVE and here.posted:
        return _archived(here)
    return here.conflict(str(errors.RuleArchived()))


def _ask(here: Here, kind: str) -> HttpResponse:
    act = ACTS[kind]
    practice = Practice(organization=here.rule.organization)
    is_published = here.rule.version != UNPUBLISHED
    context: dict[str, Any] = {
        "title": str(act.title) % {"rule": here.rule.name},
        "words": words_of_rule(here.rule.definition, practice) if is_published else None,
        "consequence": act.consequence,
        "button": act.button,
        "is_final": act.is_final,
    }
    return here.show("kura/rule_ask.html", context)


# --- what they do -------------------------------------------------------------------------------


def _discard(here: Here) -> HttpResponse:
    discard_draft(rule_id=here.rule.pk, seen_at=here.seen_at)
    messages.success(here.request, _("The draft is discarded. What runs has not changed."))
    return redirect(here.url)


def _copy(here: Here) -> HttpResponse:
    """A draft of its own: nothing runs twice before somebody has looked at it."""
    rule = here.rule
    said = rule.draft if isinstance(rule.draft, Mapping) else rule.definition
    name = (_("Copy of %(rule)s") % {"rule": rule.name})[:MOST_NAME]
    made: AutomationRule = create_draft(
        organization=rule.organization, definition={**said, "name": name}
    )
    messages.success(here.request, _("The copy is a draft: it does nothing until you publish it."))
    return redirect(EDIT, made.pk)


def _archive(here: Here) -> HttpResponse:
    archive(rule_id=here.rule.pk, user=here.editor)
    return _archived(here)


def _archived(here: Here) -> HttpResponse:
    messages.success(here.request, _("The rule is archived."))
    return redirect(LIST)


ACTS: Final[Mapping[str, Act]] = {
    DISCARD: Act(
        title=gettext_lazy("Discard the draft of: %(rule)s"),
        consequence=gettext_lazy(
            "What was written since the published version is lost. What runs does not change."
        ),
        button=gettext_lazy("Discard the draft"),
        does=_discard,
    ),
    COPY: Act(
        title=gettext_lazy("Copy: %(rule)s"),
        consequence=gettext_lazy(
            "The copy begins as a draft, with a draft’s text if there is one. It does nothing "
            "until you publish it."
        ),
        button=gettext_lazy("Make the copy"),
        does=_copy,
    ),
    ARCHIVE: Act(
        title=gettext_lazy("Archive: %(rule)s"),
        consequence=gettext_lazy(
            "From now on the rule does nothing, and it cannot be switched on or changed any more. "
            "Its versions and runs stay to be read. A draft of it is lost."
        ),
        button=gettext_lazy("Archive the rule"),
        does=_archive,
        is_final=True,
    ),
}
