"""A command as an operator runs it: in a process of its own, with the memory that it takes."""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import Final

from django.conf import settings
from django.db import connection

from bench.database import environment

LOOK_EVERY: Final = 0.02  # seconds between two looks at the child's memory


@dataclass(frozen=True, slots=True)
class Ran:
    """`seconds`: the start of Python included. `megabytes`: VmHWM, the most ever resident."""

    code: int
    seconds: float
    megabytes: float
    out: str


def run_command(*arguments: str) -> Ran:
    """`manage.py …` in the throw-away database."""
    name = connection.settings_dict["NAME"]
    start, peak = time.monotonic(), 0.0
    with (
        TemporaryFile("w+") as out,
        subprocess.Popen(  # noqa: S603  our own command line
            [sys.executable, "manage.py", *arguments],
            cwd=settings.BASE_DIR,
            env=environment(name),
            stdout=out,
        ) as child,
    ):
        while child.poll() is None:
            peak = _peak_megabytes(child.pid) or peak
            time.sleep(LOOK_EVERY)
        seconds = time.monotonic() - start
        out.seek(0)
        return Ran(child.returncode, seconds, peak, out.read())


def _peak_megabytes(pid: int) -> float:
    """The last look tells all. 0 once it is gone."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    except OSError:
        return 0.0
    lines = dict(line.split(":", 1) for line in status.splitlines())
    return int(lines["VmHWM"].split()[0]) / 1024 if "VmHWM" in lines else 0.0
