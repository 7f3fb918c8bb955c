"""`{% stage_badge stage %}`, `{% left_badge stage %}`, `{% draft_badge stage %}`: a stage, one
that was left, and one that is being edited.
"""

from __future__ import annotations

from django import template

from journeys.admin.badges import Badge, badge_of, badge_of_draft, plain
from journeys.blueprints import StageDraft
from journeys.selectors.definitions import Stage

register = template.Library()


@register.inclusion_tag("kura/_badge.html")
def stage_badge(stage: Stage | None, code: str = "") -> dict[str, Badge]:
    return {"badge": badge_of(stage, code)}


@register.inclusion_tag("kura/_badge.html")
def draft_badge(stage: StageDraft) -> dict[str, Badge]:
    return {"badge": badge_of_draft(stage)}


@register.inclusion_tag("kura/_badge.html")
def left_badge(stage: Stage | None, code: str = "") -> dict[str, Badge]:
    return {"badge": plain(badge_of(stage, code))}
