"""The stage that an action leads to: is it one, and what is it called?"""

from __future__ import annotations

from collections.abc import Iterator

from django.utils.translation import gettext as _

from automation.actions.base import Practice
from automation.problems import Problem


def stage_problems(key: str, stage: str | None, practice: Practice) -> Iterator[Problem]:
    """Pointers as in `update_journey_status`; `stage` None: the journey's initial one."""
    journey = practice.journeys.get(key)
    if journey is None:
        words = _("This practice has no journey with the key “%(key)s”.") % {"key": key}
        yield Problem("/key", "unknown_journey", words)
    elif stage is not None and stage not in journey.allowed:
        words = _("“%(stage)s” is no stage of “%(journey)s”. Its stages: %(stages)s.") % {
            "stage": stage,
            "journey": journey.name,
            "stages": ", ".join(journey.allowed),
        }
        yield Problem("/status", "stage_not_allowed", words)


def stage_words(key: str, stage: str | None, practice: Practice) -> tuple[str, str]:
    """The journey's and the stage's name; a key that is gone is shown as it is."""
    journey = practice.journeys.get(key)
    if journey is None:
        return key, stage or ""
    return journey.name, journey.label(stage or journey.initial_stage)
