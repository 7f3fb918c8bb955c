"""The page on which a manager builds and edits a rule. A real page that needs no script.

Every button sends the whole form. Those that add, order and remove rows answer with the page
again; "Save draft" keeps it, finished or not, and changes nothing live; "Publish" asks first what
the rule would do from now on (`rule_publishing.py`). The page carries the moment of the rule's
last change: of two editors the second gets 409 with all that was typed, and may save over it.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from django.contrib import messages
from django.contrib.admin import AdminSite
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _

from automation import errors
from automation.admin.rule_draft import (
    Desk,
    Draft,
    conflict,
    loaded,
    organization_of,
    posted_draft,
    show,
)
from automation.admin.rule_form.buttons import Edited, acted
from automation.admin.rule_form.rows import rows_of
from automation.admin.rule_form.starts import NOTHING, TIME_LIMIT
from automation.admin.rule_pages import ADD, CHANGE, editor_who_may
from automation.admin.rule_publishing import publish_page
from automation.models.rule import AutomationRule
from automation.services.rules import UNPUBLISHED, create_draft, hold_rules, save_draft
from automation.validation import unkeepable

LOOK, SAVE, PUBLISH = "look", "save", "publish"
TIMEOUT_KIND: Final = "timeout"  # `?kind=` of a new rule that begins as a time limit


# --- pages --------------------------------------------------------------------------------------


def edit_page(site: AdminSite, request: HttpRequest, rule_id: uuid.UUID) -> HttpResponse:
    desk = desk_of(site, request, rule_id)
    if desk.rule is not None and desk.rule.archived_at:
        context = {"title": _("Nothing was changed"), "sentence": str(errors.RuleArchived())}
        return desk.show("kura/rule_conflict.html", context, 409)
    return _answer(desk)


def new_page(site: AdminSite, request: HttpRequest) -> HttpResponse:
    editor = editor_who_may(request, ADD)
    return _answer(Desk(site, request, editor, organization_of(editor)))


def desk_of(site: AdminSite, request: HttpRequest, rule_id: uuid.UUID) -> Desk:
    """403 before 404: who may not edit is not told which rules there are."""
    editor = editor_who_may(request, CHANGE)
    rule = loaded(rule_id)
    return Desk(site, request, editor, rule.organization, rule)


def _answer(desk: Desk) -> HttpResponse:
    if desk.request.method != "POST":
        return show(_opened(desk))
    draft = posted_draft(desk)
    act = desk.request.POST.get("act", LOOK)
    if act == SAVE:
        return _save(draft)
    if act == PUBLISH:
        return publish_page(draft)
    return show(replace(draft, edited=acted(draft.rows, act)))


def _opened(desk: Desk) -> Draft:
    """The draft of the rule, or what is published; a draft with errors shows them."""
    if desk.rule is None:
        kind = desk.request.GET.get("kind", "")
        start = TIME_LIMIT if kind == TIMEOUT_KIND else NOTHING
        return Draft(desk, Edited(rows_of(start, desk.point)))
    kept = desk.rule.draft if isinstance(desk.rule.draft, Mapping) else desk.rule.definition
    draft = Draft(desk, Edited(rows_of(kept, desk.point)))
    return replace(draft, is_checked=desk.rule.draft is not None)


# --- keeping it ---------------------------------------------------------------------------------


def _save(draft: Draft) -> HttpResponse:
    """A draft with errors is kept as well. The same click twice is one."""
    desk = draft.desk
    if desk.is_outdated and _is_there(draft):
        return _saved(desk)
    try:
        kept = _kept(draft)
    except (errors.RuleChanged, errors.RuleArchived) as refusal:
        return conflict(draft, str(refusal))
    except errors.InvalidRule as refusal:
        return show(replace(draft, is_checked=True, refusal=str(refusal)))
    return _saved(replace(desk, rule=kept))


def _is_there(draft: Draft) -> bool:
    rule = draft.desk.rule
    return rule is not None and (rule.draft == draft.said or draft.says_what_is_published)


@transaction.atomic
def _kept(draft: Draft) -> AutomationRule:
    desk = draft.desk
    if desk.rule is not None:
        return save_draft(rule_id=desk.rule.pk, definition=draft.said, seen_at=desk.seen_at)
    hold_rules(desk.organization.pk)
    return _twice(draft) or create_draft(organization=desk.organization, definition=draft.said)


def _twice(draft: Draft) -> AutomationRule | None:
    """What the same click has made already. What cannot be kept cannot be looked for either."""
    if unkeepable(draft.said):
        return None
    begun = AutomationRule.objects.filter(version=UNPUBLISHED, archived_at=None)
    return begun.filter(organization=draft.desk.organization, draft=draft.said).first()


def _saved(desk: Desk) -> HttpResponse:
    rule = desk.rule
    if rule is None:
        return redirect(desk.url)
    told = (
        _("The draft is kept. What runs has not changed.")
        if rule.draft is not None
        else _("It says what is published: there is no draft any more.")
    )
    messages.success(desk.request, told)
    return redirect("admin:automation_automationrule_edit", rule.pk)
