"""One id per request: taken from `X-Request-ID` or made, echoed, and stored on every log row."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from contextvars import ContextVar
from typing import Final

from django.http import HttpRequest, HttpResponse

ACCEPTED: Final = re.compile(r"[A-Za-z0-9-]{1,64}")
_current: ContextVar[str] = ContextVar("kura_request_id", default="")


def current_request_id() -> str:
    """The id of the request being served, '' outside of one."""
    return _current.get()


class RequestIdMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        given = request.headers.get("X-Request-ID", "")
        request_id = given if ACCEPTED.fullmatch(given) else str(uuid.uuid4())
        token = _current.set(request_id)
        try:
            response = self.get_response(request)
        finally:
            _current.reset(token)
        response.headers["X-Request-ID"] = request_id
        return response
