"""What waits for a decision: asked once a request, told in the sidebar, on the panel, in the list.

One reading, so that the three numbers are the same. It is asked when a page first shows it: a page
without the column of pages asks nothing.
"""

from __future__ import annotations

import uuid
from functools import cached_property

from django.http import HttpRequest
from django.utils import timezone

from journeys.selectors.definitions import Definition, definitions_in_scope
from kura.accounts.models import User
from kura.standing.limits import Limits, limits_at
from kura.standing.people import QuickView, count_of, counts

SEE = "patients.view_patient"


class Desk:
    """Of one request. Two queries, the first time a number is asked for."""

    def __init__(self, user: User) -> None:
        self.user = user

    @cached_property
    def limits(self) -> Limits:
        return limits_at(timezone.now())

    @cached_property
    def known(self) -> dict[uuid.UUID, Definition]:
        """The journeys of the practice, in order of their names. One query."""
        return definitions_in_scope()

    @cached_property
    def numbers(self) -> dict[QuickView, int]:
        """People in each quick view of the list."""
        return counts(self.limits)

    @property
    def is_open(self) -> bool:
        """A practice is in scope, and its patients may be seen."""
        in_scope = self.user.organization_id is not None or self.user.is_superuser
        return in_scope and self.user.has_perm(SEE)

    @cached_property
    def waiting(self) -> int:
        """People. 0 for whoever may see nobody. One of `numbers`, if the page has read them."""
        if not self.is_open:
            return 0
        if "numbers" in vars(self):
            return self.numbers[QuickView.NEEDS_DECISION]
        return count_of(QuickView.NEEDS_DECISION, self.limits)


def desk_of(request: HttpRequest) -> Desk | None:
    """None for whoever is not logged in."""
    if not isinstance(request.user, User):
        return None
    found: Desk | None = getattr(request, "kura_desk", None)
    if found is None:
        found = Desk(request.user)
        request.kura_desk = found  # type: ignore[attr-defined]
    return found
