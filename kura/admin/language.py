"""Spanish or English: kept with the person, and in a cookie for whoever is not logged in yet."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest
from django.shortcuts import redirect
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST

from kura.accounts.models import Language, User
from kura.accounts.team import speak


@require_POST
def choose_language(request: HttpRequest) -> HttpResponse:
    """Then back to the page that asked, if it is one of ours."""
    asked = request.POST.get("language", "")
    if asked not in Language.values:
        return HttpResponseBadRequest()
    if isinstance(request.user, User):
        speak(user=request.user, language=Language(asked))
    return back_with(request, settings.LANGUAGE_COOKIE_NAME, asked)


def back_with(request: HttpRequest, cookie: str, value: str) -> HttpResponse:
    """To the page that asked, if it is one of ours, with a cookie for a year."""
    wanted = request.POST.get("next", "")
    ours = url_has_allowed_host_and_scheme(wanted, {request.get_host()}, request.is_secure())
    response = redirect(wanted if ours else "admin:index")
    response.set_cookie(
        cookie,
        value,
        max_age=365 * 24 * 3600,
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )
    return response


def language_before_login(request: HttpRequest) -> str:
    """The cookie, or Spanish: the browser's own language says little about a practice's."""
    asked = request.COOKIES.get(settings.LANGUAGE_COOKIE_NAME, "")
    return asked if asked in Language.values else settings.LANGUAGE_CODE
