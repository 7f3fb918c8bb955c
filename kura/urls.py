"""Every URL of the product, except the two probes (`kura.health.ProbeMiddleware`)."""

from __future__ import annotations

from django.urls import path
from django.views.generic import RedirectView

from kura.admin.site import site

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index")),
    path("admin/", site.urls),
]
