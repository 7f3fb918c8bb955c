"""Data alone: what a template, an enrollment, a log row and an event are made of."""

from journeys.models.enrollment import Enrollment
from journeys.models.event import SystemEventLog, SystemEventPayload
from journeys.models.log import ActorKind, JourneyLog, JourneyLogNote
from journeys.models.review import BlockReview
from journeys.models.template import (
    JourneyStage,
    JourneyTemplate,
    JourneyTransition,
    StageStatus,
    Turn,
)

__all__ = [
    "ActorKind",
    "BlockReview",
    "Enrollment",
    "JourneyLog",
    "JourneyLogNote",
    "JourneyStage",
    "JourneyTemplate",
    "JourneyTransition",
    "StageStatus",
    "SystemEventLog",
    "SystemEventPayload",
    "Turn",
]
