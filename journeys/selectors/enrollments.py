"""One enrollment as it stands, by a prepared statement: each answer to a move reads one."""

from __future__ import annotations

import uuid
from typing import Final

from journeys.models.enrollment import Enrollment
from kura import tenancy
from kura.prepared import Columns, prepared_cursor

_COLUMNS: Final = Columns.of("e", Enrollment)
_ONE: Final = f"""
    SELECT {_COLUMNS} FROM journey_enrollments e
    WHERE e.id = %s AND (e.organization_id = %s OR %s::boolean)
"""  # noqa: S608  constants


def enrollment_of(enrollment_id: uuid.UUID) -> Enrollment | None:
    """None for one that does not exist, or not in the tenant scope."""
    organization_id = tenancy.organization_in_scope()
    with prepared_cursor() as cursor:
        cursor.execute(_ONE, [enrollment_id, organization_id, organization_id is None])
        row = cursor.fetchone()
    return _COLUMNS.object(Enrollment, row) if row else None
