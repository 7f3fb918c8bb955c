"""A run: one rule against one event, with each condition's and each action's outcome.

Written also when the rule did not match, so that "why did nothing happen?" has an answer.
"""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from automation.models.rule import AutomationRule
from journeys.models.event import SystemEventLog
from kura.accounts.models import Organization
from kura.ids import time_ordered_uuid
from kura.tenancy import TenantManager


class RunStatus(models.TextChoices):
    NOT_MATCHED = "not_matched", _("Conditions not met")
    DONE = "done", _("Done")
    REFUSED = "refused", _("Refused")
    FAILED = "failed", _("Failed")
    LOOP = "loop", _("Stopped: the rule ran for this cause already")


class RuleRun(models.Model):
    """`matched` is None when the rule could not be judged. `target`: the event's journey."""

    id = models.UUIDField(primary_key=True, default=time_ordered_uuid, editable=False)
    organization = models.ForeignKey(
        Organization,
        on_delete=models.PROTECT,
        related_name="+",
        db_constraint=False,
        db_index=False,
        verbose_name=_("organization"),
    )
    event = models.ForeignKey(
        SystemEventLog,
        on_delete=models.PROTECT,
        related_name="runs",
        db_index=False,
        verbose_name=_("event"),
    )
    rule = models.ForeignKey(
        AutomationRule,
        on_delete=models.PROTECT,
        related_name="runs",
        db_index=False,
        verbose_name=_("rule"),
    )
    rule_version = models.PositiveIntegerField(_("version of the rule"))
    patient_id = models.UUIDField(_("patient"), null=True)
    root_event_id = models.UUIDField(_("first cause"))
    target = models.CharField(_("journey key"), max_length=60, blank=True, default="")
    matched = models.BooleanField(_("matched"), null=True)
    status = models.CharField(_("outcome"), max_length=12, choices=RunStatus)
    conditions = models.JSONField(_("conditions"), default=list)
    actions = models.JSONField(_("actions"), default=list)
    error = models.CharField(_("error"), max_length=200, blank=True, default="")
    started_at = models.DateTimeField(_("started"))
    finished_at = models.DateTimeField(_("finished"))

    objects = TenantManager["RuleRun"]()

    class Meta:
        db_table = "rule_runs"
        verbose_name = _("run of a rule")
        verbose_name_plural = _("runs of rules")
        ordering = ("-started_at", "-id")
        constraints = [
            models.UniqueConstraint(fields=("event", "rule"), name="rule_run_once"),
            models.UniqueConstraint(
                fields=("root_event_id", "rule", "patient_id", "target"),
                condition=models.Q(matched=True) & ~models.Q(status="loop"),
                nulls_distinct=False,
                name="rule_run_once_per_cause",
            ),
            models.CheckConstraint(
                name="rule_run_status_known", condition=models.Q(status__in=RunStatus.values)
            ),
        ]
        indexes = [
            models.Index(fields=("organization", "-started_at"), name="ix_rule_runs_recent"),
            models.Index(fields=("rule", "-started_at"), name="ix_rule_runs_of_rule"),
            models.Index(fields=("patient_id", "-started_at"), name="ix_rule_runs_of_patient"),
        ]

    def __str__(self) -> str:
        return f"{self.rule_id} · {self.status}"
