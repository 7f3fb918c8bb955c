"""The admin site. This file lists every registration; nothing registers itself."""

from __future__ import annotations

from django.contrib.admin import AdminSite
from django.utils.translation import gettext_lazy as _


class KuraAdminSite(AdminSite):
    site_header = _("Kura OS Journeys")
    site_title = _("Kura OS Journeys")
    index_title = _("Practice")
    final_catch_all_view = False


site = KuraAdminSite(name="admin")
