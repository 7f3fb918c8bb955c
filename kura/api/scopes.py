"""What may be done through the API: a closed list, by role. Nobody but a person ever unblocks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from kura.accounts.roles import MANAGER, THERAPIST, VIEWER

PATIENTS_READ: Final = "patients:read"
JOURNEYS_READ: Final = "journeys:read"
JOURNEYS_WRITE: Final = "journeys:write"
JOURNEYS_UNBLOCK: Final = "journeys:unblock"
TEMPLATES_WRITE: Final = "templates:write"
EVENTS_READ: Final = "events:read"
EVENTS_WRITE: Final = "events:write"
RULES_WRITE: Final = "rules:write"
ANALYTICS_READ: Final = "analytics:read"
ADMIN_RUN: Final = "admin:run"
WEBHOOKS_WRITE: Final = "webhooks:write"

READS: Final = frozenset({PATIENTS_READ, JOURNEYS_READ, EVENTS_READ, ANALYTICS_READ})
_CARES: Final = READS | {JOURNEYS_WRITE, JOURNEYS_UNBLOCK, EVENTS_WRITE}
_MANAGES: Final = _CARES | {TEMPLATES_WRITE, RULES_WRITE, ADMIN_RUN, WEBHOOKS_WRITE}
SCOPES: Final = _MANAGES
BY_ROLE: Final[Mapping[str, frozenset[str]]] = {
    VIEWER: READS,
    THERAPIST: _CARES,
    MANAGER: _MANAGES,
}
INTEGRATION: Final = SCOPES - {JOURNEYS_UNBLOCK}

# As people read them, in the order in which a page offers them.
WORDS: Final[Mapping[str, Promise]] = {
    PATIENTS_READ: _("See patients and their data"),
    JOURNEYS_READ: _("See journeys, moves and rules"),
    EVENTS_READ: _("See events and what rules did with them"),
    ANALYTICS_READ: _("See the figures of journeys"),
    EVENTS_WRITE: _("Report events"),
    JOURNEYS_WRITE: _("Enroll and move patients"),
    JOURNEYS_UNBLOCK: _("Unblock patients"),
    TEMPLATES_WRITE: _("Change journey templates"),
    RULES_WRITE: _("Change and switch rules"),
    ADMIN_RUN: _("Run the monitor and verify the history"),
    WEBHOOKS_WRITE: _("Set up webhooks"),
}

# What a view may name instead of a scope.
PUBLIC: Final = "public"  # whoever asks
ANYBODY: Final = "anybody"  # who is logged in, with whatever scopes


def in_words(scopes: Iterable[str]) -> list[str]:
    """A scope that is none any more gives nothing, and says nothing."""
    asked = frozenset(scopes)
    return [str(words) for scope, words in WORDS.items() if scope in asked]


def of_roles(roles: Iterable[str]) -> frozenset[str]:
    """A group that is no role gives nothing."""
    return frozenset().union(*(BY_ROLE.get(role, frozenset()) for role in roles))
