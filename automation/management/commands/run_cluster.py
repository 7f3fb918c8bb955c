"""`manage.py run_cluster`: django-q2's cluster under a supervisor that replaces it when silent."""

from __future__ import annotations

from typing import Any, Final

from django.core.management.base import BaseCommand, CommandParser

from automation import cluster

DEFAULTS: Final = cluster.Limits()


class Command(BaseCommand):
    help = (
        "Run the cluster, supervised. Any number of these may run on one database. "
        "SIGTERM and SIGINT stop it within 30 seconds."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--unsupervised",
            action="store_true",
            help="the cluster alone, which is what the supervisor starts",
        )
        parser.add_argument(
            "--beat", type=float, default=DEFAULTS.beat, help="seconds between signs of life"
        )
        parser.add_argument(
            "--silence",
            type=float,
            default=DEFAULTS.silence,
            help="seconds without a sign until the cluster is replaced; longer than any task",
        )

    def handle(self, *, unsupervised: bool, beat: float, silence: float, **_options: Any) -> None:
        if unsupervised:
            cluster.run_unsupervised()
        else:
            cluster.supervise(cluster.Limits(beat=beat, silence=silence))
