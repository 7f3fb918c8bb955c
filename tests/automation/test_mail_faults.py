"""Real senders, a real mail server, and everything that can go wrong between the two.

Nothing is lost, nobody gets a mail twice for one cause, and what nobody knows is a person's task.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from email import message_from_bytes
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest
from django.db import connection
from django.utils import timezone

from automation import outbox, tasks
from automation.models import Message, StaffTask
from kura import tenancy
from tests.automation.messages import mail
from tests.automation.practice import a_rule, drain, tell
from tests.automation.smtp_server import (
    HANG,
    OK,
    Script,
    odd_server,
    silent,
    smtp_server,
    trickling,
)
from tests.factories import OrganizationFactory, PatientFactory
from tests.sizes import sized

ROOT = Path(__file__).resolve().parents[2]
MESSAGES = sized(reduced=30, full=300)
TIMEOUT = sized(reduced=1, full=10)  # seconds; the settings' own at full size

# A nursery loads Django once and forks a sender; when that one is killed, it forks the next.
NURSERY = """
import os, sys, traceback
from datetime import timedelta
import django
django.setup()
from django.core.mail.utils import DNS_NAME
from django.utils import timezone
from automation import outbox

outbox.REST = timedelta(0)
later = timedelta(minutes=float(sys.argv[1]))
while (pid := os.fork()) != 0:
    status = os.waitpid(pid, 0)[1]
    if os.WIFEXITED(status):
        sys.exit(os.WEXITSTATUS(status))
DNS_NAME._fqdn = f"pid{os.getpid()}"  # the server knows by it whom to kill
try:
    outbox.deliver(seconds=120, linger=0, clock=lambda: timezone.now() + later)
except BaseException:
    traceback.print_exc()
    os._exit(1)
os._exit(0)
"""

KILLS = ("kill at rcpt", "kill when taken", "kill after the answer")
FAULTS = (
    OK, "450 Later", "550 Nobody", OK, "451 Busy", "554 Never", OK, "die taken", "die lost"
)  # fmt: skip


@dataclass
class Trouble:
    """Each recipient meets one fault, the first time; a third of them kills the sender."""

    taken: Counter[str] = field(default_factory=Counter)
    killed: list[str] = field(default_factory=list)
    met: set[str] = field(default_factory=set)

    async def handle_EHLO(self, server, session, envelope, hostname, responses):  # noqa: N802
        session.host_name = hostname
        return responses

    async def handle_RCPT(self, server, session, envelope, address, options):  # noqa: N802
        envelope.rcpt_tos.append(address)
        fault = self.fault(address)
        if fault == "kill at rcpt":
            self.meet(address)
            await self.kill(session, address)
        if fault.startswith(("450", "550")):
            self.meet(address)
            return fault
        return OK

    async def handle_DATA(self, server, session, envelope):  # noqa: N802
        [address] = envelope.rcpt_tos
        fault = self.fault(address)
        self.meet(address)
        if fault.startswith(("451", "554")):
            return fault
        if fault != "die lost":
            self.take(address, envelope)
        if fault == "kill when taken":
            await self.kill(session, address)
        if fault.startswith("die"):
            server.transport.abort()
        if fault == "kill after the answer":
            asyncio.get_running_loop().create_task(self.kill(session, address))
        return OK

    def fault(self, address: str) -> str:
        number = int(address.removeprefix("p").partition("@")[0])
        if address in self.met:
            return OK
        if number % 3 == 0:
            return KILLS[number // 3 % len(KILLS)]
        return FAULTS[(number // 3 * 2 + number % 3) % len(FAULTS)]

    def meet(self, address: str) -> None:
        self.met.add(address)

    def take(self, address: str, envelope: Any) -> None:
        assert message_from_bytes(envelope.original_content)["To"] == address
        self.taken[address] += 1

    async def kill(self, session: Any, address: str) -> None:
        os.kill(int(session.host_name.removeprefix("pid")), signal.SIGKILL)
        self.killed.append(address)


@pytest.fixture
def practice(committed_db):
    organization = OrganizationFactory(
        settings={"email": "practice@example.org", "quiet_hours": None}
    )
    with tenancy.scope(organization):
        yield organization


@pytest.fixture
def write(practice):
    """So many messages of one rule, to a patient each; returns their addresses."""
    a_rule(practice, "CUSTOM.hello", mail())

    def written(number: int) -> list[str]:
        addresses = [f"p{n}@example.org" for n in range(number)]
        for address in addresses:
            patient = PatientFactory(organization=practice, email=address)
            tell(patient, "CUSTOM.hello", address, journey_key=None)
        drain()
        return addresses

    return written


def senders(port: int, *, minutes_later: float = 0, number: int = 2) -> None:
    """Run them until each has found nothing more to do."""
    environment = {
        **os.environ,
        "DATABASE_URL": url_of_test_database(),
        "DJANGO_SETTINGS_MODULE": "kura.settings",
        "EMAIL_URL": f"smtp://127.0.0.1:{port}",
        "EMAIL_TIMEOUT": str(TIMEOUT),
        "LOG_LEVEL": "ERROR",
    }
    command = [sys.executable, "-c", NURSERY, str(minutes_later)]
    started = [subprocess.Popen(command, cwd=ROOT, env=environment) for _ in range(number)]
    try:
        assert [one.wait(timeout=180) for one in started] == [0] * number
    finally:
        for one in started:
            one.kill()
            one.wait()


def url_of_test_database() -> str:
    parts = urlsplit(os.environ["DATABASE_URL"])
    return urlunsplit(parts._replace(path=f"/{connection.settings_dict['NAME']}"))


@pytest.mark.soak
def test_whatever_kills_senders_or_the_server_nothing_is_lost_or_sent_twice(write):
    addresses = write(MESSAGES)
    trouble = Trouble()

    with smtp_server(trouble) as port:
        senders(port)
        senders(port, minutes_later=5, number=1)
        once = Counter(trouble.taken)
        senders(port, minutes_later=5 * 24 * 60, number=1)

    states = dict(Message.objects.values_list("recipient", "state"))
    with_task = set(
        StaffTask.objects.filter(kind="message_failed", done_at__isnull=True).values_list(
            "patient__email", flat=True
        )
    )
    assert len(trouble.killed) == MESSAGES / 3
    assert set(states) == set(addresses)
    assert trouble.taken == once
    assert max(trouble.taken.values()) == 1
    by_state = {state: {to for to in addresses if states[to] == state} for state in states.values()}
    assert set(by_state) == {"sent", "failed", "unknown"}
    assert by_state["sent"] <= set(trouble.taken)
    assert not by_state["failed"] & set(trouble.taken)
    assert with_task == by_state["failed"] | by_state["unknown"]
    assert by_state["unknown"] >= {
        to for to in trouble.killed if KILLS.index(fault_of(to)) in (0, 1)
    }


def fault_of(address: str) -> str:
    return Trouble().fault(address)


@pytest.mark.soak
@pytest.mark.parametrize("how", ["silent", "trickling", "silent after the contents"])
def test_no_server_holds_a_worker_for_fifteen_seconds(write, settings, how):
    write(1)
    settings.EMAIL_BACKEND = "automation.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_TIMEOUT = "127.0.0.1", TIMEOUT
    servers = {
        "silent": lambda: odd_server(silent),
        "trickling": lambda: odd_server(trickling),
        "silent after the contents": lambda: smtp_server(Script(data=HANG)),
    }

    with servers[how]() as settings.EMAIL_PORT:
        started = time.monotonic()
        assert outbox.deliver(linger=0) == 1
        took = time.monotonic() - started

    assert took < 15
    assert Message.objects.get().state == ("unknown" if "after" in how else "queued")


def test_while_the_server_is_asked_the_row_says_so_and_no_transaction_is_open(write, settings):
    write(1)
    seen: list[tuple[str, int]] = []

    def look(wire: socket.socket, stop: threading.Event) -> None:
        with tenancy.every_organization(), connection.cursor() as cursor:
            cursor.execute(
                "SELECT (SELECT state FROM messages), count(*) FROM pg_stat_activity"
                " WHERE datname = current_database() AND state LIKE 'idle in transaction%'"
            )
            seen.append(cursor.fetchone())
        connection.close()

    settings.EMAIL_BACKEND = "automation.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_TIMEOUT = "127.0.0.1", 1
    with odd_server(look) as settings.EMAIL_PORT:
        outbox.deliver(linger=0)

    assert seen == [("sending", 0)]


def test_one_worker_of_the_cluster_sends_mail_and_the_others_stay_free(write):
    write(1)
    told: list[bool] = []

    def ask() -> None:
        with outbox.turn(patience=0) as is_ours:
            told.append(is_ours)
        connection.close()

    with outbox.turn() as is_ours:
        other = threading.Thread(target=ask)
        other.start()
        other.join()
    ask()

    assert is_ours
    assert told == [False, True]
    assert tasks.deliver() == 1
    assert Message.objects.get().state == "sent"


def test_two_who_look_at_once_take_a_message_once(write):
    write(1)
    taken: list[object] = []
    start = threading.Barrier(4)

    def take() -> None:
        start.wait()
        taken.append(outbox.take_next(timezone.now()))
        connection.close()

    threads = [threading.Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sum(isinstance(one, Message) for one in taken) == 1
