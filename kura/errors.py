"""The root of everything that can be refused, and the table from database guards to errors.

A subclass is a sentence: `message` (translatable, may name its context in braces), a stable
`code`, an HTTP `status`, and, where PostgreSQL itself refuses, the `constraint` it names.
Services raise these; the admin and the API show the same words.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

from django.db import DatabaseError, IntegrityError
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

_BY_CONSTRAINT: dict[str, type[KuraError]] = {}


class KuraError(Exception):
    """Something was refused; `code` is for programs, `str()` for people."""

    message: ClassVar[str | Promise] = _("This was refused.")
    code: ClassVar[str] = "refused"
    status: ClassVar[int] = 409
    constraint: ClassVar[str] = ""
    members: ClassVar[tuple[str, ...]] = ()  # of the context, what programs are told too

    def __init__(self, **context: Any) -> None:
        super().__init__(self.code)
        self.context = context

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if cls.constraint:
            _BY_CONSTRAINT[cls.constraint] = cls

    def __str__(self) -> str:
        return str(self.message).format_map(_Blank(self.context))


class _Blank(dict[str, Any]):
    """A database guard knows less context than a service; a missing name reads as an ellipsis."""

    def __missing__(self, key: str) -> str:
        return "…"


def constraint_of(error: DatabaseError) -> str:
    """The name of the constraint behind a database error, or '' when it names none."""
    diagnosis = getattr(error.__cause__, "diag", None)
    return getattr(diagnosis, "constraint_name", None) or ""


@contextmanager
def database_refusals(**context: Any) -> Iterator[None]:
    """Turn the refusal of a database guard into its error; anything else passes unchanged."""
    try:
        yield
    except IntegrityError as error:
        refusal = _BY_CONSTRAINT.get(constraint_of(error))
        if refusal is None:
            raise
        raise refusal(**context) from error
