from __future__ import annotations

from django.apps import AppConfig


class KuraAdminConfig(AppConfig):
    name = "kura.admin"
    label = "kura_admin"
