"""The OpenAPI description, made from what views declare and nothing else.

A view names its `summaries`, `scopes`, `queries`, `bodies`, `answers` and `refusals` by method;
each operation then lists every code it can answer with, with an example of each. Bodies are closed
objects, the answers are open: `/v1` may grow new members.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Final, cast

from django.utils import translation
from django.utils.functional import Promise
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse
from rest_framework import exceptions, serializers

from kura.api import errors, problems, response_headers
from kura.api.idempotency import PATTERN
from kura.api.scopes import ANYBODY, PUBLIC
from kura.api.serializers import Body
from kura.errors import KuraError

if TYPE_CHECKING:
    from kura.api.views import ApiView

PREFIX: Final = "/api/v1/"
WRITES: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})
WITH_BODY: Final = WRITES - {"DELETE"}
RETRIED: Final = frozenset({"POST", "PATCH"})


class Flaw(serializers.Serializer[Any]):
    """One thing that is wrong: where in the body (a JSON pointer), or in which parameter."""

    code = serializers.CharField()
    detail = serializers.CharField()
    pointer = serializers.CharField(required=False)
    parameter = serializers.CharField(required=False)


class ProblemDetails(serializers.Serializer[Any]):
    """RFC 9457. Branch on `code`; more members are named with the code they belong to."""

    type = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField(required=False)
    code = serializers.CharField()
    request_id = serializers.CharField()
    errors = Flaw(many=True, required=False)  # type: ignore[assignment]  # a member of this name


class BearerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "kura.api.authentication.BearerAuthentication"
    name = "bearer"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, Any]:  # noqa: ARG002
        words = "A person's token (`kj_…`) or an integration's key (`ki_…`)."
        return {"type": "http", "scheme": "bearer", "description": words}


class SessionScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "kura.api.authentication.SessionAuthentication"
    name = "session"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, Any]:  # noqa: ARG002
        words = "A browser's log-in; each write repeats the cookie `csrftoken` in `X-CSRFToken`."
        return {"type": "apiKey", "in": "cookie", "name": "sessionid", "description": words}


@dataclass(frozen=True, slots=True)
class Refusal:
    status: int
    code: str
    words: str | Promise

    @classmethod
    def of(cls, kind: type[KuraError]) -> Refusal:
        return cls(kind.status, kind.code, kind.message)

    @classmethod
    def framework(cls, kind: type[exceptions.APIException]) -> Refusal:
        code, words = problems.FRAMEWORK[kind]
        return cls(kind.status_code, code, words)

    def example(self) -> OpenApiExample:
        told = problems.Problem(status=self.status, code=self.code, detail=str(self.words))
        return OpenApiExample(self.code, value={**told.body(), "request_id": "5f0c1d2e"})


class Schema(AutoSchema):
    """`view.schema` of every `ApiView`."""

    @property
    def _declared(self) -> ApiView:
        return cast("ApiView", self.view)

    def get_operation_id(self) -> str:
        parts = [part.strip("{}") for part in self._parts()]
        return "_".join([self.method.lower(), *parts]).replace("-", "_")

    def get_operation(self, *args: Any, **kwargs: Any) -> Any:
        """A public operation says that it asks for nobody: silence could be an oversight."""
        operation = super().get_operation(*args, **kwargs)
        return operation and {"security": [], **operation}

    def get_tags(self) -> list[str]:
        return [self._parts()[0]]

    def get_summary(self) -> str:
        return self._declared.summaries[self.method]

    def _parts(self) -> list[str]:
        return self.path.removeprefix(PREFIX).split("/")

    def get_description(self) -> str:  # type: ignore[override]  # the base is lazy
        handler = getattr(self._declared, self.method.lower())
        words = (handler.__doc__ or type(self._declared).__dict__.get("__doc__") or "").strip()
        scope = self._declared.scopes[self.method]
        needs = "" if scope in {PUBLIC, ANYBODY} else f"Scope: `{scope}`."
        return "\n\n".join(part for part in (words, needs) if part)

    def get_request_serializer(self) -> Any:
        return self._declared.bodies.get(self.method)

    def _get_request_for_media_type(self, serializer: Any, direction: Any = "request") -> Any:
        """A PATCH names what it needs like any other body: nothing is optional by its method."""
        method, self.method = self.method, "POST"
        try:
            schema, is_needed = super()._get_request_for_media_type(serializer, direction)  # type: ignore[no-untyped-call]
        finally:
            self.method = method
        shape = getattr(serializer, "shape", {})
        return schema, is_needed or "required" in shape or "oneOf" in shape

    def _map_basic_serializer(self, serializer: Any, direction: Any) -> Any:
        found = super()._map_basic_serializer(serializer, direction)  # type: ignore[no-untyped-call]
        if isinstance(serializer, Body) and direction == "request":
            found = {"additionalProperties": serializer.is_open, **found, **serializer.shape}
        return found

    def _map_serializer_field(
        self, field: Any, direction: Any, bypass_extensions: bool = False
    ) -> Any:
        """Any JSON holds null already; and what the generator forgets about lists."""
        found = super()._map_serializer_field(field, direction, bypass_extensions)  # type: ignore[no-untyped-call]
        if found.get("oneOf") == [{}, {"type": "null"}]:
            del found["oneOf"]
        if getattr(field, "allow_empty", True) is False:
            found.setdefault("minItems", 1)
        return found

    def get_override_parameters(self) -> list[Any]:
        query = self._declared.queries.get(self.method)
        asked = [*([query] if query else []), *self._header_parameters()]
        return [*asked, *response_headers.headers_of(self._sent_with())]

    def _sent_with(self) -> response_headers.Answers:
        return response_headers.Answers(
            statuses=[status for status in self._good_answers() if isinstance(status, int)],
            preconditions=self._preconditions(),
            is_retried=self._is_retried(),
            is_located=self.method in self._declared.located,
        )

    def _header_parameters(self) -> Iterator[OpenApiParameter]:
        if self._is_retried():
            words = "1 to 255 characters; the same key again gets the same answer for 48 hours."
            yield _header("Idempotency-Key", words, pattern=f"^(?:{PATTERN})$")
        for name in self._preconditions():
            yield _header(name, 'The version that was looked at, as `"7"`.')

    def _preconditions(self) -> Sequence[str]:
        return self._declared.preconditions.get(self.method, ())

    def _is_retried(self) -> bool:
        asks = self._declared.scopes[self.method] != PUBLIC
        return self.method in RETRIED and asks and self._declared.keeps_answers

    def get_response_serializers(self) -> Any:
        answers = self._good_answers()
        by_status: dict[int, dict[str, Refusal]] = defaultdict(dict)
        for refusal in self._refusals():
            by_status[refusal.status].setdefault(refusal.code, refusal)
        for status, refusals in sorted(by_status.items()):
            answers[status, problems.MEDIA_TYPE] = OpenApiResponse(
                ProblemDetails,
                description=", ".join(f"`{code}`" for code in refusals),
                examples=[refusal.example() for refusal in refusals.values()],
            )
        return answers

    def _good_answers(self) -> dict[Any, Any]:
        answers: dict[Any, Any] = dict(self._declared.answers.get(self.method, {}))
        if "If-None-Match" in self._preconditions():
            answers[304] = OpenApiResponse(description="The version that was looked at.")
        return answers

    def _refusals(self) -> Iterator[Refusal]:
        yield from self._of_everything()
        yield from self._of_callers()
        yield from self._of_bodies()
        for kind in self._declared.refusals.get(self.method, ()):
            yield Refusal.of(kind)

    def _of_everything(self) -> Iterator[Refusal]:
        yield Refusal.of(errors.InvalidParameter)
        yield Refusal.framework(exceptions.NotAcceptable)
        yield Refusal.of(errors.RateLimited)
        yield Refusal(500, "internal_error", "")
        yield Refusal.of(errors.Unavailable)
        if "{" in self.path:
            yield Refusal.of(errors.NotFound)
        if "If-Match" in self._preconditions():
            yield Refusal.of(errors.StaleWrite)
            yield Refusal.of(errors.PreconditionRequired)
        if "cursor" in self._query_names():
            yield Refusal.of(errors.InvalidCursor)

    def _query_names(self) -> set[str]:
        query = self._declared.queries.get(self.method)
        return set(query().fields) if query else set()

    def _of_callers(self) -> Iterator[Refusal]:
        if self._declared.scopes[self.method] == PUBLIC:
            return
        yield Refusal.framework(exceptions.NotAuthenticated)
        yield Refusal.framework(exceptions.AuthenticationFailed)
        yield Refusal(401, "token_expired", problems.TOKEN_WORDS["token_expired"])
        yield Refusal.framework(exceptions.PermissionDenied)
        if self.method in WRITES:
            yield Refusal.of(errors.CsrfFailed)
        if self._is_retried():
            yield Refusal.of(errors.IdempotencyKeyInvalid)
            yield Refusal.of(errors.IdempotencyInProgress)
            yield Refusal.of(errors.IdempotentRequestDiffers)

    def _of_bodies(self) -> Iterator[Refusal]:
        if self.method not in WITH_BODY:
            return
        yield Refusal.of(errors.ParseError)
        yield Refusal.of(errors.PayloadTooLarge)
        yield Refusal.framework(exceptions.UnsupportedMediaType)
        if self._declared.bodies.get(self.method):
            for code in ("validation_error", "unknown_field", "read_only_field"):
                yield Refusal(400, code, "The body is not valid.")


def _header(name: str, words: str, **schema: str) -> OpenApiParameter:
    kind = {"type": "string", **schema}
    return OpenApiParameter(name, kind, OpenApiParameter.HEADER, description=words)


@cache
def description() -> Mapping[str, Any]:
    """The whole API, in English, as OpenAPI 3.1; made once in a process."""
    with translation.override("en"):
        found = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    return response_headers.named_once(found)
