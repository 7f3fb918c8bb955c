"""Whether another site's page made the browser ask: for a GET that acts."""

from __future__ import annotations

from rest_framework.request import Request

from kura.api.errors import CrossSiteRequest


def refuse_cross_site(request: Request) -> None:
    """CrossSiteRequest. Browsers set the header and pages cannot; programs do not send it."""
    if request.headers.get("Sec-Fetch-Site") == "cross-site":
        raise CrossSiteRequest
