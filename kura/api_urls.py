"""Every URL of the HTTP API, without a slash at the end. What stands in none of them is 404."""

from __future__ import annotations

from django.urls import include, path, re_path

from automation.api.events import EventsView, EventView
from kura.api.describing import DocsView, SchemaView
from kura.api.sessions import CsrfView, LoginView, LogoutView, MeView
from kura.api.tokens import TokensView, TokenView
from kura.api.views import UnknownPath

V1 = [
    path("auth/csrf", CsrfView.as_view(), name="api-csrf"),
    path("auth/login", LoginView.as_view(), name="api-login"),
    path("auth/logout", LogoutView.as_view(), name="api-logout"),
    path("auth/me", MeView.as_view(), name="api-me"),
    path("auth/tokens", TokensView.as_view(), name="api-tokens"),
    path("auth/tokens/<uuid:token_id>", TokenView.as_view(), name="api-token"),
    path("events", EventsView.as_view(), name="api-events"),
    path("events/<uuid:event_id>", EventView.as_view(), name="api-event"),
]

urlpatterns = [
    path("api/v1/", include(V1)),
    path("api/schema", SchemaView.as_view(), name="api-schema"),
    path("api/docs", DocsView.as_view(), name="api-docs"),
    re_path(r"^api(/.*)?$", UnknownPath.as_view()),
]
