"""System events: what happened, stored once per source and key, appended and never changed.

Spec 4 and 6.1: `journey_logs.trigger_event_id` leads here. Contents lie in a table of their own,
because they may hold personal data and must be erasable while the event is not.
"""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from kura.accounts.models import Organization
from kura.ids import time_ordered_uuid
from kura.tenancy import TenantManager
from patients.models import Patient


class SystemEventLog(models.Model):
    """`occurred_at`: when it happened, as the source says. `created_at`: the database's clock."""

    id = models.UUIDField(primary_key=True, default=time_ordered_uuid, editable=False)
    organization = models.ForeignKey(
        Organization,
        on_delete=models.PROTECT,
        related_name="+",
        db_index=False,
        verbose_name=_("organization"),
    )
    event_type = models.CharField(_("event"), max_length=80)
    patient = models.ForeignKey(
        Patient,
        on_delete=models.PROTECT,
        null=True,
        related_name="events",
        db_index=False,
        verbose_name=_("patient"),
    )
    journey_key = models.CharField(_("journey key"), max_length=60, null=True)
    source = models.CharField(_("source"), max_length=120)
    idempotency_key = models.CharField(_("idempotency key"), max_length=255)
    occurred_at = models.DateTimeField(_("happened"))
    created_at = models.DateTimeField(_("recorded"), db_default=models.Value(None))
    parent_event_id = models.UUIDField(_("caused by"), null=True)
    root_event_id = models.UUIDField(_("first cause"), null=True)
    depth = models.PositiveSmallIntegerField(_("depth"), default=0)
    txid = models.BigIntegerField(_("transaction"), db_default=models.Value(None), editable=False)

    objects = TenantManager["SystemEventLog"]()

    class Meta:
        db_table = "system_events"
        verbose_name = _("event")
        verbose_name_plural = _("events")
        ordering = ("-created_at", "-id")
        constraints = [
            models.UniqueConstraint(
                fields=("organization", "source", "idempotency_key"), name="system_event_once"
            ),
        ]
        indexes = [
            models.Index(
                fields=("patient", "event_type", "occurred_at"),
                name="ix_system_events_patient_type",
            ),
            models.Index(
                fields=("root_event_id",),
                condition=models.Q(depth__gt=0),
                name="ix_system_events_root",
            ),
        ]

    def __str__(self) -> str:
        return self.event_type


class PayloadManager(TenantManager["SystemEventPayload"]):
    organization_path = "event__organization_id"


class SystemEventPayload(models.Model):
    """What the source said (`payload`) and what rules could see at that moment (`facts`)."""

    event = models.OneToOneField(
        SystemEventLog,
        on_delete=models.PROTECT,
        primary_key=True,
        related_name="payload_row",
        verbose_name=_("event"),
    )
    payload = models.JSONField(_("payload"), default=dict)
    subject = models.JSONField(
        _("about whom"),
        default=dict,
        help_text=_("The person as the source named them: id, external_id or email."),
    )
    facts = models.JSONField(_("facts"), default=dict)

    objects = PayloadManager()

    class Meta:
        db_table = "system_event_payloads"
        verbose_name = _("event payload")
        verbose_name_plural = _("event payloads")

    def __str__(self) -> str:
        return str(self.event_id)
