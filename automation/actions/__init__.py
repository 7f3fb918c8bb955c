"""The registry of actions: what a rule may do. An action is one file, and a line here."""

from __future__ import annotations

from typing import Final

from automation.actions import (
    create_task,
    emit_event,
    enroll,
    send_email,
    update_journey_status,
)
from automation.actions.base import Action

ACTIONS: Final[dict[str, Action]] = {
    action.name: action
    for action in (
        update_journey_status.ACTION,
        enroll.ACTION,
        send_email.ACTION,
        create_task.ACTION,
        emit_event.ACTION,
    )
}
