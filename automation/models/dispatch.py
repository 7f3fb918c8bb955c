"""The queue of events: one row an event, written with it. The table is the queue.

`seq` is the order of arrival. Events of one patient are taken in that order, one at a time; the
indexes cover only what still waits, so the queue costs the same however long the history is.
"""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from journeys.models.event import SystemEventLog
from kura.accounts.models import Organization
from kura.ids import time_ordered_uuid
from kura.tenancy import TenantManager


class DispatchStatus(models.TextChoices):
    QUEUED = "queued", _("Waiting")
    PROCESSING = "processing", _("Being processed")
    DONE = "done", _("Done")
    DEAD = "dead", _("Failed for good")
    SKIPPED = "skipped", _("Skipped")
    UNMATCHED = "unmatched", _("Patient unknown")


WAITING = (DispatchStatus.QUEUED, DispatchStatus.PROCESSING)
_ARRIVAL = models.Func(
    models.Value("event_dispatches_arrival"),
    function="nextval",
    output_field=models.BigIntegerField(),
)
_WAITS = models.Q(status__in=[status.value for status in WAITING])


class EventDispatch(models.Model):
    """`claim` names who processes it now. `replay`: actions that were refused are tried again."""

    event = models.OneToOneField(
        SystemEventLog,
        on_delete=models.PROTECT,
        primary_key=True,
        related_name="dispatch",
        verbose_name=_("event"),
    )
    seq = models.BigIntegerField(_("order of arrival"), editable=False, db_default=_ARRIVAL)
    organization = models.ForeignKey(
        Organization,
        on_delete=models.PROTECT,
        related_name="+",
        db_constraint=False,
        db_index=False,
        verbose_name=_("organization"),
    )
    patient_id = models.UUIDField(_("patient"), null=True)
    status = models.CharField(
        _("status"), max_length=12, choices=DispatchStatus, default=DispatchStatus.QUEUED
    )
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    next_attempt_at = models.DateTimeField(_("next attempt"))
    claim = models.UUIDField(null=True, editable=False)
    claimed_at = models.DateTimeField(_("taken"), null=True)
    replay = models.BooleanField(_("replay"), default=False)
    last_error = models.CharField(_("last error"), max_length=200, blank=True, default="")
    finished_at = models.DateTimeField(_("finished"), null=True)

    objects = TenantManager["EventDispatch"]()

    class Meta:
        db_table = "event_dispatches"
        verbose_name = _("event in the queue")
        verbose_name_plural = _("queue of events")
        ordering = ("seq",)
        permissions = [("decide_event", "Can retry, skip, link and replay events")]
        constraints = [
            models.CheckConstraint(
                name="event_dispatch_status_known",
                condition=models.Q(status__in=DispatchStatus.values),
            ),
        ]
        indexes = [
            models.Index(
                fields=("organization", "seq"), condition=_WAITS, name="ix_dispatches_waiting"
            ),
            models.Index(
                fields=("patient_id", "seq"), condition=_WAITS, name="ix_dispatches_of_patient"
            ),
            models.Index(
                fields=("organization", "status", "seq"),
                condition=models.Q(status__in=["dead", "unmatched"]),
                name="ix_dispatches_for_people",
            ),
            models.Index(
                fields=("patient_id",),
                condition=models.Q(status="dead"),
                name="ix_dispatches_dead_of_patient",
            ),
        ]

    def __str__(self) -> str:
        return str(self.event_id)


class DecisionKind(models.TextChoices):
    RETRY = "retry", _("Tried again")
    SKIP = "skip", _("Skipped")
    LINK = "link", _("Linked to a patient")
    REPLAY = "replay", _("Replayed")
    RESEND = "resend", _("Message sent again")


class DispatchDecision(models.Model):
    """What a person decided about an event, or a message it caused, and why. Written once, kept."""

    id = models.UUIDField(primary_key=True, default=time_ordered_uuid, editable=False)
    organization = models.ForeignKey(
        Organization,
        on_delete=models.PROTECT,
        related_name="+",
        db_index=False,
        verbose_name=_("organization"),
    )
    event = models.ForeignKey(
        SystemEventLog,
        on_delete=models.PROTECT,
        related_name="decisions",
        verbose_name=_("event"),
    )
    message_id = models.UUIDField(_("message"), null=True, editable=False)
    kind = models.CharField(_("decision"), max_length=12, choices=DecisionKind)
    reason = models.TextField(_("reason"))
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        related_name="+",
        db_index=False,
        verbose_name=_("decided by"),
    )
    decided_at = models.DateTimeField(_("decided"), auto_now_add=True)

    objects = TenantManager["DispatchDecision"]()

    class Meta:
        db_table = "event_decisions"
        verbose_name = _("decision about an event")
        verbose_name_plural = _("decisions about events")
        ordering = ("-decided_at", "-id")

    def __str__(self) -> str:
        return f"{self.kind} {self.event_id}"
