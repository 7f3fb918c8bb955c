"""What the HTTP edge remembers: answers already given, and how often somebody has called."""

from __future__ import annotations

from django.db import models

from kura.accounts.models import Organization
from kura.tenancy import TenantManager


class IdempotencyRecord(models.Model):
    """One answer, to the byte. `id`: the hash of caller, method, path and key.

    The body may hold personal data, so no row is older than a few hours more than
    `idempotency.KEPT`.
    """

    id = models.CharField(primary_key=True, max_length=64, editable=False)
    organization = models.ForeignKey(
        Organization, on_delete=models.CASCADE, related_name="+", db_index=False
    )
    request_hash = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField()
    headers = models.JSONField(default=dict)
    body = models.BinaryField()
    created_at = models.DateTimeField()

    objects = TenantManager["IdempotencyRecord"]()

    class Meta:
        db_table = "idempotency_records"
        indexes = [models.Index(fields=("created_at",), name="ix_idempotency_created")]

    def __str__(self) -> str:
        return self.id


class RateCount(models.Model):
    """Requests of one caller in the period that ends at `ends_at` (seconds since 1970).

    The table is unlogged: it is written with every request, and a crash may forget it.
    """

    bucket = models.CharField(primary_key=True, max_length=100)
    ends_at = models.BigIntegerField()
    hits = models.IntegerField()

    class Meta:
        db_table = "rate_counts"

    def __str__(self) -> str:
        return self.bucket
