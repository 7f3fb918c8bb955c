"""What every endpoint is made of.

    class Events(ApiView):
        summaries = {"GET": "List events", "POST": "Send an event"}
        scopes = {"GET": EVENTS_READ, "POST": EVENTS_WRITE}
        queries = {"GET": EventsQuery}
        bodies = {"POST": NewEvent}
        answers = {"GET": {200: page_of(Told)}, "POST": {202: Accepted}}
        refusals = {"POST": (UnknownEventType,)}

        def get(self, request): ...

The order of a request: representation, caller, limit, scope, query, kind of body, retry, then the
method. From the caller on, its organization is in scope, its language is spoken, and times are UTC,
until the last byte is written.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC
from typing import Any, ClassVar

from django.db import transaction
from django.http import HttpRequest, HttpResponseBase
from django.template.response import SimpleTemplateResponse
from django.utils import timezone, translation
from django.utils.cache import patch_vary_headers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from kura import tenancy
from kura.api import idempotency, rates
from kura.api.bodies import require_plain
from kura.api.callers import Caller, caller_of
from kura.api.errors import NotFound, RateLimited
from kura.api.rates import Count
from kura.api.schema import Schema
from kura.api.scopes import PUBLIC
from kura.api.serializers import Body, NoQuery, Query
from kura.errors import KuraError

Handler = Callable[..., HttpResponseBase]


class ApiView(APIView):
    """`scopes` and `queries` by method; a method without a scope is for nobody."""

    scopes: ClassVar[Mapping[str, str]] = {}
    queries: ClassVar[Mapping[str, type[Query]]] = {}
    # For the schema alone: a few words (in English), body, answers by status, refusals beyond the
    # usual, If-… headers, the methods that say where what they made is.
    summaries: ClassVar[Mapping[str, str]] = {}
    bodies: ClassVar[Mapping[str, Any]] = {}
    answers: ClassVar[Mapping[str, Mapping[int, Any]]] = {}
    refusals: ClassVar[Mapping[str, Sequence[type[KuraError]]]] = {}
    preconditions: ClassVar[Mapping[str, Sequence[str]]] = {}
    located: ClassVar[Sequence[str]] = ()
    users_only: ClassVar[bool] = False  # no integration may do this, whatever its scopes
    http_method_names = ["get", "post", "put", "patch", "delete", "head"]
    keeps_answers: ClassVar[bool] = True  # under an Idempotency-Key; not where one holds a secret
    cache_control: ClassVar[str] = "no-store"  # `private, no-cache` where an ETag is sent

    format_kwarg = None
    schema: Any = Schema()
    query: Mapping[str, Any]
    during: ExitStack
    counts: list[Count]

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
        self.counts = []
        with ExitStack() as self.during:
            self.during.enter_context(timezone.override(UTC))
            try:
                self.initial(self.request, *args, **kwargs)
                response: Any = self._once()
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
            require_plain(request)

    def limits(self) -> list[tuple[str, str]]:
        """Which rates this request counts for, and as whose, besides what is counted already."""
        caller = self.request.auth
        if not isinstance(caller, Caller) or caller.count is not None:
            return []
        return [(caller.kind, str(caller.id))]

    def count(self, name: str, whom: str) -> None:
        """RateLimited."""
        try:
            counted = rates.count(name, whom)
        except RateLimited as refusal:
            self.counts.append(refusal.context["count"])
            raise
        self.counts += [counted] if counted else []

    def check_throttles(self, request: Request) -> None:
        caller = request.auth
        if isinstance(caller, Caller) and caller.count is not None:
            self.counts.append(caller.count)
            caller.count.require_within()
        for name, whom in self.limits():
            self.count(name, whom)

    def _once(self) -> Any:
        """The method's answer, or the one given before to the same Idempotency-Key."""
        is_kept = self._method() in idempotency.METHODS and self.keeps_answers
        if not is_kept or self._handler() is None:
            return self._answer()
        key = idempotency.key_of(self.request)
        if key is None or not isinstance(self.request.auth, Caller):
            return self._answer()
        return idempotency.once(self.request, key, self._undone_if_refused)

    def _answer(self) -> HttpResponseBase:
        handler = self._handler() or self.http_method_not_allowed
        return handler(self.request, *self.args, **self.kwargs)

    def _undone_if_refused(self) -> Response:
        try:
            with transaction.atomic():
                response: Any = self._answer()
        except Exception as error:  # noqa: BLE001  told as a problem, or raised again
            response = self.handle_exception(error)
        return self.finished(response)

    def finished(self, response: Any) -> Response:
        """With its headers, and rendered while organization and language are still in scope."""
        done = self.finalize_response(self.request, response, *self.args, **self.kwargs)
        done.headers.setdefault("Content-Language", translation.get_language() or "en")
        done.headers.setdefault("Cache-Control", self._cache_control(done))
        if counted := rates.tightest(self.counts):
            for name, value in counted.headers().items():
                done.headers[name] = value
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

    schema = None
    authentication_classes = ()
    scopes = dict.fromkeys(("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"), PUBLIC)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:  # noqa: ARG002
        raise NotFound


def no_content() -> Response:
    return Response(status=204)
