"""Lists that can be taken away as a file: as they are filtered, in pieces, with a trace.

The trace is written before the first byte leaves, and put right when the last one has.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.contrib.admin.models import LogEntry
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from kura.accounts.middleware import as_seen_by
from kura.accounts.models import User
from kura.accounts.tenant_admin import ReadOnlyAdmin, editor_of
from kura.spreadsheets import csv_pieces, separator_of

EXPORT: Final = "accounts.export_records"
EXPORTED: Final = 20  # an action flag of Django's log of edits, beside its own 1 to 3
ROWS_READ: Final = 2000  # rows that are in memory at a time


@dataclass(frozen=True, slots=True)
class Table:
    """`cells`: of one row, in the order of the titles. Asks the database nothing."""

    titles: Sequence[str]
    cells: Callable[[Any], Sequence[object]]


def local(value: datetime | None) -> str:
    """On the practice's clock, as spreadsheets read times."""
    return "" if value is None else timezone.localtime(value).strftime("%Y-%m-%d %H:%M:%S")


class ExportAdmin(ReadOnlyAdmin):
    def export_table(self, request: HttpRequest) -> Table:
        """A hook. May read what all rows need, a fixed number of queries."""
        raise NotImplementedError

    def export_rows(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        """A hook: join whatever the columns show."""
        return rows

    @property
    def export_route(self) -> str:
        return f"{self.opts.app_label}_{self.opts.model_name}_export"

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.export_view)
        return [path("export/", view, name=self.export_route), *super().get_urls()]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        extra = extra_context or {}
        if editor_of(request).has_perm(EXPORT):
            query = f"?{request.GET.urlencode()}" if request.GET else ""
            url = f"{reverse(f'admin:{self.export_route}')}{query}"
            extra |= {"tools": [(url, _("Download as a file (CSV)"))]}
        return super().changelist_view(request, extra)

    def export_view(self, request: HttpRequest) -> HttpResponseBase:
        editor = editor_of(request)
        if not (self.has_view_permission(request) and editor.has_perm(EXPORT)):
            raise PermissionDenied
        try:
            rows = self.get_changelist_instance(request).get_queryset(request)
        except IncorrectLookupParameters:
            return redirect(f"{request.path.removesuffix('export/')}?e=1")
        trace = self._trace(request, rows.count())
        lines = self._lines(self.export_table(request), self.export_rows(rows), trace)
        pieces = csv_pieces(lines, separator_of(editor.language))
        return StreamingHttpResponse(
            _each_as_seen_by(editor, pieces),
            content_type="text/csv; charset=utf-8",
            headers={"Content-Disposition": f'attachment; filename="{self._file_name()}"'},
        )

    def _file_name(self) -> str:
        return f"{self.opts.db_table}-{timezone.localtime():%Y-%m-%d-%H%M}.csv"

    def _lines(
        self, table: Table, rows: QuerySet[Any], trace: LogEntry
    ) -> Iterator[Sequence[object]]:
        sent = 0
        yield table.titles
        for row in rows.iterator(chunk_size=ROWS_READ):
            sent += 1
            yield table.cells(row)
        trace.change_message = _told(sent, trace.change_message)
        trace.save(update_fields=["change_message"])

    def _trace(self, request: HttpRequest, number: int) -> LogEntry:
        """Which filters, but not what was searched for: that may be a name."""
        asked = request.GET.copy()
        if "q" in asked:
            asked["q"] = "…"
        return LogEntry.objects.create(
            user=editor_of(request),
            content_type=ContentType.objects.get_for_model(self.model),
            object_repr=str(self.opts.verbose_name_plural)[:200],
            action_flag=EXPORTED,
            change_message=_told(number, f" {asked.urlencode(safe='…')}"),
        )


def _told(number: int, before: str) -> str:
    """`123 rows` and the filters, which stay as they were."""
    filters = before.partition(" rows")[2] if " rows" in before else before
    return f"{number} rows{filters}".rstrip()


def _each_as_seen_by(user: User, pieces: Iterator[str]) -> Iterator[str]:
    """The request is over while the file is sent; each piece is made inside what it had.

    Nothing of it is left behind between two pieces, whoever's thread that is.
    """
    with suppress(StopIteration):
        while True:
            with as_seen_by(user):
                piece = next(pieces)
            yield piece
