"""That somebody looked at a block and kept it: who, when, and in words if they wrote any.

No move, so no row of the log; but whoever looks next has to know. A review stays as it was written,
except that its note, which may name people, can be erased (`journeys/sql/block_reviews.sql`).
"""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from journeys.models.enrollment import Enrollment
from kura.accounts.models import Organization
from kura.ids import time_ordered_uuid
from kura.tenancy import TenantManager


class BlockReview(models.Model):
    """`seq`: the move that set the block, so that a later block of the enrollment is another."""

    id = models.UUIDField(primary_key=True, default=time_ordered_uuid, editable=False)
    organization = models.ForeignKey(
        Organization,
        on_delete=models.PROTECT,
        related_name="+",
        db_index=False,
        verbose_name=_("organization"),
    )
    enrollment = models.ForeignKey(
        Enrollment,
        on_delete=models.PROTECT,
        related_name="block_reviews",
        db_index=False,  # the index below begins with it
        verbose_name=_("enrollment"),
    )
    seq = models.PositiveIntegerField(_("move number"))
    reviewer = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        related_name="+",
        db_index=False,
        verbose_name=_("reviewed by"),
    )
    note = models.TextField(_("note"), blank=True, default="")
    reviewed_at = models.DateTimeField(_("reviewed"), editable=False, db_default=Now())

    objects = TenantManager["BlockReview"]()

    class Meta:
        db_table = "block_reviews"
        verbose_name = _("review of a block")
        verbose_name_plural = _("reviews of blocks")
        ordering = ("-reviewed_at", "-id")
        indexes = [
            models.Index(fields=("enrollment", "seq", "-reviewed_at"), name="ix_block_reviews"),
        ]

    def __str__(self) -> str:
        return f"{self.enrollment_id} {self.seq}"
