"""The journey log: one row per move, appended and never changed. The one door.

Spec 2.3 and 6.1. A caller gives patient, journey, stage and cause; the database locks, checks
and fills the rest (`journeys/sql/journey_door.sql`). `from_stage`, `seq` and `enrollment_id` may
be given too: they are then compared with the truth, and the row is refused if that moved on.
"""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from kura.accounts.models import Organization
from kura.tenancy import TenantManager
from patients.models import Patient

FILLED_BY_DATABASE = models.Value(None)


class NamedIndex(models.Index):
    """PostgreSQL's own limit: the specification's index name is longer than Django's 30."""

    max_name_length = 63


class ActorKind(models.TextChoices):
    USER = "user", _("Person")
    RULE = "rule", _("Rule")
    INTEGRATION = "integration", _("Integration")
    SYSTEM = "system", _("System")
    IMPORT = "import", _("Import")


class JourneyLog(models.Model):
    """`changed_at`: when it happened. `recorded_at`: the database's clock, never supplied."""

    id = models.BigAutoField(primary_key=True)
    organization = models.ForeignKey(
        Organization,
        on_delete=models.PROTECT,
        related_name="+",
        db_constraint=False,
        db_index=False,
        db_default=FILLED_BY_DATABASE,
        verbose_name=_("organization"),
    )
    patient = models.ForeignKey(
        Patient,
        on_delete=models.PROTECT,
        related_name="journey_logs",
        db_index=False,
        verbose_name=_("patient"),
    )
    enrollment_id = models.UUIDField(_("enrollment"), db_default=FILLED_BY_DATABASE)
    journey_key = models.CharField(_("journey key"), max_length=60)
    seq = models.PositiveIntegerField(_("move number"), db_default=FILLED_BY_DATABASE)
    from_stage = models.CharField(
        _("from stage"), max_length=60, null=True, db_default=FILLED_BY_DATABASE
    )
    to_stage = models.CharField(_("to stage"), max_length=60)
    changed_at = models.DateTimeField(_("when"), db_default=FILLED_BY_DATABASE)
    recorded_at = models.DateTimeField(_("recorded"), db_default=FILLED_BY_DATABASE)
    trigger_event = models.ForeignKey(
        "journeys.SystemEventLog",
        on_delete=models.PROTECT,
        null=True,
        related_name="journey_logs",
        db_index=False,
        verbose_name=_("event that caused it"),
    )
    actor_kind = models.CharField(_("moved by"), max_length=12, choices=ActorKind)
    actor_id = models.UUIDField(_("actor"), null=True)
    rule_id = models.UUIDField(_("rule"), null=True)
    reason_code = models.CharField(_("reason"), max_length=60, null=True)
    via = models.CharField(_("via"), max_length=20, null=True)
    request_id = models.CharField(_("request"), max_length=64, null=True)
    db_user = models.CharField(_("database user"), max_length=63, db_default=FILLED_BY_DATABASE)
    txid = models.BigIntegerField(_("transaction"), db_default=FILLED_BY_DATABASE)
    first_reach = models.BooleanField(_("first time in this stage"), db_default=FILLED_BY_DATABASE)
    dwell = models.DurationField(
        _("time in the stage before"), null=True, db_default=FILLED_BY_DATABASE
    )

    objects = TenantManager["JourneyLog"]()

    class Meta:
        db_table = "journey_logs"
        verbose_name = _("move")
        verbose_name_plural = _("moves")
        ordering = ("-id",)
        constraints = [
            models.UniqueConstraint(fields=("enrollment_id", "seq"), name="journey_log_seq_once"),
            models.CheckConstraint(
                name="journey_log_actor_known",
                condition=models.Q(actor_kind__in=ActorKind.values),
            ),
            models.CheckConstraint(
                name="journey_log_user_named",
                condition=~models.Q(actor_kind=ActorKind.USER) | models.Q(actor_id__isnull=False),
            ),
        ]
        indexes = [
            NamedIndex(
                fields=("patient", "journey_key", "changed_at"),
                name="ix_journey_logs_patient_key_time",
            ),
            models.Index(
                fields=("organization", "journey_key", "to_stage", "changed_at"),
                condition=models.Q(first_reach=True),
                name="ix_journey_logs_first_reach",
            ),
            models.Index(
                fields=("trigger_event",),
                condition=models.Q(trigger_event__isnull=False),
                name="ix_journey_logs_trigger_event",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.journey_key}: {self.from_stage or '·'} → {self.to_stage}"


class NoteManager(TenantManager["JourneyLogNote"]):
    organization_path = "log__organization_id"


class JourneyLogNote(models.Model):
    """The free-text reason of a move. It may name people, so it can be erased; the log cannot."""

    log = models.OneToOneField(
        JourneyLog,
        on_delete=models.PROTECT,
        primary_key=True,
        related_name="note",
        verbose_name=_("journey log entry"),
    )
    body = models.TextField(_("reason"))

    objects = NoteManager()

    class Meta:
        db_table = "journey_log_notes"
        verbose_name = _("reason in words")
        verbose_name_plural = _("reasons in words")

    def __str__(self) -> str:
        return self.body[:60]
