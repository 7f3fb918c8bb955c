"""Every URL of the product, except the two probes (`kura.health.ProbeMiddleware`)."""

from __future__ import annotations

from django.urls import path
from django.views.generic import RedirectView

from kura import api_urls
from kura.admin.site import site

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index")),
    path("admin/", site.urls),
    *api_urls.urlpatterns,
]
handler400 = "kura.api.problems.bad_request"
handler403 = "kura.api.problems.permission_denied"
handler404 = "kura.api.problems.page_not_found"
handler500 = "kura.api.problems.server_error"
