"""The product's URLs, and beside them the bare view that its requests are measured against."""

from __future__ import annotations

from django.urls import include, path

from bench.bare import BareView

urlpatterns = [
    path("bench/bare/<uuid:patient_id>", BareView.as_view(), name="bench-bare"),
    path("", include("kura.urls")),
]
handler404 = "kura.api.problems.page_not_found"
handler500 = "kura.api.problems.server_error"
