"""Who or what moves a patient, and why: the part of a log row that answers "by whom?".

The services ask a cause what it may do. Only a person may ever lift a block (Spec 6.2).
"""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from journeys import errors
from journeys.models.log import ActorKind

if TYPE_CHECKING:
    from kura.accounts.models import User

MOVE: Final = "journeys.transition_enrollment"
ENROLL: Final = "journeys.enroll_patient"
UNBLOCK: Final = "journeys.unblock_enrollment"
REASON_CODE: Final = re.compile(r"[a-z0-9_]{1,60}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Cause:
    """Make one with `by_user`, `by_rule`, `by_integration`, `by_system` or `by_import`.

    `reason` is free text and goes to `journey_log_notes`, where it can be erased;
    `reason_code` is a code without personal data and stays in the log. `withheld`: permissions
    that the person has and that this access of theirs (a narrower token) does not carry.
    """

    actor_kind: ActorKind
    actor_id: uuid.UUID | None = None
    user: User | None = None
    rule_id: uuid.UUID | None = None
    trigger_event_id: uuid.UUID | None = None
    reason_code: str = ""
    reason: str = ""
    via: str = "service"
    request_id: str = ""
    withheld: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        """UnstorableText, InvalidReasonCode: said here, before a patient is locked."""
        if not _storable(self.reason):
            raise errors.UnstorableText
        if self.reason_code and not REASON_CODE.fullmatch(self.reason_code):
            raise errors.InvalidReasonCode(reason_code=self.reason_code[:60])

    def may(self, permission: str) -> bool:
        """Permissions are a person's. Automation moves and enrolls by its rule, never unblocks."""
        if permission in self.withheld:
            return False
        if self.user is not None:
            return self.user.has_perm(permission)
        return permission != UNBLOCK

    @property
    def is_person(self) -> bool:
        return self.user is not None


def _storable(text: str) -> bool:
    """PostgreSQL keeps no NUL and no half of a surrogate pair."""
    return not any(c == "\x00" or "\ud800" <= c <= "\udfff" for c in text)


def by_user(
    user: User,
    *,
    reason_code: str = "",
    reason: str = "",
    via: str = "service",
    request_id: str = "",
) -> Cause:
    return Cause(
        actor_kind=ActorKind.USER,
        actor_id=user.pk,
        user=user,
        reason_code=reason_code.strip(),
        reason=reason.strip(),
        via=via,
        request_id=request_id,
    )


def by_rule(rule_id: uuid.UUID, *, trigger_event_id: uuid.UUID | None, reason: str = "") -> Cause:
    return Cause(
        actor_kind=ActorKind.RULE,
        actor_id=rule_id,
        rule_id=rule_id,
        trigger_event_id=trigger_event_id,
        reason=reason,
        via="rule",
    )


def by_integration(
    key_id: uuid.UUID | None,
    *,
    trigger_event_id: uuid.UUID | None = None,
    reason: str = "",
    request_id: str = "",
) -> Cause:
    return Cause(
        actor_kind=ActorKind.INTEGRATION,
        actor_id=key_id,
        trigger_event_id=trigger_event_id,
        reason=reason.strip(),
        via="api",
        request_id=request_id,
    )


def by_system(*, via: str = "service", trigger_event_id: uuid.UUID | None = None) -> Cause:
    return Cause(actor_kind=ActorKind.SYSTEM, trigger_event_id=trigger_event_id, via=via)


def by_import(*, via: str = "import") -> Cause:
    return Cause(actor_kind=ActorKind.IMPORT, via=via)
