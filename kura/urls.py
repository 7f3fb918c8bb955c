"""Every URL of the product."""

from __future__ import annotations

from django.urls import path
from django.views.generic import RedirectView

from kura.admin.site import site
from kura.health import healthz, readyz

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index")),
    path("admin/", site.urls),
    path("healthz", healthz, name="healthz"),
    path("readyz", readyz, name="readyz"),
]
