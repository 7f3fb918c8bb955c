"""A caller as the cause of a move: who they are, and no more permissions than their scopes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from journeys.cause import ENROLL, MOVE, UNBLOCK, Cause, by_integration, by_user
from kura.api.callers import Caller
from kura.api.scopes import JOURNEYS_UNBLOCK, JOURNEYS_WRITE
from kura.request_ids import current_request_id

_SCOPE_OF: Final[Mapping[str, str]] = {
    MOVE: JOURNEYS_WRITE,
    ENROLL: JOURNEYS_WRITE,
    UNBLOCK: JOURNEYS_UNBLOCK,
}


def cause_of(caller: Caller, *, reason: str = "", reason_code: str = "") -> Cause:
    withheld = {permission for permission, scope in _SCOPE_OF.items() if not caller.may(scope)}
    return replace(_named(caller, reason), reason_code=reason_code, withheld=frozenset(withheld))


def _named(caller: Caller, reason: str) -> Cause:
    if caller.user is None:
        return by_integration(caller.id, reason=reason, request_id=current_request_id())
    return by_user(caller.user, reason=reason, via="api", request_id=current_request_id())
