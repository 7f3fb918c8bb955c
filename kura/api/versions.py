"""What somebody has looked at: ETag, If-Match and If-None-Match over a row's version number.

    return versioned(request, patient.version, lambda: Told(patient).data)     # GET: 200 or 304
    require_current(request, patient.version)           # a write, with the row locked: 412 or 428

A compressing proxy turns a tag into a weak one (`W/"7"`); it still names the same version.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from typing import Any, Final

from django.core.serializers.json import DjangoJSONEncoder
from rest_framework.request import Request
from rest_framework.response import Response

from kura.api.callers import caller_of
from kura.api.errors import PreconditionRequired, StaleWrite

_TAG: Final = re.compile(r'(?:W/)?"([^"]*)"')
_TAGS: Final = re.compile(rf"{_TAG.pattern}(?:[ \t]*,[ \t]*{_TAG.pattern})*")
SETTING: Final = "require_if_match"  # in an organization's settings


def etag(version: object) -> str:
    return f'"{version}"'


def fingerprint(told: Any) -> str:
    """The version of what has no number: of what is told itself."""
    text = json.dumps(told, cls=DjangoJSONEncoder, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def versioned(request: Request, version: object, told: Callable[[], Any]) -> Response:
    """`told` is not asked when the reader has this version already."""
    headers = {"ETag": etag(version)}
    asked = request.headers.get("If-None-Match")
    if asked is not None and _names(asked, version):
        return Response(status=304, headers=headers)
    return Response(told(), headers=headers)


def require_current(request: Request, version: object) -> None:
    """StaleWrite when another version was looked at; PreconditionRequired where none is named
    and the practice asks for one.
    """
    asked = request.headers.get("If-Match")
    if asked is None:
        if caller_of(request).organization.settings.get(SETTING) is True:
            raise PreconditionRequired
        return
    if not _names(asked, version):
        raise StaleWrite(current_version=version)


def _names(header: str, version: object) -> bool:
    """What is no list of tags names no version."""
    said = header.strip()
    return said == "*" or (_TAGS.fullmatch(said) is not None and str(version) in _TAG.findall(said))
