"""What gunicorn serves while the API is measured: the product, and the bare view beside it."""

from __future__ import annotations

import os

from django.conf import settings
from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "kura.settings")
settings.ROOT_URLCONF = "bench.urls"
application = get_wsgi_application()
