"""A message as an e-mail: text and HTML, one recipient, nothing that a program would answer.

The HTML part is the text, escaped: what a patient typed as a name is never markup. It loads
nothing from anywhere.
"""

from __future__ import annotations

from email.utils import formataddr, parseaddr
from typing import Final

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.utils.html import escape

from automation.addressees import practice_address, usable_address
from automation.models.message import Message
from automation.placeholders import CONTROL, plain

_PAGE: Final = (
    '<!DOCTYPE html><html lang="{language}"><head><meta charset="utf-8"><title>{title}</title>'
    '</head><body style="font-family:sans-serif;line-height:1.5">{paragraphs}</body></html>'
)


class UnfitMessageError(Exception):
    """Its address is not exactly one, or its subject is more than a line."""


def letter(message: Message) -> EmailMultiAlternatives:
    """Needs `message.organization`. UnfitMessageError: whoever wrote that row, it is not sent."""
    _require_fit(message)
    reply_to = practice_address(message.organization)
    mail = EmailMultiAlternatives(
        subject=message.subject,
        body=message.body,
        from_email=formataddr((plain(message.organization.name), own_address())),
        to=[message.recipient],
        reply_to=[reply_to] if reply_to else None,
        headers={
            "Message-ID": message.message_id,
            "Auto-Submitted": "auto-generated",
            "X-Auto-Response-Suppress": "All",
            "Content-Language": message.language,
        },
    )
    mail.attach_alternative(as_html(message), "text/html")
    return mail


def new_message_id(message: Message) -> str:
    """Ours, and the same for every attempt: a mailbox can tell a copy by it."""
    return f"<{message.pk}@{own_address().rpartition('@')[2] or 'localhost'}>"


def own_address() -> str:
    return parseaddr(settings.DEFAULT_FROM_EMAIL)[1]


def as_html(message: Message) -> str:
    blocks = message.body.replace("\r\n", "\n").split("\n\n")
    paragraphs = (f"<p>{escape(block).replace(chr(10), '<br>')}</p>" for block in blocks)
    return _PAGE.format(
        language=escape(message.language),
        title=escape(message.subject),
        paragraphs="".join(paragraphs),
    )


def _require_fit(message: Message) -> None:
    if not usable_address(message.recipient):
        raise UnfitMessageError
    if any(CONTROL.search(line) for line in (message.subject, message.message_id)):
        raise UnfitMessageError
