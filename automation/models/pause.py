"""A therapist's word that a patient is left in peace for a while: reminders pause, in one journey.

Only the newest pause of an enrollment is without an end. It holds until its time, and no longer
than the stage visit it was made in: `stage_seq` is the enrollment's number of moves at that moment.
The reason is free text about a person: it stands here alone and may be erased.
"""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from journeys.models.enrollment import Enrollment
from kura.accounts.models import Organization
from kura.ids import time_ordered_uuid
from kura.tenancy import TenantManager


class ReminderPause(models.Model):
    """`ended_by` None: its time was over, or the patient had moved, when the next one was made."""

    id = models.UUIDField(primary_key=True, default=time_ordered_uuid, editable=False)
    organization = models.ForeignKey(
        Organization,
        on_delete=models.PROTECT,
        related_name="+",
        db_index=False,
        verbose_name=_("organization"),
    )
    enrollment = models.ForeignKey(
        Enrollment,
        on_delete=models.PROTECT,
        related_name="reminder_pauses",
        db_index=False,  # only the open one is looked for
        verbose_name=_("enrollment"),
    )
    stage_seq = models.PositiveIntegerField(_("move number"))
    until = models.DateTimeField(_("until"))
    reason = models.TextField(_("reason"), blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        related_name="+",
        db_index=False,
        verbose_name=_("paused by"),
    )
    created_at = models.DateTimeField(_("created"))
    ended_at = models.DateTimeField(_("ended"), null=True)
    ended_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        related_name="+",
        db_index=False,
        verbose_name=_("ended by"),
    )

    objects = TenantManager["ReminderPause"]()

    class Meta:
        db_table = "reminder_pauses"
        verbose_name = _("pause of reminders")
        verbose_name_plural = _("pauses of reminders")
        ordering = ("-created_at", "-id")
        permissions = [("pause_reminders", "Can pause the reminders to a patient")]
        constraints = [
            models.UniqueConstraint(
                fields=("enrollment",),
                condition=models.Q(ended_at__isnull=True),
                name="reminder_pause_one_open",
            ),
            models.CheckConstraint(
                name="reminder_pause_has_length",
                condition=models.Q(until__gt=models.F("created_at")),
            ),
            models.CheckConstraint(
                name="reminder_pause_ended_by_when_ended",
                condition=models.Q(ended_by__isnull=True) | models.Q(ended_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return str(self.pk)
