"""One organization at a time: every tenant query is filtered by the current scope, or fails.

The filter is an expression that reads the scope when its SQL is compiled. A queryset may
therefore be built at import time (forms, filters), yet it can never run outside a scope.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final, TypeVar

from django.db import models
from django.db.models.sql.compiler import SQLCompiler
from django.utils.translation import gettext_lazy as _

from kura.errors import KuraError

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper

    from kura.accounts.models import Organization

_Model = TypeVar("_Model", bound=models.Model)
_EVERY: Final = object()
_current: ContextVar[uuid.UUID | object | None] = ContextVar("kura_tenant", default=None)


class TenantScopeMissing(KuraError):
    message = _("No organization is in scope, so no data can be shown.")
    code = "tenant_scope_missing"
    status = 500


@contextmanager
def scope(organization: Organization) -> Iterator[None]:
    """Everything inside sees the rows of this organization alone."""
    token = _current.set(organization.pk)
    try:
        yield
    finally:
        _current.reset(token)


@contextmanager
def every_organization() -> Iterator[None]:
    """For the system itself (monitor, verification, platform staff): rows of all organizations."""
    token = _current.set(_EVERY)
    try:
        yield
    finally:
        _current.reset(token)


def in_scope(organization_id: uuid.UUID) -> bool:
    """True if rows of this organization may be touched now. No scope at all is an error."""
    current = organization_in_scope()
    return current is None or current == organization_id


def organization_in_scope() -> uuid.UUID | None:
    """For SQL of our own: the scope's organization, None for every. No scope at all is an error."""
    current = _current.get()
    if current is None:
        raise TenantScopeMissing
    if current is _EVERY:
        return None
    if not isinstance(current, uuid.UUID):
        raise TenantScopeMissing  # whatever this is, it is not an organization
    return current


class InScope(models.Func):
    """SQL: this organization column equals the scope's organization."""

    output_field = models.BooleanField()
    conditional = True

    def as_sql(  # type: ignore[override]  # takes no other function or template
        self,
        compiler: SQLCompiler,
        connection: BaseDatabaseWrapper,  # noqa: ARG002
        **extra: Any,  # noqa: ARG002
    ) -> tuple[str, tuple[Any, ...]]:
        current = organization_in_scope()
        if current is None:
            return "TRUE", ()
        column, params = compiler.compile(self.source_expressions[0])
        return f"{column} = %s", (*params, current)


class TenantManager(models.Manager[_Model]):
    """The default manager of every tenant model. `organization_path` leads to its tenant's id.

    The path belongs to the class: related managers (`template.stages`) are made from it.
    """

    organization_path = "organization_id"

    def get_queryset(self) -> models.QuerySet[_Model]:
        return super().get_queryset().filter(InScope(self.organization_path))
