"""What a person may see of events: permissions, once, for every page."""

from __future__ import annotations

from typing import Final

from automation.selectors.event_page import Sight
from kura.accounts.models import User

VALUES: Final = "patients.view_patient"
CONTENTS: Final = "journeys.view_systemeventpayload"


def sight_of(user: User) -> Sight:
    return Sight(values=user.has_perm(VALUES), contents=user.has_perm(CONTENTS))
