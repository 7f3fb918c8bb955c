"""What a caller may see of events: as in the admin, and no more than its scopes."""

from __future__ import annotations

from automation.admin import sight
from automation.selectors.event_page import Sight
from kura.api.callers import Caller
from kura.api.scopes import PATIENTS_READ


def sight_of(caller: Caller) -> Sight:
    """An integration that may read patients is the practice's own program: it sees contents."""
    if not caller.may(PATIENTS_READ):
        return Sight(values=False, contents=False)
    if caller.user is None:
        return Sight(values=True, contents=True)
    return sight.sight_of(caller.user)
