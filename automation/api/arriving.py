"""The three forms in which an event arrives, each turned into the same `Arrival`.

Kura's own JSON; CloudEvents 1.0 in a JSON envelope (structured), or in `ce-*` headers around the
data (binary). In a CloudEvent `id` and `source` say which event it is, `subject` names the patient
and the extension `journeykey` the journey. Extensions that nobody reads are allowed, as the
standard asks; in Kura's own form an unknown member is refused.
"""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from urllib.parse import unquote

from django.utils.text import slugify
from django.utils.translation import gettext as _
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail, ValidationError
from rest_framework.request import Request

from automation.errors import EventIdRequired
from automation.intake import MAX_KEY, MAX_REFERENCE, Subject
from automation.sources import Source, SourceKind
from journeys.models.template import KEY_PATTERN
from kura.api.bodies import JsonParser, body_of, parsed
from kura.api.callers import Caller, caller_of
from kura.api.fields import Coded, Id, Moment, Text
from kura.api.idempotency import key_of
from kura.api.serializers import Body

STRUCTURED: Final = "application/cloudevents+json"
_EXTENSION: Final = re.compile(r"[a-z0-9]{1,20}")
_UNNAMEABLE: Final = re.compile(r"[^A-Za-z0-9_.:-]+")


class CloudEventParser(JsonParser):
    media_type = STRUCTURED


@dataclass(frozen=True, kw_only=True, slots=True)
class Arrival:
    """`contents`: the JSON pointer at which the payload lies in the body."""

    key: str
    source: Source
    event_type: str
    subject: Subject
    journey_key: str | None
    occurred_at: datetime | None
    payload: Mapping[str, Any]
    contents: str


class PatientName(Body):
    """Exactly one of the three."""

    shape = {"minProperties": 1, "maxProperties": 1}
    id = Id(required=False)
    external_id = Text(required=False, max_length=MAX_REFERENCE)
    email = Text(required=False, max_length=MAX_REFERENCE)

    def validate(self, given: dict[str, Any]) -> dict[str, Any]:
        if len(given) != 1:
            words = _("Name the patient by one of id, external_id or email.")
            raise ValidationError(words, code="invalid")
        return given


class NewEvent(Body):
    """`id`: the sender's own name for it, for ever; an Idempotency-Key does as well."""

    id = Text(required=False, max_length=MAX_KEY)
    event_type = Text(max_length=80)
    occurred_at = Moment(required=False)
    patient = PatientName()
    journey_key = Coded(KEY_PATTERN, required=False, allow_null=True)
    payload = serializers.DictField(required=False, default=dict)


class CloudEvent(Body):
    """CloudEvents 1.0; `subject` is the patient's id, e-mail address or external id. An attribute
    that is null counts as left out.
    """

    is_open = True  # extensions
    specversion = serializers.ChoiceField(choices=["1.0"])
    id = Text(max_length=MAX_KEY)
    source = Text(max_length=1000)  # type: ignore[assignment]  # a member of this name
    type = Text(max_length=80)
    subject = Text(max_length=MAX_REFERENCE)
    time = Moment(required=False, allow_null=True)
    journeykey = Coded(KEY_PATTERN, required=False, allow_null=True)
    datacontenttype = Text(required=False, allow_null=True)
    dataschema = Text(required=False, allow_null=True)
    data = serializers.DictField(  # type: ignore[assignment]  # a member of this name
        required=False, allow_null=True
    )

    def _flaw(self, name: str) -> ErrorDetail | None:
        return None if _EXTENSION.fullmatch(name) else super()._flaw(name)


def arrival(request: Request) -> Arrival:
    """ValidationError with pointers; EventIdRequired."""
    if request.content_type.partition(";")[0].strip().lower() == STRUCTURED:
        return _of_cloud(request, request.data, "/data")
    if "ce-specversion" in request.headers or "ce-id" in request.headers:
        return _of_cloud(request, _headers(request), "")
    return _native(request)


def _native(request: Request) -> Arrival:
    given = _valid(NewEvent, request.data)
    key = given.get("id") or key_of(request)
    if not key:
        raise EventIdRequired
    return Arrival(
        key=key,
        source=_source(caller_of(request)),
        event_type=given["event_type"],
        subject=Subject(**given["patient"]),
        journey_key=given.get("journey_key"),
        occurred_at=given.get("occurred_at"),
        payload=given["payload"],
        contents="/payload",
    )


def _of_cloud(request: Request, said: Any, contents: str) -> Arrival:
    if isinstance(said, Mapping) and not said.get("id"):
        raise EventIdRequired
    given = _valid(CloudEvent, said)
    return Arrival(
        key=given["id"],
        source=_named(caller_of(request), given["source"]),
        event_type=given["type"],
        subject=_subject(given["subject"]),
        journey_key=given.get("journeykey"),
        occurred_at=given.get("time"),
        payload=given.get("data") or {},
        contents=contents,
    )


def _headers(request: Request) -> dict[str, Any]:
    """Header values are percent-encoded (HTTP binding 3.1.3.2); the body is the data."""
    said: dict[str, Any] = {
        name.lower().removeprefix("ce-"): unquote(value)
        for name, value in request.headers.items()
        if name.lower().startswith("ce-")
    }
    raw = body_of(request)
    return said | ({"data": parsed(raw)} if raw else {})


def _valid(kind: type[Body], said: Any) -> dict[str, Any]:
    form = kind(data=said)
    form.is_valid(raise_exception=True)
    return dict(form.validated_data)


def _subject(text: str) -> Subject:
    """An id, an address, or the practice's own number."""
    try:
        return Subject(id=uuid.UUID(text))
    except ValueError:
        return Subject(email=text) if "@" in text else Subject(external_id=text)


def _source(caller: Caller) -> Source:
    """A key's name, so that a new key of the same name goes on where the old one ended."""
    if caller.integration is None:
        return Source(SourceKind.STAFF, str(caller.id))
    name = slugify(caller.integration.name) or str(caller.id)
    return Source(SourceKind.INTEGRATION, name)


def _named(caller: Caller, source: str) -> Source:
    """A CloudEvent names its source by a URI; what cannot be stored of it is told by its hash."""
    kind = SourceKind.STAFF if caller.user else SourceKind.INTEGRATION
    name = _UNNAMEABLE.sub(".", source).strip(".")[:80]
    if name != source:
        name = f"{name}.{hashlib.sha256(source.encode()).hexdigest()[:12]}".lstrip(".")
    return Source(kind, name)
