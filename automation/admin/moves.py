"""The log of moves, where a move that a rule made names its rule."""

from __future__ import annotations

from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest
from django.utils.translation import gettext as _

from automation.models import AutomationRule
from journeys.admin.logs import JourneyLogAdmin
from journeys.models.log import JourneyLog
from journeys.selectors.history import HistoryLine


class MoveAdmin(JourneyLogAdmin):
    def get_queryset(self, request: HttpRequest) -> QuerySet[JourneyLog]:
        """With `rule_name`: as it is called now; None of what no rule moved."""
        named = AutomationRule.objects.filter(pk=OuterRef("rule_id")).values("name")
        return super().get_queryset(request).annotate(rule_name=Subquery(named[:1]))

    def who(self, row: JourneyLog, line: HistoryLine) -> str:
        rule: str | None = getattr(row, "rule_name", None)
        return _("Rule “%(rule)s”") % {"rule": rule} if rule else super().who(row, line)
