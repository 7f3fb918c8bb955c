"""A refusal told once, for every 4xx and 5xx below /api: RFC 9457, `application/problem+json`.

Clients branch on `code` alone. A `KuraError` brings its code, status and sentence, and names in
`members` which of its context programs may read; the framework's own exceptions get the codes of
the table here. What nobody expected is 500 `internal_error` and says nothing.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from django.core.exceptions import (
    DisallowedHost,
    PermissionDenied,
    RequestDataTooBig,
    SuspiciousOperation,
)
from django.core.serializers.json import DjangoJSONEncoder
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from django.http.request import UnreadablePostError
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views import defaults
from rest_framework import exceptions
from rest_framework.response import Response

from kura.api import errors
from kura.errors import KuraError
from kura.request_ids import current_request_id

MEDIA_TYPE: Final = "application/problem+json"
ROOT: Final = "/api"
RETRY_AFTER: Final = 5  # seconds, while the database does not answer
TYPE: Final = "urn:kura:problem:"

_TITLES: Final[Mapping[int, Promise]] = {
    400: gettext_lazy("Not understood"),
    401: gettext_lazy("Not logged in"),
    403: gettext_lazy("Not permitted"),
    404: gettext_lazy("Not found"),
    405: gettext_lazy("Not possible here"),
    406: gettext_lazy("Only JSON is spoken here"),
    409: gettext_lazy("Not possible at present"),
    412: gettext_lazy("Outdated"),
    413: gettext_lazy("Too long"),
    415: gettext_lazy("Only JSON is understood here"),
    422: gettext_lazy("Not possible"),
    428: gettext_lazy("If-Match is required"),
    429: gettext_lazy("Too many requests"),
    500: gettext_lazy("Something went wrong"),
    503: gettext_lazy("Not available"),
}
FRAMEWORK: Final[Mapping[type[exceptions.APIException], tuple[str, Promise]]] = {
    exceptions.NotAuthenticated: ("not_authenticated", gettext_lazy("Log in, or send a token.")),
    exceptions.AuthenticationFailed: ("invalid_token", gettext_lazy("This token is not valid.")),
    exceptions.PermissionDenied: ("permission_denied", gettext_lazy("You may not do this.")),
    exceptions.NotFound: ("not_found", errors.NotFound.message),
    exceptions.MethodNotAllowed: (
        "method_not_allowed",
        gettext_lazy("This cannot be done here; the Allow header names what can."),
    ),
    exceptions.NotAcceptable: ("not_acceptable", gettext_lazy("Accept application/json.")),
    exceptions.UnsupportedMediaType: (
        "unsupported_media_type",
        gettext_lazy("Send the body as application/json."),
    ),
}
TOKEN_WORDS: Final[Mapping[str, Promise]] = {
    "token_expired": gettext_lazy("This token has expired. Make a new one."),
}
_ABOUT_INPUT: Final = ("unknown_field", "read_only_field")  # first of them found is the code


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """`errors`: [{code, detail, pointer}] of a body, [{code, detail, parameter}] of a query."""

    status: int
    code: str
    detail: str = ""
    members: Mapping[str, Any] = field(default_factory=dict)
    errors: list[dict[str, str]] = field(default_factory=list)
    headers: Mapping[str, str] = field(default_factory=dict)

    def body(self) -> dict[str, Any]:
        told = {
            "type": TYPE + self.code,
            "title": str(_TITLES.get(self.status, "")),
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
            "request_id": current_request_id(),
            "errors": self.errors,
        }
        kept = {name: value for name, value in told.items() if value not in ("", [])}
        return {**self.members, **kept}


def handle(error: Exception, context: Mapping[str, Any]) -> Response | None:  # noqa: ARG001
    """The framework's exception handler; None lets what nobody expected become a 500."""
    problem = problem_of(error)
    if problem is None:
        return None
    return Response(
        problem.body(),
        status=problem.status,
        headers=dict(problem.headers),
        content_type=MEDIA_TYPE,
    )


def problem_of(error: BaseException | None) -> Problem | None:
    if isinstance(error, KuraError):
        return _refusal(error)
    if isinstance(error, exceptions.ValidationError):
        return _invalid(error)
    if isinstance(error, exceptions.APIException):
        return _of_framework(error)
    return _of_django(error)


def internal_error() -> Problem:
    return Problem(status=500, code="internal_error")


def _refusal(error: KuraError) -> Problem:
    if error.status >= 500 and not isinstance(error, errors.Unavailable):  # noqa: PLR2004
        return internal_error()
    members = {name: error.context[name] for name in error.members if name in error.context}
    return Problem(
        status=error.status,
        code=error.code,
        detail=str(error),
        members=members,
        errors=[_one(problem) for problem in error.context.get("problems", ())],
        headers=_headers(error.status, error.code, error.context),
    )


def _one(problem: Any) -> dict[str, str]:
    """`automation.problems.Problem`, {"pointer", "detail"}, or a sentence."""
    if isinstance(problem, str | Promise):
        return {"code": "invalid", "detail": str(problem), "pointer": ""}
    if isinstance(problem, Mapping):
        return {"code": "invalid", **{name: str(value) for name, value in problem.items()}}
    return {"code": problem.code, "detail": str(problem.message), "pointer": problem.pointer}


def _headers(status: int, code: str, context: Mapping[str, Any]) -> dict[str, str]:
    headers = {}
    if status == 401:  # noqa: PLR2004
        known = code in {"invalid_token", "token_expired"}
        headers["WWW-Authenticate"] = 'Bearer error="invalid_token"' if known else "Bearer"
    if "retry_after" in context:
        headers["Retry-After"] = str(context["retry_after"])
    if "current_version" in context:
        headers["ETag"] = f'"{context["current_version"]}"'
    return headers


# --- the framework's exceptions -----------------------------------------------------------------


def _of_framework(error: exceptions.APIException) -> Problem:
    if isinstance(error, exceptions.ParseError):
        return _refusal(errors.ParseError(why=""))
    code, words = next(
        (told for kind, told in FRAMEWORK.items() if isinstance(error, kind)),
        ("internal_error", gettext_lazy("")),
    )
    if isinstance(error, exceptions.AuthenticationFailed) and error.get_codes() in TOKEN_WORDS:
        code = str(error.get_codes())
        words = TOKEN_WORDS[code]
    status = error.status_code
    headers = _headers(status, code, {})
    return Problem(status=status, code=code, detail=str(words), headers=headers)


def _invalid(error: exceptions.ValidationError) -> Problem:
    found = list(_flaws(error.detail, ""))
    codes = {one["code"] for one in found}
    code = next((code for code in _ABOUT_INPUT if code in codes), "validation_error")
    return Problem(status=400, code=code, detail=_("The body is not valid."), errors=found)


def _flaws(detail: Any, pointer: str) -> Iterator[dict[str, str]]:
    """Each flaw with a JSON pointer (RFC 6901) into the body."""
    if isinstance(detail, Mapping):
        for name, inside in detail.items():
            is_whole = name == "non_field_errors"
            yield from _flaws(inside, pointer if is_whole else f"{pointer}/{escaped(str(name))}")
    elif isinstance(detail, list):
        for number, inside in enumerate(detail):
            is_item = isinstance(inside, Mapping | list)
            yield from _flaws(inside, f"{pointer}/{number}" if is_item else pointer)
    else:
        yield {"code": detail.code, "detail": str(detail), "pointer": pointer}


def escaped(name: str) -> str:
    """A member's name inside a JSON pointer."""
    return name.replace("~", "~0").replace("/", "~1")


# --- Django's exceptions ------------------------------------------------------------------------


def _of_django(error: BaseException | None) -> Problem | None:
    if isinstance(error, Http404):
        return _refusal(errors.NotFound())
    if isinstance(error, PermissionDenied):
        return _of_framework(exceptions.PermissionDenied())
    if isinstance(error, RequestDataTooBig):
        return _refusal(errors.PayloadTooLarge(limit=256))
    if isinstance(error, SuspiciousOperation | UnreadablePostError):
        is_host = isinstance(error, DisallowedHost)
        return _refusal(errors.UnknownHost() if is_host else errors.ParseError(why=""))
    if isinstance(error, OperationalError | InterfaceError):
        return _refusal(errors.Unavailable(retry_after=RETRY_AFTER))
    return None


# --- what never reaches a view: `handler400` … `handler500` of the URL table ----------------------


def is_api(request: HttpRequest) -> bool:
    return request.path_info == ROOT or request.path_info.startswith(f"{ROOT}/")


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    if not is_api(request):
        return defaults.bad_request(request, exception)
    return as_http(problem_of(exception) or _refusal(errors.ParseError(why="")))


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    if not is_api(request):
        return defaults.permission_denied(request, exception)
    return as_http(_of_framework(exceptions.PermissionDenied()))


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    if not is_api(request):
        return defaults.page_not_found(request, exception)
    return as_http(_refusal(errors.NotFound()))


def server_error(request: HttpRequest) -> HttpResponse:
    if not is_api(request):
        return defaults.server_error(request)
    return as_http(problem_of(sys.exc_info()[1]) or internal_error())


def as_http(problem: Problem) -> HttpResponse:
    text = json.dumps(problem.body(), cls=DjangoJSONEncoder, ensure_ascii=False)
    headers = {"Cache-Control": "no-store", **problem.headers}
    return HttpResponse(text, status=problem.status, headers=headers, content_type=MEDIA_TYPE)
