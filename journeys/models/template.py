"""Journey templates: which stages a journey has, and which moves between them are allowed.

Spec 2.2. `allowed_stages` is the ordered list of the codes of the stages that are not retired.
A stage that somebody has ever stood in keeps its code and its status for ever, because the
history is read through them; it can be retired once nobody stands in it.
"""

from __future__ import annotations

from typing import TypeVar

from django.core.validators import RegexValidator
from django.db import models
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from kura.accounts.models import Organization
from kura.ids import time_ordered_uuid
from kura.tenancy import TenantManager

_Part = TypeVar("_Part", bound=models.Model)

KEY_PATTERN = r"^[a-z0-9_-]{1,60}$"
CODE_PATTERN = r"^[A-Z][A-Z0-9_]{0,59}$"


class StageStatus(models.TextChoices):
    """FHIR EpisodeOfCare codes. On hold = blocking; finished and cancelled = closed."""

    PLANNED = "planned", _("Planned")
    WAITLIST = "waitlist", _("Waiting list")
    ACTIVE = "active", _("Active")
    ON_HOLD = "onhold", _("On hold")
    FINISHED = "finished", _("Finished")
    CANCELLED = "cancelled", _("Cancelled")


CLOSED_STATUSES = frozenset({StageStatus.FINISHED, StageStatus.CANCELLED})


class Turn(models.TextChoices):
    """Who is expected to do something next."""

    PATIENT = "patient", _("Patient")
    THERAPIST = "therapist", _("Therapist")
    PRACTICE = "practice", _("Practice")
    NOBODY = "nobody", _("Nobody")


class JourneyTemplate(models.Model):
    """A blueprint that belongs to one organization. `version` grows with every edit."""

    id = models.UUIDField(primary_key=True, default=time_ordered_uuid, editable=False)
    organization = models.ForeignKey(
        Organization,
        on_delete=models.PROTECT,
        related_name="journey_templates",
        verbose_name=_("organization"),
    )
    key = models.CharField(
        _("key"),
        max_length=60,
        validators=[
            RegexValidator(
                KEY_PATTERN, _("A key has 1 to 60 small letters, digits, hyphens or underscores.")
            )
        ],
        help_text=_("The name that programs use. It cannot change once a patient is enrolled."),
    )
    name = models.CharField(_("name"), max_length=200)
    initial_stage = models.CharField(
        _("initial stage"),
        max_length=60,
        help_text=_("The code of the stage in which a patient begins."),
    )
    is_active = models.BooleanField(
        _("active"),
        default=True,
        help_text=_("An inactive template takes no new enrollments; running ones go on."),
    )
    version = models.PositiveIntegerField(_("version"), editable=False, db_default=1)

    objects = TenantManager["JourneyTemplate"]()

    class Meta:
        db_table = "journey_templates"
        verbose_name = _("journey template")
        verbose_name_plural = _("journey templates")
        ordering = ("name", "id")
        constraints = [
            models.UniqueConstraint(
                fields=("organization", "key"),
                name="journey_template_key_once",
                violation_error_message=_("A template with this key exists already."),
            ),
            models.CheckConstraint(
                name="journey_template_key_form", condition=models.Q(key__regex=KEY_PATTERN)
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def allowed_stages(self) -> list[str]:
        """Spec 2.2: the codes of the stages, in order."""
        stages = sorted(self.stages.all(), key=lambda stage: stage.position)
        return [stage.code for stage in stages if not stage.is_retired]


class PartOfTemplateManager(TenantManager[_Part]):
    organization_path = "template__organization_id"


class JourneyStage(models.Model):
    """One named position in a template."""

    id = models.UUIDField(primary_key=True, default=time_ordered_uuid, editable=False)
    template = models.ForeignKey(
        JourneyTemplate,
        on_delete=models.CASCADE,
        related_name="stages",
        verbose_name=_("journey template"),
    )
    code = models.CharField(
        _("code"),
        max_length=60,
        validators=[
            RegexValidator(
                CODE_PATTERN, _("A code has capital letters, digits and underscores only.")
            )
        ],
        help_text=_("The name that programs use. It cannot change once a patient stood here."),
    )
    position = models.PositiveSmallIntegerField(_("position"))
    status = models.CharField(
        _("status"),
        max_length=12,
        choices=StageStatus,
        default=StageStatus.ACTIVE,
        help_text=_("“On hold” blocks: only a therapist may move the patient on."),
    )
    label_es = models.CharField(_("name in Spanish"), max_length=120)
    label_en = models.CharField(_("name in English"), max_length=120)
    whose_turn = models.CharField(
        _("whose turn"), max_length=12, choices=Turn, default=Turn.PRACTICE
    )
    help_es = models.TextField(_("help in Spanish"), blank=True)
    help_en = models.TextField(_("help in English"), blank=True)
    retired_at = models.DateTimeField(_("retired"), null=True, blank=True, editable=False)

    objects = PartOfTemplateManager["JourneyStage"]()

    class Meta:
        db_table = "journey_stages"
        verbose_name = _("stage")
        verbose_name_plural = _("stages")
        ordering = ("template", "position", "code")
        constraints = [
            models.UniqueConstraint(
                fields=("template", "code"),
                name="journey_stage_code_once",
                violation_error_message=_("Two stages of a template cannot have the same code."),
            ),
            models.CheckConstraint(
                name="journey_stage_code_form", condition=models.Q(code__regex=CODE_PATTERN)
            ),
            models.CheckConstraint(
                name="journey_stage_status_known", condition=models.Q(status__in=StageStatus.values)
            ),
            models.CheckConstraint(
                name="journey_stage_turn_known", condition=models.Q(whose_turn__in=Turn.values)
            ),
        ]

    def __str__(self) -> str:
        return self.label

    @property
    def label(self) -> str:
        """The name in the reader's language."""
        return self.label_en if (get_language() or "").startswith("en") else self.label_es

    @property
    def is_retired(self) -> bool:
        return self.retired_at is not None


class JourneyTransition(models.Model):
    """One allowed move. A template without any of these allows every move between its stages."""

    id = models.UUIDField(primary_key=True, default=time_ordered_uuid, editable=False)
    template = models.ForeignKey(
        JourneyTemplate,
        on_delete=models.CASCADE,
        related_name="transitions",
        verbose_name=_("journey template"),
    )
    from_stage = models.CharField(
        _("from stage"), max_length=60, null=True, blank=True, help_text=_("Empty: enrollment.")
    )
    to_stage = models.CharField(_("to stage"), max_length=60)
    guard = models.JSONField(
        _("guard"),
        default=dict,
        blank=True,
        help_text=_("Conditions that must hold for this move, for example a payment received."),
    )
    requires_reason = models.BooleanField(_("requires a reason"), default=False)
    permission = models.CharField(
        _("permission"),
        max_length=120,
        blank=True,
        help_text=_("A permission needed beyond moving patients, or empty."),
    )

    objects = PartOfTemplateManager["JourneyTransition"]()

    class Meta:
        db_table = "journey_transitions"
        verbose_name = _("transition")
        verbose_name_plural = _("transitions")
        ordering = ("template", "from_stage", "to_stage")
        constraints = [
            models.UniqueConstraint(
                fields=("template", "from_stage", "to_stage"),
                name="journey_transition_once",
                nulls_distinct=False,
                violation_error_message=_("This move is listed twice."),
            ),
            models.CheckConstraint(
                name="journey_transition_moves",
                condition=models.Q(from_stage__isnull=True)
                | ~models.Q(from_stage=models.F("to_stage")),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.from_stage or '·'} → {self.to_stage}"
