"""Where a patient stands in a journey, since when, and for which time they take it.

Written only by the database, when a row is appended to `journey_logs`.
"""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from journeys.models.template import JourneyTemplate, StageStatus
from kura.accounts.models import Organization
from kura.tenancy import TenantManager
from patients.models import Patient


class Enrollment(models.Model):
    """`number` counts a patient's enrollments in one journey; at most one is open."""

    id = models.UUIDField(primary_key=True, editable=False)
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
        related_name="enrollments",
        db_index=False,  # the constraints and the index below begin with it
        verbose_name=_("patient"),
    )
    template = models.ForeignKey(
        JourneyTemplate,
        on_delete=models.PROTECT,
        related_name="enrollments",
        db_index=False,  # the constraints and the index below begin with it
        verbose_name=_("journey"),
    )
    journey_key = models.CharField(_("journey key"), max_length=60)
    number = models.PositiveIntegerField(_("number"))
    stage = models.CharField(_("stage"), max_length=60)
    status = models.CharField(_("status"), max_length=12, choices=StageStatus)
    entered_at = models.DateTimeField(_("in this stage since"))
    blocked_from = models.CharField(_("stage before the block"), max_length=60, null=True)
    seq = models.PositiveIntegerField(_("moves"))
    opened_at = models.DateTimeField(_("enrolled"))
    closed_at = models.DateTimeField(_("closed"), null=True)

    objects = TenantManager["Enrollment"]()

    class Meta:
        db_table = "journey_enrollments"
        verbose_name = _("enrollment")
        verbose_name_plural = _("enrollments")
        ordering = ("-entered_at", "-id")
        permissions = [
            ("transition_enrollment", "Can move a patient to another stage"),
            ("enroll_patient", "Can enroll a patient in a journey"),
            ("unblock_enrollment", "Can review and lift a block"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=("patient", "journey_key", "number"), name="journey_enrollment_number_once"
            ),
            models.UniqueConstraint(
                fields=("patient", "journey_key"),
                condition=models.Q(closed_at__isnull=True),
                name="journey_enrollment_one_open",
            ),
        ]
        indexes = [
            models.Index(
                fields=("template", "stage", "entered_at"), name="ix_enrollments_stage_entered"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.journey_key} {self.number}"

    @property
    def is_open(self) -> bool:
        return self.closed_at is None

    @property
    def is_blocked(self) -> bool:
        return self.status == StageStatus.ON_HOLD
