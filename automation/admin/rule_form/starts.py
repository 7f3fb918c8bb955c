"""What a new rule begins with, so that nobody writes a reminder from nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from automation.judging import TIMEOUT
from automation.ready import mail, said, task

DAY: Final = 24  # hours that a person is given who is asked to look
_SUBJECT: Final = said("Recordatorio: {journey.name}", "Reminder: {journey.name}")
_BODY: Final = said(
    "Hola, {patient.first_name}:\n\nTe esperamos en «{journey.name}»: falta un paso por tu parte. "
    "Si ya lo has hecho, no tienes que hacer nada más. Si tienes dudas, escríbenos.\n\n"
    "{practice.name}",
    "Hello {patient.first_name},\n\nWe are waiting for you in “{journey.name}”: one step is still "
    "yours to take. If you have done it already, there is nothing more to do. If you have "
    "questions, write to us.\n\n{practice.name}",
)
_LOOK: Final = said(
    "{patient.full_name} sigue en «{stage.name}» de «{journey.name}» ({hours_in_stage} h). Llama o "
    "decide cómo seguir.",
    "{patient.full_name} is still in “{stage.name}” of “{journey.name}” ({hours_in_stage} h). "
    "Call, or decide how to go on.",
)
OF_TIMEOUTS: Final[Mapping[str, Mapping[str, Any]]] = {
    "send_email": mail(_SUBJECT, _BODY)["params"],
    "create_task": task(_LOOK, due_in_hours=DAY)["params"],
}
"""The parameters of an action that is added to a rule about time."""
NOTHING: Final[Mapping[str, Any]] = {"actions": [{"type": ""}]}
TIME_LIMIT: Final[Mapping[str, Any]] = {
    "trigger_event": TIMEOUT,
    "actions": [mail(_SUBJECT, _BODY)],
}
