"""The log-in page and the ways to it: what ended a log-in, what was not saved, how long to wait."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.cache import add_never_cache_headers
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from kura.accounts.lockout import locked_until
from kura.accounts.sessions import IDLE, LONG
from kura.admin.language import language_before_login

ENDED: Final = "ended"
UNSENT: Final = "unsent"
TOO_MANY: Final = 429  # HTTP


def to_login(request: HttpRequest) -> HttpResponse:
    """Back here afterwards. A form that was sent without a log-in has changed nothing: say so."""
    query = QueryDict(mutable=True)
    query[REDIRECT_FIELD_NAME] = request.get_full_path()
    if reason := getattr(request, "session_ended", ""):
        query[ENDED] = reason
    if request.method == "POST":
        query[UNSENT] = "1"
    response = HttpResponseRedirect(f"{reverse('admin:login')}?{query.urlencode(safe='/')}")
    add_never_cache_headers(response)
    return response


def notices(request: HttpRequest) -> list[str]:
    """What the log-in page says besides its form."""
    told = [_why_ended(request.GET.get(ENDED, ""))]
    if UNSENT in request.GET:
        told.append(_("What you had just sent was not saved. Log in, and then send it again."))
    return [words for words in told if words]


def _why_ended(reason: str) -> str:
    if reason == IDLE:
        minutes = math.ceil(settings.SESSION_IDLE_AGE / 60)
        words = ngettext(
            "You were logged out after %(number)s minute without activity.",
            "You were logged out after %(number)s minutes without activity.",
            minutes,
        )
        return words % {"number": minutes}
    if reason == LONG:
        return _("You were logged out because the log-in had lasted its longest time.")
    return ""


def remind_of_unsent(request: HttpRequest) -> None:
    """After the log-in, on the page whose form was not sent."""
    if UNSENT in request.GET:
        with translation.override(getattr(request.user, "language", None)):
            words = _("Nothing was saved before the log-in: send the form again.")
            messages.warning(request, words)


def locked_out(
    request: HttpRequest,
    _original: HttpResponse | None = None,
    credentials: Mapping[str, Any] | None = None,
) -> HttpResponse:
    """Axes' AXES_LOCKOUT_CALLABLE: the same page for every name, whether anybody has it or not."""
    from kura.admin.site import site  # noqa: PLC0415  the site imports this module

    now = timezone.now()
    until = locked_until(request, credentials, now=now)
    seconds = max(math.ceil((until - now).total_seconds()), 1)
    language = language_before_login(request)
    with translation.override(language):
        context = {
            **site.each_context(request),
            "title": _("Too many attempts"),
            "minutes": math.ceil(seconds / 60),
            "until": until,
            "login_url": request.get_full_path(),
        }
        response = render(request, "kura/locked.html", context, status=TOO_MANY)
    response.headers["Content-Language"] = language
    response.headers["Retry-After"] = str(seconds)
    add_never_cache_headers(response)
    return response
