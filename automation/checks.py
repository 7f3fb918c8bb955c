"""What an operator must know before messages are expected to arrive."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Warning, register  # noqa: A004  Django's own name

from automation.addressees import usable_address
from automation.letters import own_address

NOT_SET_UP = "automation.smtp.NotSetUp"


@register()
def mail_is_set_up(**_kwargs: Any) -> list[CheckMessage]:
    if settings.EMAIL_BACKEND == NOT_SET_UP:
        return [
            Warning(
                "EMAIL_URL is not set: messages wait, and become tasks for people after 72 hours.",
                hint="EMAIL_URL=smtp+tls://user:password@host:587 (docs/messages.md)",
                id="automation.W001",
            )
        ]
    if not usable_address(own_address()):
        return [
            Warning(
                "DEFAULT_FROM_EMAIL is no e-mail address that others could answer to.",
                hint="DEFAULT_FROM_EMAIL=journeys@example.org",
                id="automation.W002",
            )
        ]
    return []
