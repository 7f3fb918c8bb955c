"""The pages that switch a rule on and off.

GET says what will happen, POST does it. Of two people at once the second is told who was faster;
the same click sent twice is answered as if it had come once.
"""

from __future__ import annotations

import uuid
from typing import Any, Final

from django.contrib import messages
from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.timesince import timesince
from django.utils.translation import gettext as _

from automation import errors
from automation.actions.base import Practice
from automation.admin.for_whom import ForWhomForm, choices_of
from automation.admin.rule_pages import Here, is_timeout, opened
from automation.models.rule import RuleSwitch
from automation.sentences import words_of_rule
from automation.services.rules import set_active

ON: Final = "on"
OFF: Final = "off"


def switch_page(
    site: AdminSite, kind: str, request: HttpRequest, rule_id: uuid.UUID
) -> HttpResponse:
    here = opened(site, request, rule_id)
    if here.rule.archived_at:
        return here.conflict(str(errors.RuleArchived()))
    is_active = kind == ON
    if here.rule.is_active == is_active:
        return _already(here, is_active)
    if here.is_outdated:
        return here.conflict(str(errors.RuleChanged()))
    return _answer(here, is_active)


def _answer(here: Here, is_active: bool) -> HttpResponse:
    asks = is_active and is_timeout(here.rule)
    form = ForWhomForm(here.request.POST if here.posted else None) if asks else None
    if not here.posted or (form is not None and not form.is_valid()):
        return _show(here, is_active, form)
    also_waiting = form is not None and form.also_waiting
    try:
        set_active(
            rule_id=here.rule.pk,
            is_active=is_active,
            user=here.editor,
            also_waiting=also_waiting,
            seen_at=here.seen_at,
        )
    except (errors.RuleChanged, errors.RuleArchived) as refusal:
        return here.fresh().conflict(str(refusal))
    except errors.InvalidRule as refusal:
        return _show(
            here, is_active, form, [str(one.message) for one in refusal.context["problems"]]
        )
    except errors.RuleCycle as refusal:
        return _show(here, is_active, form, [str(refusal)])
    return _done(here, is_active)


def _show(
    here: Here, is_active: bool, form: ForWhomForm | None, problems: list[str] | None = None
) -> HttpResponse:
    title = _("Switch on: %(rule)s") if is_active else _("Switch off: %(rule)s")
    context: dict[str, Any] = {
        "title": title % {"rule": here.rule.name},
        "is_active": is_active,
        "words": words_of_rule(here.rule.definition, Practice(organization=here.rule.organization)),
        "problems": problems or [],
        "form": form,
    }
    if form is not None:
        context["choices"] = choices_of(
            form, here.rule.organization_id, here.rule.definition, timezone.now()
        )
    return here.show("kura/rule_switch.html", context)


def _done(here: Here, is_active: bool) -> HttpResponse:
    told = _("The rule is switched on.") if is_active else _("The rule is switched off.")
    messages.success(here.request, told)
    return redirect(here.url)


def _already(here: Here, is_active: bool) -> HttpResponse:
    last = RuleSwitch.objects.filter(rule=here.rule).select_related("switched_by").first()
    if here.posted and last is not None and last.switched_by_id == here.editor.pk:
        return _done(here, is_active)  # a click that was sent twice
    if last is None:
        return here.conflict(str(errors.RuleChanged()))
    words = (
        _("%(who)s switched this rule on %(when)s ago.")
        if is_active
        else _("%(who)s switched this rule off %(when)s ago.")
    )
    told = {"who": last.switched_by or _("Kura"), "when": timesince(last.switched_at, depth=1)}
    return here.conflict(words % told)
