"""`manage.py deliver_messages`: send what is due, once. Safe beside a running cluster."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.db.models import Count

from automation import outbox
from automation.models.message import Message, MessageState
from kura import tenancy


class Command(BaseCommand):
    help = "Send the messages that are due, once. Any number of these may run at the same time."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--seconds", type=float, default=600, help="stop after this long")

    def handle(self, *, seconds: float, **_options: Any) -> None:
        tried = outbox.deliver(seconds=seconds, linger=0)
        self.stdout.write(f"{tried} messages tried. {_how_many_wait()}")


def _how_many_wait() -> str:
    open_states = (MessageState.QUEUED, MessageState.SENDING, MessageState.UNKNOWN)
    with tenancy.every_organization():
        found = Message.objects.filter(state__in=open_states).order_by("state")
        counted = dict(found.values_list("state").annotate(Count("pk")))
    return ", ".join(f"{counted.get(state.value, 0)} {state.value}" for state in open_states) + "."
