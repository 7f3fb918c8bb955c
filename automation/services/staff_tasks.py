"""What people do with their tasks: say that one is done."""

from __future__ import annotations

import uuid
from typing import Final

from django.db import transaction
from django.utils import timezone

from automation import errors
from automation.models.dispatch import DispatchStatus, EventDispatch
from automation.models.staff_task import StaffTask, TaskKind
from kura.accounts.models import User

COMPLETE: Final = "automation.change_stafftask"


def asks_for_a_decision(task: StaffTask) -> bool:
    """It is about an event that failed for good, and nobody has decided about that yet."""
    return (
        task.kind == TaskKind.EVENT_FAILED
        and EventDispatch.objects.filter(pk=task.event_id, status=DispatchStatus.DEAD).exists()
    )


@transaction.atomic
def complete(*, task_id: uuid.UUID, user: User) -> StaffTask:
    """Done, by this person, now. Locks the task.

    The same person again changes nothing; somebody else raises TaskDone: the first one counts.
    EventUndecided while the event that it is about waits for its own decision.
    """
    if not user.has_perm(COMPLETE):
        raise errors.TaskNotPermitted
    task = StaffTask.objects.select_for_update(of=("self",)).filter(pk=task_id).first()
    if task is None:
        raise errors.TaskNotFound
    if task.done_at is not None:
        if task.done_by_id != user.pk:
            raise errors.TaskDone(person=task.done_by)
        return task
    if asks_for_a_decision(task):
        raise errors.EventUndecided
    task.done_at, task.done_by = timezone.now(), user
    task.save(update_fields=["done_at", "done_by"])
    return task
