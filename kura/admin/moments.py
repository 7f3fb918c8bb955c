"""Times as a page about one person tells them: today by the hour, this year without the year."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext as _


@dataclass(frozen=True, slots=True)
class When:
    """`words`: on the practice's clock. The exact time stands in the markup."""

    at: datetime
    words: str


def when(at: datetime, now: datetime) -> When:
    """Alone: 7 ene, 08:12"""
    local = localtime(at)
    same_year = local.year == localtime(now).year
    return When(at, date_format(local, "MOMENT_SHORT" if same_year else "MOMENT"))


def when_in_sentence(at: datetime, now: datetime) -> When:
    """Inside a sentence: hoy a las 08:12, el 7 ene, 08:12"""
    local = localtime(at)
    if local.date() == localtime(now).date():
        return When(at, _("today at %(time)s") % {"time": date_format(local, "H:i")})
    return When(at, _("on %(day)s") % {"day": when(at, now).words})


def day(at: datetime, now: datetime) -> str:
    """Without the hour: 7 ene"""
    local = localtime(at)
    return date_format(local, "DAY_SHORT" if local.year == localtime(now).year else "DAY")
