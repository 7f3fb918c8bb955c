"""Lists in pages, by key and not by number: no row is skipped or told twice when others come.

A cursor says after (or before) which row of which table the page begins, and is signed. It carries
that row's id and the values it is sorted by; where those are personal (a name), it carries the id
alone, and a row whose name has changed since ends the walk with `invalid_cursor` instead of losing
somebody.

    BY_TIME = Ordering("-created_at")                       # every ordering ends in id by itself
    BY_NAME = Ordering("sort_key", personal=("sort_key",))

    return BY_TIME.page(request, queryset, self.query, lambda rows: Told(rows, many=True).data)
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from django.core import signing
from django.core.serializers.json import DjangoJSONEncoder
from django.db.models import Model, Q, QuerySet
from django.utils.crypto import salted_hmac
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import remove_query_param, replace_query_param

from kura.api.errors import InvalidCursor
from kura.api.serializers import Query

LARGEST: Final = 200  # rows
USUAL: Final = 25  # rows
SALT: Final = "kura.api.pagination"

Row = TypeVar("Row", bound=Model)


class PageQuery(Query):
    """The base of every list's query."""

    page_size = serializers.IntegerField(min_value=1, max_value=LARGEST, default=USUAL)
    cursor = serializers.CharField(required=False, max_length=1000)


def page_of(told: type[serializers.BaseSerializer[Any]]) -> type[serializers.Serializer[Any]]:
    """How a page of these is described."""
    members = {
        "results": told(many=True),
        "next": serializers.URLField(allow_null=True),
        "previous": serializers.URLField(allow_null=True),
    }
    return type(f"{told.__name__}Page", (serializers.Serializer,), members)


@dataclass(frozen=True, slots=True)
class _Key:
    name: str
    descending: bool

    def beyond(self, value: Any, *, backward: bool) -> Q:
        return Q(**{f"{self.name}__{'lt' if self.descending != backward else 'gt'}": value})

    def order(self, *, backward: bool) -> str:
        return f"-{self.name}" if self.descending != backward else self.name


class Ordering:
    """Not nullable columns or annotations, each with `-` for descending; `personal` ones are
    never written into a cursor. The id goes the way of the last one.
    """

    def __init__(self, *names: str, personal: Sequence[str] = ()) -> None:
        keys = [_Key(name.removeprefix("-"), name.startswith("-")) for name in names]
        if "id" not in {key.name for key in keys}:
            keys.append(_Key("id", keys[-1].descending))
        self.keys, self.personal = keys, frozenset(personal)
        self.name = ",".join(key.order(backward=False) for key in keys)

    def page(
        self,
        request: Request,
        rows: QuerySet[Row],
        query: Any,
        told: Callable[[list[Row]], Any],
    ) -> Response:
        """One query for the rows; {"results", "next", "previous"}. InvalidCursor."""
        size = query["page_size"]
        start = self._start(rows, query["cursor"]) if "cursor" in query else None
        found, more = self._found(rows, start, size)
        is_back = start is not None and start.backward
        onward = more if not is_back else True
        back = more if is_back else start is not None
        return Response(
            {
                "results": told(found),
                "next": self._link(request, found[-1:], backward=False) if onward else None,
                "previous": self._link(request, found[:1], backward=True) if back else None,
            }
        )

    def _found(
        self, rows: QuerySet[Row], start: _Start | None, size: int
    ) -> tuple[list[Row], bool]:
        backward = start is not None and start.backward
        if start is not None:
            rows = rows.filter(self._beyond(start))
        ordered = rows.order_by(*(key.order(backward=backward) for key in self.keys))
        found = list(ordered[: size + 1])
        page = found[:size]
        return (page[::-1] if backward else page), len(found) > size

    def _beyond(self, start: _Start) -> Q:
        """(a, b) > (x, y), told so that an index on (a, b) is read from x on."""
        beyond = Q()
        for key, value in reversed(list(zip(self.keys, start.values, strict=True))):
            further = key.beyond(value, backward=start.backward)
            beyond = further | (Q(**{key.name: value}) & beyond) if beyond else further
        first, value = self.keys[0], start.values[0]
        from_there = first.beyond(value, backward=start.backward) | Q(**{first.name: value})
        return from_there & beyond

    # --- cursors --------------------------------------------------------------------------------

    def _link(self, request: Request, edge: list[Row], *, backward: bool) -> str | None:
        here = request.build_absolute_uri()
        if not edge:
            return None
        row = edge[0]
        values = [getattr(row, key.name) for key in self.keys if key.name not in self.personal]
        said = {"o": self._named(type(row)), "b": backward, "v": values, "h": self._seal(row)}
        cursor = signing.dumps(said, salt=SALT, serializer=_Json)
        return replace_query_param(remove_query_param(here, "cursor"), "cursor", cursor)

    def _start(self, rows: QuerySet[Row], cursor: str) -> _Start:
        try:
            said = signing.loads(cursor, salt=SALT, serializer=_Json)
        except signing.BadSignature:
            raise InvalidCursor from None
        if said["o"] != self._named(rows.model):
            raise InvalidCursor
        public = [key.name for key in self.keys if key.name not in self.personal]
        known = dict(zip(public, said["v"], strict=True))
        if self.personal:
            known |= self._looked_up(rows, known["id"], said["h"])
        return _Start(said["b"], [known[key.name] for key in self.keys])

    def _named(self, model: type[Model]) -> str:
        """Two lists may be in the same order, by ids of another kind."""
        return f"{model._meta.label_lower} {self.name}"

    def _looked_up(self, rows: QuerySet[Row], row_id: str, seal: str) -> dict[str, Any]:
        row = rows.filter(pk=row_id).first()
        if row is None or self._seal(row) != seal:
            raise InvalidCursor
        return {name: getattr(row, name) for name in self.personal}

    def _seal(self, row: Model) -> str:
        """Whether personal values are still the same, without telling them."""
        if not self.personal:
            return ""
        values = "\0".join(str(getattr(row, name)) for name in sorted(self.personal))
        return salted_hmac(SALT, values).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class _Start:
    backward: bool
    values: list[Any]


class _Exact(DjangoJSONEncoder):
    def default(self, o: object) -> Any:
        return o.isoformat() if hasattr(o, "isoformat") else super().default(o)


class _Json:
    """Times to the microsecond: rows between two milliseconds would be lost."""

    def dumps(self, said: Any) -> bytes:
        return json.dumps(said, cls=_Exact, separators=(",", ":")).encode()

    def loads(self, raw: bytes) -> Any:
        return json.loads(raw)
