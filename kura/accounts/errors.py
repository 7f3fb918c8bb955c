"""What can be refused about a team, by name."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from kura.errors import KuraError


class LastManager(KuraError):
    message = _(
        "This is the only active manager of the practice. "
        "Make somebody else a manager first, then change this."
    )
    code = "last_manager"


class AccessMailFailed(KuraError):
    message = _(
        "The mail server did not take the e-mail, so nobody has received a link. "
        "Try again later, or show a new password here."
    )
    code = "access_mail_failed"
    status = 503
