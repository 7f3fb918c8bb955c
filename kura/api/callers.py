"""Who calls: a person or an integration, of one organization, with the scopes that apply now."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime

from rest_framework.exceptions import NotAuthenticated
from rest_framework.request import Request

from kura.accounts.models import IntegrationKey, Organization, User
from kura.api.rates import Count


@dataclass(frozen=True, kw_only=True, slots=True)
class Caller:
    """Exactly one of `user` and `integration`. `count`: this request, if it was counted already.

    `ends_at`: of the token that calls; None for a log-in, a key, and a token until it is revoked.
    """

    organization: Organization
    scopes: frozenset[str]
    user: User | None = None
    integration: IntegrationKey | None = None
    count: Count | None = None
    ends_at: datetime | None = None

    def may(self, scope: str) -> bool:
        return scope in self.scopes

    @property
    def id(self) -> uuid.UUID:
        found = self.user or self.integration
        if found is None:
            raise NotAuthenticated
        return found.pk

    @property
    def kind(self) -> str:
        return "user" if self.user else "integration"

    @property
    def name(self) -> str:
        """Unique, and without personal data: what limits and stored answers are counted by."""
        return f"{self.kind}:{self.id}"

    @property
    def language(self) -> str:
        return self.user.language if self.user else self.organization.language


def caller_of(request: Request) -> Caller:
    """NotAuthenticated for nobody."""
    caller = request.auth
    if not isinstance(caller, Caller):
        raise NotAuthenticated
    return caller
