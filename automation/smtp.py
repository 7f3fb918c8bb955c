"""Django's SMTP backend, and how far its conversation came.

Only the last line of the contents makes a server responsible for a mail. Before it, a conversation
that breaks may be repeated; after it, without an answer, nobody knows. `Progress` draws that line:
who gives up and who hands over exclude each other.
"""

from __future__ import annotations

import contextlib
import os
import re
import smtplib
import socket
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import partial
from typing import Any, Final

from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend
from django.core.mail.backends.smtp import EmailBackend as DjangoBackend

_LINE_DOT: Final = re.compile(rb"(?m)^\.")
_GO_ON: Final = 354


class Step(IntEnum):
    CONNECT = 0  # also greeting, TLS, log-in
    SENDER = 1
    RECIPIENT = 2
    CONTENTS = 3  # asked to take them, perhaps part of them written
    HANDED_OVER = 4  # the last line is written: the mail may arrive
    ANSWERED = 5  # and the server said what became of it
    BACKEND = 6  # left to a backend that cannot say how far it is


class GaveUpError(Exception):
    """The deadline is over: this conversation must not hand its mail over any more."""


@dataclass(frozen=True, slots=True)
class Reached:
    """`code` 0: the server has not answered at this step."""

    step: Step
    code: int = 0
    words: str = ""


class Progress:
    """Shared by the thread that talks and the one that waits. `deadline`: `time.monotonic()`."""

    def __init__(self, deadline: float) -> None:
        self.deadline = deadline
        self.reached = Reached(Step.CONNECT)
        self._given_up = False
        self._lock = threading.Lock()
        self._wire: socket.socket | None = None

    def at(self, step: Step, code: int = 0, words: bytes = b"") -> None:
        self.reached = Reached(step, code, words.decode("utf-8", "replace"))

    def hand_over(self, step: Step = Step.HANDED_OVER) -> None:
        """From here on the mail may arrive. GaveUpError when nobody waits for it any more."""
        with self._lock:
            if self._given_up or time.monotonic() >= self.deadline:
                raise GaveUpError
            self.at(step)

    def give_up(self) -> None:
        """Nothing is handed over after this; a conversation that still runs is cut off."""
        with self._lock:
            self._given_up = True
            if self._wire is not None:
                with contextlib.suppress(OSError):
                    self._wire.shutdown(socket.SHUT_RDWR)

    def hold(self, connection: socket.socket) -> None:
        """A second handle on the connection, which TLS does not replace by another."""
        wire = socket.socket(fileno=os.dup(connection.fileno()))
        with self._lock:
            self._wire, given_up = wire, self._given_up
        if given_up:
            self.let_go()
            raise GaveUpError

    def let_go(self) -> None:
        with self._lock:
            wire, self._wire = self._wire, None
        if wire is not None:
            wire.close()


class _Told(smtplib.SMTP):
    """Says how far it came. One mail, one recipient."""

    def __init__(self, *args: Any, progress: Progress, **kwargs: Any) -> None:
        self.progress = progress
        super().__init__(*args, **kwargs)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        found: socket.socket = super()._get_socket(host, port, timeout)  # type: ignore[misc]
        found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # the last line goes by itself
        self.progress.hold(found)
        return found

    def mail(self, sender: str, options: Sequence[str] = ()) -> tuple[int, bytes]:
        return self._said(Step.SENDER, lambda: super(_Told, self).mail(sender, options))

    def rcpt(self, recip: str, options: Sequence[str] = ()) -> tuple[int, bytes]:
        return self._said(Step.RECIPIENT, lambda: super(_Told, self).rcpt(recip, options))

    def data(self, msg: Any) -> tuple[int, bytes]:
        """As smtplib's, with the last line apart. `msg` is bytes with CRLF."""
        code, words = self._said(Step.CONTENTS, lambda: self.docmd("DATA"))
        if code != _GO_ON:
            raise smtplib.SMTPDataError(code, words)
        self.progress.at(Step.CONTENTS)
        whole = msg if msg.endswith(b"\r\n") else msg + b"\r\n"
        self.send(_LINE_DOT.sub(b"..", whole))
        self.progress.hand_over()
        self.send(b".\r\n")
        code, words = self.getreply()
        if code > 0:
            self.progress.at(Step.ANSWERED, code, words)
        return code, words

    def _said(self, step: Step, ask: Callable[[], tuple[int, bytes]]) -> tuple[int, bytes]:
        self.progress.at(step)
        code, words = ask()
        self.progress.at(step, code, words)
        return code, words


class _ToldThroughTls(_Told, smtplib.SMTP_SSL):
    pass


class EmailBackend(DjangoBackend):
    """`progress` is set by whoever wants to know; without it this is Django's own backend."""

    progress: Progress | None = None

    @property
    def connection_class(self) -> Any:
        if self.progress is None:
            return super().connection_class
        return partial(_ToldThroughTls if self.use_ssl else _Told, progress=self.progress)


class MailNotSetUpError(Exception):
    """No EMAIL_URL: nobody pretends to send."""


class NotSetUp(BaseEmailBackend):
    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:  # noqa: ARG002
        raise MailNotSetUpError
