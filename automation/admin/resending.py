"""The page that sends a message again: one that failed, or of which nobody knows whether it came.

GET says to whom it goes and what may come of it, POST does it and keeps the reason. As with events,
the page carries the last decision that it knew: the same click sent twice sends once.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace
from typing import Any

from django.contrib import messages
from django.contrib.admin import AdminSite
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext as _

from automation import errors
from automation.admin.forms import DecisionForm
from automation.models.dispatch import DispatchDecision
from automation.models.message import Audience, Message
from automation.services.messages import RESEND, RESENDABLE, resend
from kura.accounts.models import User
from kura.accounts.tenant_admin import editor_of
from kura.errors import KuraError


@dataclass(frozen=True)
class Here:
    """One request about one message."""

    site: AdminSite
    request: HttpRequest
    editor: User
    message: Message

    @cached_property
    def last(self) -> DispatchDecision | None:
        made = DispatchDecision.objects.filter(
            event=self.message.event_id, message_id=self.message.pk
        )
        return made.select_related("decided_by").first()

    @property
    def posted(self) -> bool:
        return self.request.method == "POST"

    @property
    def overtaken(self) -> bool:
        seen = self.request.POST.get("seen", "")
        is_newer = self.posted and seen != (str(self.last.pk) if self.last else "")
        return is_newer or self.message.state not in RESENDABLE

    @property
    def is_own_click(self) -> bool:
        if not self.posted or self.last is None:
            return False
        reason = self.request.POST.get("reason", "")
        same = self.last.reason.split() == reason.split()
        return same and self.last.decided_by_id == self.editor.pk

    @property
    def address(self) -> str:
        """Where it goes now: the patient's address of today."""
        patient = self.message.patient
        if self.message.audience != Audience.PATIENT or patient is None:
            return self.message.recipient
        return patient.email or ""

    @property
    def url(self) -> str:
        return reverse("admin:automation_message_change", args=[self.message.pk])

    def fresh(self) -> Here:
        return replace(self, message=_load(self.message.pk))


def may_resend(message: Message, user: User) -> bool:
    return message.state in RESENDABLE and user.has_perm(RESEND)


def resend_page(site: AdminSite, request: HttpRequest, message_id: uuid.UUID) -> HttpResponse:
    editor = editor_of(request)
    if not editor.has_perm(RESEND):
        raise PermissionDenied(str(errors.ResendNotPermitted()))
    here = Here(site, request, editor, _load(message_id))
    return _overtaken(here) if here.overtaken else _answer(here)


def _load(message_id: uuid.UUID) -> Message:
    return get_object_or_404(Message.objects.select_related("patient", "event"), pk=message_id)


def _answer(here: Here) -> HttpResponse:
    initial = {"seen": here.last.pk if here.last else None}
    form = DecisionForm(here.request.POST if here.posted else None, initial=initial)
    if not (here.posted and form.is_valid()):
        return _show(here, form)
    reason = form.cleaned_data["reason"]
    try:
        resend(message_id=here.message.pk, user=here.editor, reason=reason)
    except errors.NotResendable:
        return _overtaken(here.fresh())
    except KuraError as refusal:
        form.add_error("reason", str(refusal))
    else:
        return _done(here)
    return _show(here, form)


def _show(here: Here, form: DecisionForm) -> HttpResponse:
    context = {"title": _("Send “%(subject)s” again") % {"subject": here.message.subject}}
    return _render(here, "kura/message_resend.html", context | {"form": form})


def _done(here: Here) -> HttpResponse:
    messages.success(here.request, _("The message is being sent again."))
    return redirect(here.url)


def _overtaken(here: Here) -> HttpResponse:
    if here.is_own_click:
        return _done(here)
    context = {
        "title": _("Nothing was changed"),
        "sentence": str(errors.NotResendable()),
        "typed": here.request.POST.get("reason", ""),
    }
    return _render(here, "kura/message_conflict.html", context, status=409)


def _render(here: Here, template: str, context: dict[str, Any], status: int = 200) -> HttpResponse:
    common = {"message": here.message, "message_url": here.url, "address": here.address}
    everything = {**here.site.each_context(here.request), **common, **context}
    return render(here.request, template, everything, status=status)
