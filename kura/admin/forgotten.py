"""Whoever forgot the password asks for a link here. The answer is the same for every address.

The link is made and sent by the background process, also for an address that nobody has (it then
finds nobody): neither the words nor the time of the answer tell who works here.
"""

from __future__ import annotations

import math
import uuid
from typing import Any, Final

from django import forms
from django.conf import settings
from django.contrib.admin import AdminSite
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import translation
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from automation import bell
from kura.accounts.lockout import address_of
from kura.accounts.models import User
from kura.admin.language import language_before_login
from kura.api import rates
from kura.api.errors import RateLimited

NAME: Final = "forgot_password"
RATE: Final = "forgotten"
NOBODY: Final = uuid.UUID(int=0)
SENT: Final = "sent"
TOO_MANY: Final = 429  # HTTP


class AddressForm(forms.Form):
    email = forms.EmailField(
        label=gettext_lazy("E-mail address"),
        max_length=254,
        widget=forms.EmailInput(attrs={"autocomplete": "email", "autofocus": True}),
    )


def ask(site: AdminSite, request: HttpRequest) -> HttpResponse:
    if request.user.is_authenticated:
        return redirect("admin:password_change")
    language = language_before_login(request)
    with translation.override(language):
        response = _answer(site, request)
    response.headers["Content-Language"] = language
    return response


def _answer(site: AdminSite, request: HttpRequest) -> HttpResponse:
    form = AddressForm(request.POST or None)
    if request.method != "POST" or not settings.MAIL_REACHES_PEOPLE or not form.is_valid():
        return _page(site, request, form)
    try:
        _count(request, form.cleaned_data["email"])
    except RateLimited as refusal:
        return _too_many(site, request, form, refusal.context["retry_after"])
    _send(request, form.cleaned_data["email"])
    return redirect(f"{request.path}?{SENT}=1")


def _count(request: HttpRequest, email: str) -> None:
    """RateLimited, for who asks and for whom: nobody's letter box is flooded either."""
    for whom in (address_of(request) or "", email.lower()):
        rates.count(RATE, salted_hmac("kura.admin.forgotten", whom).hexdigest())


def _send(request: HttpRequest, email: str) -> None:
    known = User.objects.filter(email=email.lower(), is_active=True).values_list("pk", flat=True)
    with transaction.atomic():
        bell.send_access_link(known.first() or NOBODY, site=request.build_absolute_uri("/"))


def _too_many(
    site: AdminSite, request: HttpRequest, form: AddressForm, seconds: int
) -> HttpResponse:
    minutes = math.ceil(seconds / 60)
    words = ngettext(
        "That was asked for too often. Try again in %(number)s minute.",
        "That was asked for too often. Try again in %(number)s minutes.",
        minutes,
    )
    response = _page(site, request, form, problem=words % {"number": minutes}, status=TOO_MANY)
    response.headers["Retry-After"] = str(seconds)
    return response


def _page(
    site: AdminSite,
    request: HttpRequest,
    form: AddressForm,
    *,
    problem: str = "",
    status: int = 200,
) -> HttpResponse:
    context: dict[str, Any] = {
        **site.each_context(request),
        "title": _("Forgotten password"),
        "form": form,
        "problem": problem,
        "is_sent": SENT in request.GET and request.method == "GET",
        "may_send": settings.MAIL_REACHES_PEOPLE,
        "hours": settings.PASSWORD_RESET_TIMEOUT // 3600,
    }
    return render(request, "kura/forgotten.html", context, status=status)
