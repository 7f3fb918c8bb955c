"""7 Jan 2026, 08:12."""

from __future__ import annotations

DATE_FORMAT = "j F Y"
DAY = "j M Y"
DAY_SHORT = "j M"
DAY_LONG = "l, j F Y"
MOMENT = "j M Y, H:i"
MOMENT_EXACT = "j M Y, H:i:s"
MOMENT_SHORT = "j M, H:i"
