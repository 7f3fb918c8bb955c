"""Integration keys: made and revoked, never edited and never deleted, for the log names them.

Their text is returned once, to be shown once. Only its hash is kept.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime

from kura.accounts.models import IntegrationKey, User


def make_key(
    *, by: User, name: str, scopes: Sequence[str], expires_at: datetime | None
) -> tuple[IntegrationKey, str]:
    """A key of the practice of whoever makes it, and its text."""
    key, text = IntegrationKey.objects.create_key(
        organization=by.organization,
        name=name,
        scopes=sorted(scopes),
        expiry_date=expires_at,
        created_by=by,
    )
    return key, text  # type: ignore[return-value]  # the library's own class


def revoke_key(*, key_id: uuid.UUID) -> bool:
    """It stops with the next request, for good. False if somebody was faster."""
    return bool(IntegrationKey.objects.filter(pk=key_id, revoked=False).update(revoked=True))
