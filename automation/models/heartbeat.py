"""Signs of life: who last did what it should do again and again. Not a practice's: the system's."""

from __future__ import annotations

from typing import Final

from django.db import models
from django.utils.translation import gettext_lazy as _

CLUSTER: Final = "cluster"  # the last work of any cluster
OF_ONE: Final = f"{CLUSTER}:"  # followed by <host>:<pid> of its supervisor: of that cluster
SWEEP: Final = "sweep"  # the schedules called
MONITOR: Final = "monitor"  # the stale journey monitor has looked at everybody
VERIFIED: Final = "verified"  # the whole history was read, and what was found
VERIFYING: Final = "verifying"  # how far the reading has come


class Heartbeat(models.Model):
    """`name`: one of the above, or "mail" (outbox).

    `detail` holds numbers and times, never a person.
    """

    name = models.CharField(_("name"), max_length=60, primary_key=True)
    at = models.DateTimeField(_("last sign of life"))
    detail = models.JSONField(_("detail"), default=dict)

    class Meta:
        db_table = "heartbeats"
        verbose_name = _("heartbeat")
        verbose_name_plural = _("heartbeats")

    def __str__(self) -> str:
        return self.name
