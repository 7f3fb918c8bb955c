"""Mail for tests: rules that write it, and a real SMTP server that does what its script says."""

from __future__ import annotations

from typing import Any

from automation import outbox
from automation.models import Message


def mail(audience: str = "patient", **params: Any) -> dict[str, Any]:
    texts = {"subject": "Hola {patient.first_name}", "body": "Te escribe {practice.name}."}
    return {"type": "send_email", "params": {"audience": audience, **texts, **params}}


def task(audience: str = "therapist", **params: Any) -> dict[str, Any]:
    return {"type": "create_task", "params": {"audience": audience, "text": "Llama", **params}}


def deliver(**how: Any) -> int:
    return outbox.deliver(linger=0, **how)


def the_message() -> Message:
    return Message.objects.get()
