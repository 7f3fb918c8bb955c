"""Signs of life: who last did what it should do again and again. Not a practice's: the system's."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class Heartbeat(models.Model):
    """`name`: "cluster", "monitor". `detail` holds numbers and times, never a person."""

    name = models.CharField(_("name"), max_length=60, primary_key=True)
    at = models.DateTimeField(_("last sign of life"))
    detail = models.JSONField(_("detail"), default=dict)

    class Meta:
        db_table = "heartbeats"
        verbose_name = _("heartbeat")
        verbose_name_plural = _("heartbeats")

    def __str__(self) -> str:
        return self.name
