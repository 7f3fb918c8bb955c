"""What may be said to move somebody: to which stage of which journey, why, and since when."""

from __future__ import annotations

from typing import Any, Final

from django.utils.translation import gettext as _
from rest_framework.exceptions import ValidationError

from kura.api.fields import Coded, Moment, QueryFlag, Text
from kura.api.serializers import Body, Query

LONGEST: Final = 60  # characters of a key or a code
LONGEST_REASON: Final = 2000  # characters
USUAL_REASON_CODE: Final = "reviewed"  # of a lifted block, when a caller names none


class Reason(Text):
    """In words; may be left out where none is required."""

    def __init__(self) -> None:
        super().__init__(required=False, allow_blank=True, max_length=LONGEST_REASON)


class ReasonCode(Coded):
    """A kind of reason, without personal data: it stays in the log for ever."""

    def __init__(self) -> None:
        super().__init__(r"^[a-z0-9_]{1,60}\Z", required=False)


class Move(Body):
    """One of the pairs `journey_key` and `to_stage`, or `key` and `status` as rules name them.

    `changed_at`: when it happened, if it happened earlier; of people alone.
    """

    shape = {
        "oneOf": [{"required": ["journey_key"]}, {"required": ["key"]}],
        "dependentRequired": {
            "journey_key": ["to_stage"],
            "to_stage": ["journey_key"],
            "key": ["status"],
            "status": ["key"],
        },
    }

    journey_key = Text(required=False, max_length=LONGEST)
    to_stage = Text(required=False, max_length=LONGEST)
    key = Text(required=False, max_length=LONGEST)
    status = Text(required=False, max_length=LONGEST)
    reason = Reason()
    reason_code = ReasonCode()
    changed_at = Moment(required=False)

    def validate(self, given: dict[str, Any]) -> dict[str, Any]:
        """With `journey_key` and `to_stage`, whichever pair was sent."""
        pairs = {"journey_key": "to_stage", "key": "status"}
        named = {name for pair in pairs.items() for name in pair if name in given}
        for key, stage in pairs.items():
            if named == {key, stage}:
                return given | {"journey_key": given[key], "to_stage": given[stage]}
        words = _(
            "Name journey and stage by one pair: journey_key and to_stage, or key and status."
        )
        raise ValidationError(words, code="invalid")


class MoveQuery(Query):
    validate_only = QueryFlag(default=False)


class Entering(Body):
    journey_key = Text(max_length=LONGEST)
    reason = Reason()


class Unblocking(Body):
    """`to_stage`: the stage before the block, unless another one is named."""

    to_stage = Text(required=False, max_length=LONGEST)
    reason = Reason()
    reason_code = ReasonCode()
