"""Light, dark or as the device: kept with the person, in a cookie for whoever is not logged in.

The first tag of every page says it, so nothing flashes and no script is needed. `kura.js` and htmx
only spare the reload, which would empty a form that is half filled in.
"""

from __future__ import annotations

from typing import Any, Final

from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest
from django.shortcuts import render
from django.views.decorators.http import require_POST

from kura.accounts.models import Theme, User
from kura.accounts.team import show_in
from kura.admin.language import back_with

COOKIE: Final = "kura_theme"


@require_POST
def choose_theme(request: HttpRequest) -> HttpResponse:
    """Then back to the page that asked; for htmx only the button, and the page stays as it is."""
    asked = request.POST.get("theme", "")
    if asked not in Theme.values:
        return HttpResponseBadRequest()
    if isinstance(request.user, User):
        show_in(user=request.user, theme=Theme(asked))
    if request.headers.get("HX-Request"):
        button = _told(asked) | {"asked_from": request.POST.get("next", "")}
        return render(request, "admin/color_theme_toggle.html", button)
    return back_with(request, COOKIE, asked)


def theme_of(request: HttpRequest) -> dict[str, Any]:
    """For the page: the theme, and the one that its button leads to."""
    user = request.user
    now = user.theme if isinstance(user, User) else request.COOKIES.get(COOKIE, "")
    return _told(now if now in Theme.values else Theme.AUTO.value)


def _told(now: str) -> dict[str, Any]:
    order = Theme.values
    return {"theme": now, "next_theme": order[(order.index(now) + 1) % len(order)]}
