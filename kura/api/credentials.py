"""Whose a token or key is, and how often they have called: one prepared statement.

Both are looked up by their hash, so what was revoked or switched off a moment ago is not found, and
no comparison's time tells anything. A request is counted only for a credential that lasts, of
somebody active in a practice: nobody spends another's limit by guessing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from knox.crypto import hash_token

from kura.accounts.models import IntegrationKey, Organization, User
from kura.api.rates import ONE_MORE, Count, bucket, period
from kura.prepared import Columns, prepared_cursor

_ORGANIZATION: Final = Columns.of("o", Organization)
_USER: Final = Columns.of("u", User, without=("password",))
_KEY: Final = Columns.of("k", IntegrationKey, without=("hashed_key",))

# Both give `whom`, `lasts`, what is theirs alone, the columns of the objects, and `hits`.
_COUNTED: Final = f"""
    counted AS (
        INSERT INTO rate_counts AS r (bucket, ends_at, hits)
        SELECT %s::text || found.whom::text, %s::bigint, 1 FROM found
        WHERE found.lasts AND found.o_id IS NOT NULL AND %s::boolean
        {ONE_MORE}
    )
    SELECT found.*, (SELECT hits FROM counted) FROM found
"""  # noqa: S608  constants
_TOKEN: Final = f"""
    WITH found AS MATERIALIZED (
        SELECT u.id AS whom, t.expiry IS NULL OR t.expiry > %s AS lasts,
            t.expiry AS ends_at, t.scopes,
            ARRAY(
                SELECT g.name::text FROM auth_group g
                JOIN users_groups m ON m.group_id = g.id WHERE m.user_id = u.id
            ) AS roles,
            {_USER}, {_ORGANIZATION}
        FROM api_tokens t
        JOIN users u ON u.id = t.user_id
        LEFT JOIN organizations o ON o.id = u.organization_id
        WHERE t.digest = %s AND u.is_active
    ),
    {_COUNTED}
"""  # noqa: S608  constants
_INTEGRATION: Final = f"""
    WITH found AS MATERIALIZED (
        SELECT k.id AS whom, k.expiry_date IS NULL OR k.expiry_date >= %s AS lasts,
            {_KEY}, {_ORGANIZATION}
        FROM integration_keys k
        JOIN organizations o ON o.id = k.organization_id
        WHERE k.prefix = %s AND k.hashed_key = %s AND NOT k.revoked
    ),
    {_COUNTED}
"""  # noqa: S608  constants


@dataclass(frozen=True, kw_only=True, slots=True)
class Token:
    """`scopes` None: all that the roles have. `count` None: the rate is off, or nothing counts.

    `ends_at` None: when it is revoked.
    """

    lasts: bool
    ends_at: datetime | None
    scopes: list[str] | None
    roles: list[str]
    user: User
    count: Count | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Key:
    lasts: bool
    integration: IntegrationKey
    count: Count | None


def token(text: str, *, now: datetime) -> Token | None:
    """None for one that is unknown or whose owner is not active."""
    row, count = _asked(_TOKEN, "user", [hash_token(text)], now)
    if row is None:
        return None
    _whom, lasts, ends_at, scopes, roles, *values = row
    user = _USER.object(User, values[: len(_USER.names)])
    user.organization = _organization(values[len(_USER.names) :])
    return Token(lasts=lasts, ends_at=ends_at, scopes=scopes, roles=roles, user=user, count=count)


def key(text: str, *, now: datetime) -> Key | None:
    """`text` without its `ki_`. None for one that is unknown or revoked."""
    prefix, _, _ = text.partition(".")
    hashed = IntegrationKey.objects.key_generator.hash(text)
    row, count = _asked(_INTEGRATION, "integration", [prefix, hashed], now)
    if row is None:
        return None
    _whom, lasts, *values = row
    found = _KEY.object(IntegrationKey, values[: len(_KEY.names)])
    found.organization = _ORGANIZATION.object(Organization, values[len(_KEY.names) :])
    return Key(lasts=lasts, integration=found, count=count)


def _organization(values: Sequence[Any]) -> Organization | None:
    """Platform staff has none: the outer join gives NULLs."""
    return _ORGANIZATION.object(Organization, values) if values[0] is not None else None


def _asked(
    statement: str, name: str, hashes: list[str], now: datetime
) -> tuple[Sequence[Any] | None, Count | None]:
    """The row without its last column, and that column as a count."""
    current = period(name, now=now.timestamp())
    ends_at = current.ends_at if current else None
    with prepared_cursor() as cursor:
        cursor.execute(
            statement,
            [now.astimezone(UTC), *hashes, bucket(name, ""), ends_at, current is not None],
        )
        row = cursor.fetchone()
    if row is None:
        return None, None
    *values, hits = row
    return values, current.count(hits) if current and hits is not None else None
