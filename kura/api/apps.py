from __future__ import annotations

from django.apps import AppConfig


class ApiConfig(AppConfig):
    name = "kura.api"
    label = "api"

    def ready(self) -> None:
        from django.conf import settings  # noqa: PLC0415

        from kura.api import rates  # noqa: PLC0415  models are ready now

        for name in settings.KURA_RATES:
            rates.rate(name)  # a limit that cannot be read stops the start, not a request
