"""Light, dark or as the device: kept with the person, in a cookie for whoever is not logged in.

The first tag of every page says it, so nothing flashes and no script is needed. `kura/theme.js`
only spares the reload, which would empty a form that is half filled in.
"""

from __future__ import annotations

from typing import Any, Final

from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest
from django.views.decorators.http import require_POST

from kura.accounts.models import Theme, User
from kura.accounts.team import show_in
from kura.admin.language import back_with

COOKIE: Final = "kura_theme"


@require_POST
def choose_theme(request: HttpRequest) -> HttpResponse:
    """Then back to the page that asked."""
    asked = request.POST.get("theme", "")
    if asked not in Theme.values:
        return HttpResponseBadRequest()
    if isinstance(request.user, User):
        show_in(user=request.user, theme=Theme(asked))
    return back_with(request, COOKIE, asked)


def theme_of(request: HttpRequest) -> dict[str, Any]:
    """For the page: the theme, and the one that its button leads to."""
    user = request.user
    now = user.theme if isinstance(user, User) else request.COOKIES.get(COOKIE, "")
    now = now if now in Theme.values else Theme.AUTO.value
    order = Theme.values
    return {"theme": now, "next_theme": order[(order.index(now) + 1) % len(order)]}
