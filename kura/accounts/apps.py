from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class AccountsConfig(AppConfig):
    name = "kura.accounts"
    label = "accounts"
    verbose_name = _("Practice and team")

    def ready(self) -> None:
        from kura.accounts import sessions  # noqa: F401, PLC0415  listens to log-ins
