"""The log for whoever keeps up with it: nothing is ever added before what was read already.

Neither ids nor transactions alone are an order that holds: a move draws its id before it commits,
and a transaction may have begun before another one and draw a later id. So rows are read in order
of (txid, id), and only those whose transaction is older than every one that still runs: whatever
is committed later has a larger txid.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from django.db.models import BigIntegerField, Func, Q, QuerySet

from journeys import errors
from journeys.models.log import JourneyLog

ORDER: Final = ("txid", "id")
LONGEST_MOVE: Final = timedelta(hours=1)  # from a transaction's first write to its last move


class OldestRunning(Func):
    """The oldest transaction of this database that has written and not ended yet; without one, the
    next that will begin.

    Transactions of other databases on the same server can write no row here. Which they are, the
    server tells by their sessions; one that it does not tell counts as ours.
    """

    template = """(
        SELECT coalesce(
            min(running::text::bigint), pg_snapshot_xmax(pg_current_snapshot())::text::bigint)
        FROM pg_snapshot_xip(pg_current_snapshot()) AS running
        WHERE NOT EXISTS (
            SELECT FROM pg_stat_activity AS session
            WHERE session.backend_xid::text::bigint = running::text::bigint & 4294967295
                AND session.datname <> current_database()))"""
    output_field = BigIntegerField()


def settled(logs: QuerySet[JourneyLog]) -> QuerySet[JourneyLog]:
    return logs.filter(txid__lt=OldestRunning())


def settled_after(logs: QuerySet[JourneyLog], log_id: int) -> QuerySet[JourneyLog]:
    """What follows the row of this id in ORDER; 0 is before the first one.

    A row that this organization does not have stands for all rows up to its id.
    """
    row = JourneyLog.objects.filter(pk=log_id).values("txid", "recorded_at").first()
    if row is None:
        return settled(logs).filter(id__gt=log_id)
    later = Q(txid__gt=row["txid"]) | Q(txid=row["txid"], id__gt=log_id)
    return settled(logs).filter(later, id__gt=_floor(log_id, row["recorded_at"]))


def up_to(logs: QuerySet[JourneyLog], log_id: int) -> QuerySet[JourneyLog]:
    """The row of this id and what comes before it in ORDER. LogRowNotFound."""
    txid = logs.filter(pk=log_id).values_list("txid", flat=True).first()
    if txid is None:
        raise errors.LogRowNotFound
    return logs.filter(Q(txid__lt=txid) | Q(txid=txid, id__lte=log_id))


def _floor(log_id: int, recorded_at: datetime) -> int:
    """An id that no later row lies below, so that the index on ids can be used: one that was
    given more than LONGEST_MOVE before.
    """
    before = JourneyLog.objects.filter(pk__lt=log_id, recorded_at__lt=recorded_at - LONGEST_MOVE)
    return before.order_by("-pk").values_list("pk", flat=True).first() or 0
