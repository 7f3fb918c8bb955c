"""Where this app's SQL files lie."""

from __future__ import annotations

from pathlib import Path
from typing import Final

SQL: Final = Path(__file__).parent
