"""The project's one signal. Sent inside the transaction of the move: `logs`, the rows appended."""

from __future__ import annotations

from django.dispatch import Signal

transitioned = Signal()
