"""The WSGI callable that gunicorn serves: `gunicorn kura.wsgi`."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any, Final

from django.core.wsgi import get_wsgi_application
from django.utils.http import parse_header_parameters

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "kura.settings")
_django: Final = get_wsgi_application()


def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """Django reads the Content-Type before it can answer a problem: one that cannot be read is
    taken for none, and refused as such.
    """
    try:
        parse_header_parameters(environ.get("CONTENT_TYPE", ""))
    except ValueError:
        environ["CONTENT_TYPE"] = ""
    return _django(environ, start_response)
