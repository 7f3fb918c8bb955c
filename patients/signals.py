"""Announced inside the transaction that made patients many at a time.

`bulk_create` tells nobody; who is made one by one is told by Django's own `post_save`.
"""

from __future__ import annotations

from django.dispatch import Signal

registered = Signal()  # patients: Sequence[Patient]
