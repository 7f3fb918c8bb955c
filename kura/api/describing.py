"""`/api/schema` and the page `/api/docs` that shows it, both for whoever asks.

The page's scripts and styles are files of our own host, so the strict policy of every page holds
here too.
"""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from drf_spectacular.renderers import OpenApiJsonRenderer, OpenApiJsonRenderer2
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from kura.api.schema import description
from kura.api.scopes import PUBLIC
from kura.api.views import ApiView


class SchemaView(ApiView):
    schema = None  # it does not describe itself
    authentication_classes = ()
    renderer_classes = (OpenApiJsonRenderer2, OpenApiJsonRenderer)
    scopes = {"GET": PUBLIC}
    cache_control = "no-cache"

    def get(self, request: Request) -> Response:  # noqa: ARG002
        return Response(description())


class DocsView(ApiView):
    """A page; what goes wrong with it is a problem in JSON like everywhere here."""

    schema = None
    authentication_classes = ()
    scopes = {"GET": PUBLIC}
    cache_control = "no-cache"

    def perform_content_negotiation(self, request: Request, force: bool = False) -> Any:  # noqa: ARG002
        return JSONRenderer(), JSONRenderer.media_type

    def get(self, request: Request) -> HttpResponse:
        return render(request._request, "kura/api_docs.html")
