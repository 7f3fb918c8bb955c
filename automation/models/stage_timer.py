"""How far the monitor has come with one rule and one stage visit.

It saves looking through the events, which say the same for ever: the key of a JOURNEY_STAGE_TIMEOUT
is rule, visit and occurrence. A row that is lost is written again; a visit that has ended needs
none, so the table grows with the people who are stuck and not with history.
"""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from automation.models.rule import AutomationRule
from kura.accounts.models import Organization
from kura.tenancy import TenantManager


class StageTimer(models.Model):
    """`occurrence`: the highest that was announced, from 1. `due_at`: when that one was due."""

    id = models.BigAutoField(primary_key=True)
    organization = models.ForeignKey(
        Organization,
        on_delete=models.PROTECT,
        related_name="+",
        db_index=False,
        verbose_name=_("organization"),
    )
    rule = models.ForeignKey(
        AutomationRule,
        on_delete=models.PROTECT,
        related_name="+",
        db_index=False,
        verbose_name=_("rule"),
    )
    enrollment_id = models.UUIDField(_("enrollment"))
    stage_seq = models.PositiveIntegerField(_("move number"))
    occurrence = models.PositiveIntegerField(_("reminder number"))
    due_at = models.DateTimeField(_("due"))
    announced_at = models.DateTimeField(_("announced"))

    objects = TenantManager["StageTimer"]()

    class Meta:
        db_table = "stage_timers"
        verbose_name = _("stage timer")
        verbose_name_plural = _("stage timers")
        constraints = [
            models.UniqueConstraint(
                fields=("enrollment_id", "stage_seq", "rule"), name="stage_timer_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.rule_id} {self.enrollment_id} {self.stage_seq}"
