"""What people do with their tasks: say that one is done."""

from __future__ import annotations

import uuid
from typing import Final

from django.db import transaction
from django.utils import timezone

from automation import errors
from automation.models.staff_task import StaffTask
from kura.accounts.models import User

COMPLETE: Final = "automation.change_stafftask"


@transaction.atomic
def complete(*, task_id: uuid.UUID, user: User) -> StaffTask:
    """Done, by this person, now. Locks the task.

    The same person again changes nothing; somebody else raises TaskDone: the first one counts.
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
    task.done_at, task.done_by = timezone.now(), user
    task.save(update_fields=["done_at", "done_by"])
    return task
