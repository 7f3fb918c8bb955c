"""What is wrong with a body or a query is told in the reader's language, field by field."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.utils import translation
from rest_framework import serializers

from kura import api_urls
from kura.api.wording import SENTENCES


def inputs() -> Iterator[type[serializers.Serializer[Any]]]:
    for pattern in api_urls.V1:
        view = pattern.callback.view_class
        yield from view.queries.values()
        for body in view.bodies.values():
            yield from body.values() if isinstance(body, dict) else [body]


def within(
    field: serializers.Field[Any, Any, Any, Any],
) -> Iterator[serializers.Field[Any, Any, Any, Any]]:
    yield field
    inside = list(field.fields.values()) if isinstance(field, serializers.Serializer) else []
    child = getattr(field, "child", None)
    for part in [*inside, *([child] if child is not None else [])]:
        yield from within(part)


def sentences() -> Iterator[object]:
    for kind in inputs():
        for field in within(kind()):
            yield from field.error_messages.values()


def test_each_sentence_that_a_field_can_say_is_in_our_catalogues():
    said = list(sentences())
    with translation.override("en"):
        english = [str(one) for one in said]
    with translation.override("es"):
        unsaid = {e for e, one in zip(english, said, strict=True) if str(one) == e} - {*SENTENCES}

    assert len(set(english)) > 20
    assert not unsaid
