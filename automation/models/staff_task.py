"""What a person must do, because automation cannot or must not.

Open ones are «Acción requerida».
"""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from journeys.models.event import SystemEventLog
from journeys.models.log import JourneyLog
from journeys.models.review import BlockReview
from kura.accounts.models import Organization
from kura.ids import time_ordered_uuid
from kura.tenancy import TenantManager
from patients.models import Patient


class TaskKind(models.TextChoices):
    RULE = "rule", _("A rule asks for it")
    BLOCK_UNREVIEWED = "block_unreviewed", _("Nobody has reviewed the block")
    NO_ADDRESS = "no_address", _("No e-mail address")
    MESSAGE_FAILED = "message_failed", _("Message could not be delivered")
    BLOCK_REFUSED = "block_refused", _("A block could not be set")
    HELD_BACK = "held_back", _("Held back by a block")
    EVENT_FAILED = "event_failed", _("An event could not be processed")


class StaffTask(models.Model):
    """`assigned_to` None: whoever in the practice sees it first.

    `ended_by_review`, `ended_by_move`: the act that ended a BLOCK_UNREVIEWED by making it untrue
    (`automation/sql/unreviewed_tasks.sql`); neither where a person said that it is done.
    """

    id = models.UUIDField(primary_key=True, default=time_ordered_uuid, editable=False)
    organization = models.ForeignKey(
        Organization,
        on_delete=models.PROTECT,
        related_name="+",
        db_index=False,
        verbose_name=_("organization"),
    )
    patient = models.ForeignKey(
        Patient,
        on_delete=models.PROTECT,
        null=True,
        related_name="staff_tasks",
        db_index=False,
        verbose_name=_("patient"),
    )
    enrollment_id = models.UUIDField(_("enrollment"), null=True)
    journey_key = models.CharField(_("journey key"), max_length=60, blank=True, default="")
    event = models.ForeignKey(
        SystemEventLog,
        on_delete=models.PROTECT,
        null=True,
        related_name="staff_tasks",
        db_index=False,
        verbose_name=_("event"),
    )
    rule_id = models.UUIDField(_("rule"), null=True)
    action_index = models.PositiveSmallIntegerField(_("action"), null=True)
    kind = models.CharField(_("kind"), max_length=16, choices=TaskKind)
    text = models.TextField(_("what to do"))
    assigned_to = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        related_name="staff_tasks",
        verbose_name=_("assigned to"),
    )
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    due_at = models.DateTimeField(_("due"), null=True)
    done_at = models.DateTimeField(_("done"), null=True)
    done_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        related_name="+",
        db_index=False,
        verbose_name=_("done by"),
    )
    ended_by_review = models.ForeignKey(
        BlockReview,
        on_delete=models.PROTECT,
        null=True,
        related_name="+",
        db_index=False,
        verbose_name=_("ended by the review"),
    )
    ended_by_move = models.ForeignKey(
        JourneyLog,
        on_delete=models.PROTECT,
        null=True,
        related_name="+",
        db_index=False,
        verbose_name=_("ended by the move"),
    )

    objects = TenantManager["StaffTask"]()

    class Meta:
        db_table = "staff_tasks"
        verbose_name = _("task")
        verbose_name_plural = _("tasks")
        ordering = ("due_at", "created_at", "id")
        constraints = [
            models.UniqueConstraint(
                fields=("event", "rule_id", "action_index", "kind"),
                condition=models.Q(event__isnull=False),
                nulls_distinct=False,
                name="staff_task_once",
            ),
            models.CheckConstraint(
                name="staff_task_kind_known", condition=models.Q(kind__in=TaskKind.values)
            ),
            models.CheckConstraint(
                name="staff_task_ended_by_one_act",
                condition=models.Q(ended_by_move__isnull=True, ended_by_review__isnull=True)
                | models.Q(
                    models.Q(ended_by_move__isnull=True) | models.Q(ended_by_review__isnull=True),
                    done_at__isnull=False,
                    kind=TaskKind.BLOCK_UNREVIEWED,
                ),
            ),
        ]
        indexes = [
            models.Index(
                fields=("organization", "due_at"),
                condition=models.Q(done_at__isnull=True),
                name="ix_staff_tasks_open",
            ),
            models.Index(
                fields=("patient",),
                condition=models.Q(done_at__isnull=True),
                name="ix_staff_tasks_of_patient",
            ),
        ]

    def __str__(self) -> str:
        return str(self.pk)
