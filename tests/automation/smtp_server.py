"""A real SMTP server on loopback that does what its script says, and remembers what it took."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import Message as Mail
from email.policy import default
from typing import Any

from aiosmtpd.controller import Controller

OK = "250 OK"
HANG = "hang"  # no answer to the contents
DIE_TAKEN = "die taken"  # took the mail, and the connection breaks before the answer
DIE_LOST = "die lost"  # the same, and the mail is gone


@dataclass
class Script:
    """`rcpt` and `data`: what is answered; `data` may also be one of the words above."""

    rcpt: str = OK
    data: str = OK
    taken: list[Mail] = field(default_factory=list)
    envelopes: list[tuple[str, list[str]]] = field(default_factory=list)
    conversations: int = 0

    async def handle_EHLO(self, server, session, envelope, hostname, responses):  # noqa: N802
        self.conversations += 1
        session.host_name = hostname
        return responses

    async def handle_RCPT(self, server, session, envelope, address, options):  # noqa: N802
        if self.rcpt == OK:
            envelope.rcpt_tos.append(address)
        return self.rcpt

    async def handle_DATA(self, server, session, envelope):  # noqa: N802
        if self.data in (OK, DIE_TAKEN, HANG):
            self.take(envelope)
        if self.data == HANG:
            await asyncio.sleep(3600)
        if self.data.startswith("die"):
            server.transport.abort()
        return self.data

    def take(self, envelope: Any) -> None:
        self.taken.append(message_from_bytes(envelope.original_content, policy=default))
        self.envelopes.append((envelope.mail_from, list(envelope.rcpt_tos)))


class Quiet(Controller):
    """Broken connections are what these tests are about; the loop need not complain of them."""

    def _run(self, ready_event: threading.Event) -> None:
        self.loop.set_exception_handler(lambda _loop, _context: None)
        super()._run(ready_event)


@contextlib.contextmanager
def smtp_server(script: Any) -> Iterator[int]:
    """The port it listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = Quiet(script, hostname="127.0.0.1", port=port)
    server.start()
    try:
        yield port
    finally:
        server.stop()


@contextlib.contextmanager
def odd_server(talk: Callable[[socket.socket, threading.Event], None]) -> Iterator[int]:
    """One that is no SMTP server: `talk` gets each connection, and an event that says stop."""
    stop = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.05)

        def serve() -> None:
            while not stop.is_set():
                with contextlib.suppress(TimeoutError):
                    connection, _address = listener.accept()
                    with connection, contextlib.suppress(OSError):
                        talk(connection, stop)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            stop.set()
            thread.join()


def silent(connection: socket.socket, stop: threading.Event) -> None:
    stop.wait()


def trickling(connection: socket.socket, stop: threading.Event) -> None:
    """A byte now and then, for ever: each single wait of the client is short."""
    connection.sendall(b"220-")
    while not stop.wait(0.05):
        connection.sendall(b"x")


def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
