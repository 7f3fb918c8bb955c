"""A form that htmx sent is answered like any other, except that a redirect is told to the page.

The browser would follow it unseen and put the next page, log-in page or not, into the dialog. Told
by `HX-Redirect`, the whole window goes there: after a success with its message, and to the log-in
and back when the session has ended.
"""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseRedirectBase
from django.utils.cache import patch_vary_headers


class TellRedirectsMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        patch_vary_headers(response, ["HX-Request"])
        if not (request.headers.get("HX-Request") and _is_redirect(response)):
            return response
        return _told(response, request.headers.get("HX-Current-URL", ""))


def _is_redirect(response: HttpResponse) -> bool:
    return isinstance(response, HttpResponseRedirectBase)


def _told(redirect: HttpResponse, shown: str) -> HttpResponse:
    """A status of its own keeps cookies and headers; only where to go is said differently."""
    target = redirect.headers["Location"]
    del redirect.headers["Location"]
    redirect.status_code = 200
    redirect.headers["HX-Redirect"] = target
    if urlsplit(shown)[2:4] == urlsplit(target)[2:4]:  # path and query: it would only scroll
        redirect.headers["HX-Refresh"] = "true"
    return redirect
