"""A log-in ends by itself: after a time without a request, and at the latest after a working day.

Django's own expiry moves with each saving, so both ends are kept in the session and checked here.
A session without them is of no known age and has ended.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

from django.conf import settings
from django.contrib.auth import SESSION_KEY, logout
from django.contrib.auth.signals import user_logged_in
from django.contrib.sessions.backends.base import SessionBase
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse

BEGAN: Final = "kura_began"  # seconds since 1970
SEEN: Final = "kura_seen"
NOTED_EVERY: Final = 60  # seconds; a row is written that often, not with each request
IDLE: Final = "idle"
LONG: Final = "long"


class SessionEndMiddleware:
    """After AuthenticationMiddleware. `request.session_ended` says why, for the log-in page."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        now = int(time.time())
        if SESSION_KEY in request.session:
            _end_or_note(request, now)
        return self.get_response(request)


@receiver(user_logged_in, dispatch_uid="kura.accounts.begin_session")
def begin(request: HttpRequest, **_signal: Any) -> None:
    """A log-in with a token has a user and no session of theirs."""
    session = getattr(request, "session", {})
    if SESSION_KEY in session:
        session[BEGAN] = session[SEEN] = int(time.time())


def _end_or_note(request: HttpRequest, now: int) -> None:
    session = request.session
    reason = why_ended(session, now)
    if reason:
        logout(request)
        request.session_ended = reason  # type: ignore[attr-defined]
    elif now - session[SEEN] >= NOTED_EVERY:
        session[SEEN] = now


def why_ended(session: SessionBase, now: int) -> str:
    """`idle`, `long`, or '' while it lasts."""
    if now - session.get(BEGAN, 0) >= settings.SESSION_COOKIE_AGE:
        return LONG
    return IDLE if now - session.get(SEEN, 0) >= settings.SESSION_IDLE_AGE else ""
