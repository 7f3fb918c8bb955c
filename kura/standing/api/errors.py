"""What these endpoints refuse by themselves."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from kura.api.errors import Unavailable
from kura.errors import KuraError


class BackDatingNotPermitted(KuraError):
    message = _("Only a person may say that a move happened earlier. Leave changed_at out.")
    code = "permission_denied"
    status = 403


class TooMuchToCheck(Unavailable):
    message = _("There is too much to check in one request. Run verify_journeys on the server.")
