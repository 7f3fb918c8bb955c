"""7 ene 2026, 08:12."""

from __future__ import annotations

DATE_FORMAT = r"j \d\e F \d\e Y"
DAY = "j b Y"
DAY_SHORT = "j b"
DAY_LONG = r"l, j \d\e F \d\e Y"
MOMENT = "j b Y, H:i"
MOMENT_EXACT = "j b Y, H:i:s"
MOMENT_SHORT = "j b, H:i"
