"""An action that kills its worker, and shorter waits for the reduced runs.

Loaded by the processes that a test starts, through `settings.py` beside it.
"""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.apps import AppConfig


class Faults(AppConfig):
    name = "tests.automation.cluster"
    label = "faults"
    path = str(Path(__file__).parent)

    def ready(self) -> None:
        from automation import cluster, dispatch  # noqa: PLC0415  models are there from now on
        from automation.actions import ACTIONS, update_journey_status  # noqa: PLC0415

        ACTIONS["kill_worker"] = replace(
            update_journey_status.ACTION, name="kill_worker", perform=kill_worker
        )
        if "TEST_GRACE" in os.environ:
            dispatch.GRACE = timedelta(seconds=float(os.environ["TEST_GRACE"]))
            dispatch.BACKOFF = (float(os.environ.get("TEST_BACKOFF", "0.2")),) * 4
            cluster.LOCK_WAIT = "300ms"


def kill_worker(params: Any, doing: Any) -> Any:
    """While the file is there; afterwards it moves the patient like any other action."""
    from automation.actions import update_journey_status  # noqa: PLC0415

    if Path(params["while"]).exists():
        os.kill(os.getpid(), signal.SIGKILL)
    return update_journey_status.ACTION.perform(params, doing)
