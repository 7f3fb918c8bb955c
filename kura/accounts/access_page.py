"""The page on which a manager lets a colleague in: a link by e-mail, or a password shown once."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from kura.accounts.access import link_parts, new_password, send_link
from kura.accounts.errors import AccessMailFailed
from kura.accounts.models import User
from kura.accounts.tenant_admin import editor_of

if TYPE_CHECKING:
    from kura.accounts.admin import UserAdmin

LINK_SENT = gettext_noop("link to choose a password")
PASSWORD_MADE = gettext_noop("password")


def access_page(page: UserAdmin, request: HttpRequest, user_id: uuid.UUID) -> HttpResponse:
    user = page.get_queryset(request).filter(pk=user_id).first()
    if user is None:
        if page.has_change_permission(request):
            raise Http404
        raise PermissionDenied
    if not page.has_change_permission(request, user):
        raise PermissionDenied
    if user.pk == editor_of(request).pk:
        return redirect("admin:password_change")
    way = request.POST.get("way", "") if user.is_active else ""
    if request.method == "POST" and way == "password":
        return _show_password(page, request, user)
    if request.method == "POST" and way == "link" and settings.MAIL_REACHES_PEOPLE:
        return _send(page, request, user)
    return _ask(page, request, user)


def _ask(page: UserAdmin, request: HttpRequest, user: User, *, problem: str = "") -> HttpResponse:
    context = {
        **page.admin_site.each_context(request),
        "title": _("Let %(name)s in") % {"name": user},
        "original": user,
        "may_send": settings.MAIL_REACHES_PEOPLE,
        "problem": problem,
    }
    return render(request, "kura/access.html", context, status=503 if problem else 200)


def _show_password(page: UserAdmin, request: HttpRequest, user: User) -> HttpResponse:
    """In the answer itself: it is in no session, no message and no URL."""
    password = new_password(user=user)
    page.log_change(request, user, _changed(PASSWORD_MADE))
    context = {
        **page.admin_site.each_context(request),
        "title": _("New password of %(name)s") % {"name": user},
        "original": user,
        "password": password,
    }
    return render(request, "kura/access_password.html", context)


def _send(page: UserAdmin, request: HttpRequest, user: User) -> HttpResponse:
    url = request.build_absolute_uri(reverse("admin:choose_password", kwargs=link_parts(user)))
    try:
        send_link(user=user, url=url)
    except AccessMailFailed as refusal:
        return _ask(page, request, user, problem=str(refusal))
    page.log_change(request, user, _changed(LINK_SENT))
    sent = _("The link is on its way to %(address)s.") % {"address": user.email}
    messages.success(request, sent)
    return redirect("admin:accounts_user_change", user.pk)


def _changed(what: str) -> list[dict[str, dict[str, list[str]]]]:
    """As Django writes it, so that the page of edits says it in the reader's language."""
    return [{"changed": {"fields": [what]}}]
