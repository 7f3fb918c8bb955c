"""Rules: WHEN an event, IF conditions, THEN actions. Spec 3.1.

The rule's own columns are the published version; `draft` is the next one, and changes nothing
until it is published. What was published stays in `automation_rule_versions` for ever, so that a
run can always be read with the rule as it was. Who switched a rule on or off stays as well: a rule
that did not protect a patient because it was off has to be found.
"""

from __future__ import annotations

from typing import Any, Final

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from kura.accounts.models import Organization
from kura.ids import time_ordered_uuid
from kura.tenancy import TenantManager

DEFINITION: Final = (
    "name", "trigger_event", "journey_key", "stage", "max_hours", "repeat_hours", "max_repeats",
    "conditions", "actions", "priority",
)  # fmt: skip


class AutomationRule(models.Model):
    """`journey_key` and `stage` narrow the trigger; empty means any. Lower `priority` first.

    With JOURNEY_STAGE_TIMEOUT: `max_hours` after the stage was entered, again every `repeat_hours`,
    `max_repeats` times in all; for visits that began at `visits_from` or later. Spec 2.4.
    """

    id = models.UUIDField(primary_key=True, default=time_ordered_uuid, editable=False)
    organization = models.ForeignKey(
        Organization,
        on_delete=models.PROTECT,
        related_name="automation_rules",
        db_index=False,
        verbose_name=_("organization"),
    )
    name = models.CharField(_("name"), max_length=200)
    trigger_event = models.CharField(_("when"), max_length=80)
    journey_key = models.CharField(_("journey key"), max_length=60, blank=True, default="")
    stage = models.CharField(_("stage"), max_length=60, blank=True, default="")
    max_hours = models.DecimalField(
        _("hours in the stage"), max_digits=9, decimal_places=3, null=True, blank=True
    )
    repeat_hours = models.DecimalField(
        _("repeat after hours"), max_digits=9, decimal_places=3, null=True, blank=True
    )
    max_repeats = models.PositiveSmallIntegerField(_("at most"), null=True, blank=True)
    visits_from = models.DateTimeField(
        _("for whom it begins"),
        null=True,
        blank=True,
        editable=False,
        help_text=_("Only who entered the stage since then is reminded; empty: everybody."),
    )
    conditions = models.JSONField(_("if"), default=dict, blank=True)
    actions = models.JSONField(_("then"), default=list)
    priority = models.SmallIntegerField(
        _("priority"), default=100, help_text=_("Rules with a lower number run first.")
    )
    is_active = models.BooleanField(_("active"), default=True)
    version = models.PositiveIntegerField(_("version"), default=1, editable=False)
    draft = models.JSONField(_("draft"), null=True, blank=True, editable=False)
    code = models.CharField(
        _("code"),
        max_length=80,
        null=True,
        blank=True,
        editable=False,
        help_text=_("The name of the ready rule that this one was made from."),
    )
    archived_at = models.DateTimeField(_("archived"), null=True, blank=True, editable=False)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    updated_at = models.DateTimeField(_("updated"), auto_now=True)

    objects = TenantManager["AutomationRule"]()

    class Meta:
        db_table = "automation_rules"
        verbose_name = _("rule")
        verbose_name_plural = _("rules")
        ordering = ("priority", "id")
        constraints = [
            models.UniqueConstraint(
                fields=("organization", "code"),
                name="automation_rule_code_once",
                violation_error_message=_("This ready rule is installed already."),
            ),
        ]
        indexes = [
            models.Index(
                fields=("organization", "trigger_event", "priority", "id"),
                condition=models.Q(is_active=True),
                name="ix_rules_listening",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def definition(self) -> dict[str, Any]:
        """The published version as data; decimals as text, so that JSON keeps them exactly."""
        values = {name: getattr(self, name) for name in DEFINITION}
        return {
            name: str(value) if name.endswith("_hours") and value is not None else value
            for name, value in values.items()
        }


class VersionManager(TenantManager["RuleVersion"]):
    organization_path = "rule__organization_id"


class RuleVersion(models.Model):
    id = models.UUIDField(primary_key=True, default=time_ordered_uuid, editable=False)
    rule = models.ForeignKey(
        AutomationRule,
        on_delete=models.PROTECT,
        related_name="versions",
        db_index=False,
        verbose_name=_("rule"),
    )
    version = models.PositiveIntegerField(_("version"))
    definition = models.JSONField(_("definition"))
    published_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        related_name="+",
        db_index=False,
        verbose_name=_("published by"),
    )
    published_at = models.DateTimeField(_("published"), auto_now_add=True)

    objects = VersionManager()

    class Meta:
        db_table = "automation_rule_versions"
        verbose_name = _("version of a rule")
        verbose_name_plural = _("versions of rules")
        ordering = ("rule", "-version")
        constraints = [
            models.UniqueConstraint(fields=("rule", "version"), name="rule_version_once"),
        ]

    def __str__(self) -> str:
        return f"{self.rule_id} {self.version}"


class SwitchKind(models.TextChoices):
    ON = "on", _("Switched on")
    OFF = "off", _("Switched off")
    ARCHIVED = "archived", _("Archived")


class SwitchManager(TenantManager["RuleSwitch"]):
    organization_path = "rule__organization_id"


class RuleSwitch(models.Model):
    """A rule began or ceased to act. Written once, kept. `switched_by` None: Kura itself."""

    id = models.UUIDField(primary_key=True, default=time_ordered_uuid, editable=False)
    rule = models.ForeignKey(
        AutomationRule,
        on_delete=models.PROTECT,
        related_name="switches",
        verbose_name=_("rule"),
    )
    kind = models.CharField(_("change"), max_length=12, choices=SwitchKind)
    switched_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        related_name="+",
        db_index=False,
        verbose_name=_("switched by"),
    )
    switched_at = models.DateTimeField(_("switched"), auto_now_add=True)

    objects = SwitchManager()

    class Meta:
        db_table = "automation_rule_switches"
        verbose_name = _("switch of a rule")
        verbose_name_plural = _("switches of rules")
        ordering = ("-switched_at", "-id")
        constraints = [
            models.CheckConstraint(
                name="rule_switch_kind_known", condition=models.Q(kind__in=SwitchKind.values)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.rule_id} {self.kind}"
