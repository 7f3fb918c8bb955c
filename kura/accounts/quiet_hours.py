"""Quiet hours: when a practice's patients get no mail. Kept in `organizations.settings`.

`{"quiet_hours": {"from": "21:00", "until": "08:00"}}`, on the patient's own clock; null: switched
off. Whoever never said anything has the night, and so has a practice whose settings cannot be read:
a message that is late is better than one that wakes somebody up.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, tzinfo
from typing import Any, Final

SETTING: Final = "quiet_hours"
MINUTE: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class QuietHours:
    """From `begins` until just before `ends`, whole minutes; a window may span midnight.

    ValueError for two equal times: that would be always or never.
    """

    begins: time
    ends: time

    def __post_init__(self) -> None:
        if self.begins == self.ends:
            raise ValueError("quiet hours that end when they begin")

    def cover(self, wall: time) -> bool:
        if self.begins < self.ends:
            return self.begins <= wall < self.ends
        return wall >= self.begins or wall < self.ends

    def over_at(self, now: datetime, zone: tzinfo) -> datetime:
        """`now` if it is not quiet in that zone, else the first minute that is not.

        Looks at the wall clock of each minute: it skips an hour in spring and repeats one in
        autumn, and places have left out whole days. At most some 1,400 looks, under a millisecond.
        """
        if not self.cover(now.astimezone(zone).time()):
            return now
        moment = now.astimezone(UTC).replace(second=0, microsecond=0)
        while self.cover(moment.astimezone(zone).time()):
            moment += MINUTE
        return moment

    def as_json(self) -> dict[str, str]:
        return {"from": f"{self.begins:%H:%M}", "until": f"{self.ends:%H:%M}"}


NIGHT: Final = QuietHours(time(21), time(8))


def quiet_hours_of(settings: Any) -> QuietHours | None:
    """What an organization's settings say; None when they are switched off."""
    if not isinstance(settings, dict) or SETTING not in settings:
        return NIGHT
    said = settings[SETTING]
    return None if said is None else _read(said)


def _read(said: Any) -> QuietHours:
    try:
        return QuietHours(_minute(said["from"]), _minute(said["until"]))
    except (KeyError, TypeError, ValueError):
        return NIGHT


def _minute(text: str) -> time:
    return time.fromisoformat(text).replace(second=0, microsecond=0, tzinfo=None)
