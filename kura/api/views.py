"""What every endpoint is made of.

    class Events(ApiView):
        scopes = {"GET": EVENTS_READ, "POST": EVENTS_WRITE}
        queries = {"GET": EventsQuery}

        def get(self, request): ...

The order of a request: representation, caller, limit, scope, query, then the method. From the
caller on, its organization is in scope, its language is spoken, and times are UTC, until the last
byte is written.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from datetime import UTC
from typing import Any, ClassVar

from django.http import HttpRequest, HttpResponseBase
from django.template.response import SimpleTemplateResponse
from django.utils import timezone, translation
from django.utils.cache import patch_vary_headers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from kura import tenancy
from kura.api.callers import Caller, caller_of
from kura.api.errors import NotFound
from kura.api.scopes import PUBLIC
from kura.api.serializers import Body, NoQuery, Query

Handler = Callable[..., HttpResponseBase]


class ApiView(APIView):
    """`scopes` and `queries` by method; a method without a scope is for nobody."""

    scopes: ClassVar[Mapping[str, str]] = {}
    queries: ClassVar[Mapping[str, type[Query]]] = {}
    users_only: ClassVar[bool] = False  # no integration may do this, whatever its scopes
    http_method_names = ["get", "post", "put", "patch", "delete", "head"]
    cache_control: ClassVar[str] = "no-store"  # `private, no-cache` where an ETag is sent

    format_kwarg = None
    query: Mapping[str, Any]
    during: ExitStack

    @property
    def caller(self) -> Caller:
        return caller_of(self.request)

    def body(self, kind: type[Body]) -> dict[str, Any]:
        """The body, valid; ValidationError with pointers."""
        serializer = kind(data=self.request.data, context=self.get_renderer_context())
        serializer.is_valid(raise_exception=True)
        return dict(serializer.validated_data)

    # --- one request ----------------------------------------------------------------------------

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        self.args, self.kwargs = args, kwargs
        self.request = self.initialize_request(request, *args, **kwargs)
        self.headers = self.default_response_headers
        with ExitStack() as self.during:
            self.during.enter_context(timezone.override(UTC))
            try:
                self.initial(self.request, *args, **kwargs)
                response: Any = self.answer(self.request, *args, **kwargs)
            except Exception as error:  # noqa: BLE001  told as a problem, or raised again
                response = self.handle_exception(error)
            self.response = self.finished(response)
        return self.response

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:  # noqa: ARG002
        negotiated = self.perform_content_negotiation(request)
        request.accepted_renderer, request.accepted_media_type = negotiated
        self.perform_authentication(request)
        if isinstance(request.auth, Caller):
            self._enter(request.auth)
        self.check_throttles(request)
        self.check_permissions(request)
        if self._handler() is not None:
            self.query = self._query_kind()().values(request._request.GET)

    def answer(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponseBase:
        handler = self._handler() or self.http_method_not_allowed
        return handler(request, *args, **kwargs)

    def finished(self, response: Any) -> Response:
        """With its headers, and rendered while organization and language are still in scope."""
        done = self.finalize_response(self.request, response, *self.args, **self.kwargs)
        done.headers["Content-Language"] = translation.get_language() or "en"
        done.headers.setdefault("Cache-Control", self._cache_control(done))
        patch_vary_headers(done, ["Authorization", "Cookie", "Accept-Language"])
        if isinstance(done, SimpleTemplateResponse):
            done.render()
        return done

    def _cache_control(self, response: HttpResponseBase) -> str:
        return self.cache_control if response.status_code < 400 else "no-store"  # noqa: PLR2004

    def _method(self) -> str:
        return "GET" if self.request.method == "HEAD" else str(self.request.method)

    def _handler(self) -> Handler | None:
        if self._method() not in self.allowed_methods:
            return None
        handler: Handler = getattr(self, self._method().lower())
        return handler

    def _query_kind(self) -> type[Query]:
        return self.queries.get(self._method(), NoQuery)

    def _enter(self, caller: Caller) -> None:
        self.during.enter_context(tenancy.scope(caller.organization))
        if caller.user is None or "Authorization" in self.request.headers:
            asked = "Accept-Language" in self.request.headers
            language = translation.get_language() if asked else None
            self.during.enter_context(translation.override(language or caller.language))


class UnknownPath(ApiView):
    """Whatever no other URL answers, also a path with a slash too many: never a redirect."""

    authentication_classes = ()
    scopes = dict.fromkeys(("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"), PUBLIC)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:  # noqa: ARG002
        raise NotFound


def no_content() -> Response:
    return Response(status=204)
