"""The page "Monitor": when it looked, whom it announced, what followed, and who is stuck now.

It shows and never acts: a check is the system's, for all practices at once.
"""

from __future__ import annotations

from typing import Any, Final

from django.contrib.admin import AdminSite
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from automation.admin import badges
from automation.models.message import MessageState
from automation.selectors.monitor_page import MonitorPage, monitor_page
from kura.accounts.models import User
from kura.accounts.tenant_admin import editor_of

LOOK: Final = ("automation.view_heartbeat", "journeys.view_enrollment", "patients.view_patient")
NAME: Final = "automation_monitor"
LATEST_PAGE: Final = 100_000  # what a page number may be; nobody has so many rows


def may_look(user: User) -> bool:
    return user.has_perms(LOOK)


def navigation_entry() -> dict[str, Any]:
    """As Django's list of apps holds its models."""
    return {
        "name": _("Monitor"),
        "object_name": "Monitor",
        "admin_url": reverse(f"admin:{NAME}"),
        "add_url": None,
        "perms": {"view": True},
        "view_only": True,
    }


def look(site: AdminSite, request: HttpRequest) -> HttpResponse:
    if not may_look(editor_of(request)):
        raise PermissionDenied
    number = _number(request)
    page = monitor_page(now=timezone.now(), number=number)
    if number > 1 and not page.stuck:
        return redirect(f"admin:{NAME}")  # there are fewer by now
    context = {
        "title": _("Monitor"),
        "page": page,
        "badge": badges.of_monitor(page.status),
        "mails": _mails(page),
        "now": timezone.now(),
    }
    return render(request, "kura/monitor.html", {**site.each_context(request), **context})


def _number(request: HttpRequest) -> int:
    """The first page for what is no page."""
    asked = request.GET.get("p", "")
    is_number = asked.isascii() and asked.isdigit() and len(asked) < len(str(LATEST_PAGE))
    return max(1, int(asked)) if is_number else 1


def _mails(page: MonitorPage) -> list[tuple[str, int]]:
    """States in words, with their numbers, in the order in which a message goes through them."""
    return [
        (str(state.label), page.messages[state]) for state in MessageState if state in page.messages
    ]
