"""How somebody gets in for the first time, or again: a link by e-mail, or a password shown once.

A manager never chooses a colleague's password and never sees one that is in use: the link lets the
person choose, and a generated password is on one page and nowhere else.
"""

from __future__ import annotations

import secrets
from email.utils import formataddr
from typing import Final

from django.conf import settings
from django.contrib.auth.tokens import default_token_generator
from django.core.mail import EmailMessage
from django.utils import translation
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode
from django.utils.translation import gettext as _

from kura.accounts.errors import AccessMailFailed
from kura.accounts.lockout import unlock
from kura.accounts.models import User

ALPHABET: Final = "abcdefghjkmnpqrstuvwxyz23456789"  # nothing that looks like something else
GROUPS: Final = 4  # of four characters: 79 bits


def new_password(*, user: User) -> str:
    """Give this person a password that nobody has seen.

    Ends all their log-ins and tokens, and any wait.
    """
    groups = ("".join(secrets.choice(ALPHABET) for _ in range(4)) for _ in range(GROUPS))
    password = "-".join(groups)
    user.set_password(password)
    user.save(update_fields=["password"])
    unlock(user=user)
    return password


def link_parts(user: User) -> dict[str, str]:
    """For the URL of a link that works once, until PASSWORD_RESET_TIMEOUT or the next log-in."""
    return {
        "uidb64": urlsafe_base64_encode(force_bytes(str(user.pk))),
        "token": default_token_generator.make_token(user),
    }


def send_link(*, user: User, url: str) -> None:
    """In the person's language. Waits for the mail server; AccessMailFailed if it does not take it.

    Nothing is kept of the link, so it is on no queue.
    """
    with translation.override(user.language):
        mail = _letter(user, url)
    try:
        mail.send()
    except OSError as error:  # SMTPException is one
        raise AccessMailFailed from error


def _letter(user: User, url: str) -> EmailMessage:
    words = {
        "name": user,
        "practice": user.organization or "Kura",
        "url": url,
        "hours": settings.PASSWORD_RESET_TIMEOUT // 3600,
    }
    return EmailMessage(
        subject=_("Your access to Kura OS Journeys"),
        body=_(
            "Hello %(name)s:\n\n"
            "With this link you choose your password for %(practice)s:\n\n%(url)s\n\n"
            "It works once, within %(hours)s hours. If you expected no e-mail from us, "
            "you need not do anything."
        )
        % words,
        from_email=settings.DEFAULT_FROM_EMAIL,
        to=[formataddr((_plain(user.display_name), user.email))],
        headers={"Auto-Submitted": "auto-generated"},
    )


def _plain(name: str) -> str:
    return " ".join(name.split())
