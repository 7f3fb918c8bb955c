"""The patient. `journey_status` is the specification's read model and belongs to the log alone.

Spec 2.1. Saving a patient never writes `journey_status`: PostgreSQL derives it from the journey
log and refuses any other value (`journey_status_follows_log`), so a form that was opened before
somebody moved the patient saves the contact data and leaves the stage as it is.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models.functions import Now, Upper
from django.utils.translation import gettext_lazy as _

from kura.accounts.models import Language, Organization, validate_timezone
from kura.ids import time_ordered_uuid
from kura.tenancy import TenantManager


class Patient(models.Model):
    """Someone a practice accompanies. `version` grows with every change, the stage's included."""

    id = models.UUIDField(primary_key=True, default=time_ordered_uuid, editable=False)
    organization = models.ForeignKey(
        Organization,
        on_delete=models.PROTECT,
        related_name="patients",
        verbose_name=_("organization"),
    )
    external_id = models.CharField(
        _("external id"),
        max_length=120,
        null=True,
        blank=True,
        help_text=_("This person's number in another system, if there is one."),
    )
    full_name = models.CharField(_("full name"), max_length=200)
    email = models.EmailField(_("e-mail address"), blank=True)
    phone = models.CharField(_("telephone"), max_length=40, blank=True)
    language = models.CharField(
        _("language"),
        max_length=2,
        choices=Language,
        default=Language.SPANISH,
        help_text=_("The language of the messages this person receives."),
    )
    timezone = models.CharField(
        _("time zone"),
        max_length=64,
        blank=True,
        validators=[validate_timezone],
        help_text=_("Empty means the practice's own."),
    )
    therapist = models.ForeignKey(
        get_user_model(),
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="patients",
        verbose_name=_("therapist"),
    )
    journey_status = models.JSONField(
        _("journey status"),
        default=dict,
        editable=False,
        db_default=models.Value({}, models.JSONField()),
    )
    version = models.PositiveIntegerField(_("version"), editable=False, db_default=1)
    created_at = models.DateTimeField(_("created"), editable=False, db_default=Now())
    updated_at = models.DateTimeField(_("updated"), editable=False, db_default=Now())
    erased_at = models.DateTimeField(_("erased"), null=True, blank=True, editable=False)
    search_key = models.TextField(db_collation="C", editable=False, db_default="")
    sort_key = models.TextField(db_collation="C", editable=False, db_default="")

    objects = TenantManager["Patient"]()

    class Meta:
        db_table = "patients"
        verbose_name = _("patient")
        verbose_name_plural = _("patients")
        ordering = ("sort_key", "id")
        constraints = [
            models.UniqueConstraint(
                fields=("organization", "external_id"),
                name="patient_external_id_once",
                violation_error_message=_("Another patient already has this external id."),
            ),
        ]
        indexes = [
            models.Index(fields=("organization", "sort_key", "id"), name="ix_patients_by_name"),
            models.Index("organization", Upper("email"), name="ix_patients_by_email"),
            # Few: whoever looks for those who are not erased asks here, and not each patient's row.
            models.Index(
                fields=("id",),
                condition=models.Q(erased_at__isnull=False),
                name="ix_patients_erased",
            ),
        ]

    def __str__(self) -> str:
        return self.full_name

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            kwargs["update_fields"] = _without_derived(self, kwargs.get("update_fields"))
        super().save(*args, **kwargs)

    def clean(self) -> None:
        super().clean()
        if self.therapist and self.therapist.organization_id != self.organization_id:
            raise ValidationError({"therapist": _("This person works in another practice.")})


class PatientImport(models.Model):
    """A file that somebody has looked at and not confirmed yet. Personal data: kept for a day."""

    id = models.UUIDField(primary_key=True, default=time_ordered_uuid, editable=False)
    organization = models.ForeignKey(
        Organization, on_delete=models.CASCADE, related_name="+", verbose_name=_("organization")
    )
    uploaded_by = models.ForeignKey(
        get_user_model(), on_delete=models.CASCADE, related_name="+", verbose_name=_("uploaded by")
    )
    content = models.BinaryField(_("file"))
    created_at = models.DateTimeField(_("created"), editable=False, db_default=Now())

    objects = TenantManager["PatientImport"]()

    class Meta:
        db_table = "patient_imports"
        verbose_name = _("import of patients")
        verbose_name_plural = _("imports of patients")
        default_permissions = ()

    def __str__(self) -> str:
        return str(self.pk)


# The database fills these: from the log, from its own clock, from the name.
DERIVED_FIELDS = frozenset(
    {"journey_status", "version", "created_at", "updated_at", "search_key", "sort_key"}
)


def _without_derived(patient: Patient, asked: Collection[str] | None) -> list[str]:
    names = asked if asked is not None else [f.name for f in _written(patient)]
    return [name for name in names if name not in DERIVED_FIELDS]


def _written(patient: Patient) -> list[models.Field[Any, Any]]:
    loaded = [f for f in patient._meta.concrete_fields if f.attname in patient.__dict__]
    return [f for f in loaded if not f.primary_key]
