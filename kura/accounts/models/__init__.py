"""Organizations, the people who work in them, and the keys that programs come with."""

from __future__ import annotations

from kura.accounts.models.credentials import ApiToken, IntegrationKey
from kura.accounts.models.people import (
    Language,
    Organization,
    Theme,
    User,
    UserManager,
    validate_timezone,
)

__all__ = [
    "ApiToken",
    "IntegrationKey",
    "Language",
    "Organization",
    "Theme",
    "User",
    "UserManager",
    "validate_timezone",
]
