"""`{% stage_badge stage %}` and `{% left_badge stage %}`: a stage, and one that was left."""

from __future__ import annotations

from django import template

from journeys.admin.badges import Badge, badge_of, plain
from journeys.selectors.definitions import Stage

register = template.Library()


@register.inclusion_tag("kura/_badge.html")
def stage_badge(stage: Stage | None, code: str = "") -> dict[str, Badge]:
    return {"badge": badge_of(stage, code)}


@register.inclusion_tag("kura/_badge.html")
def left_badge(stage: Stage | None, code: str = "") -> dict[str, Badge]:
    return {"badge": plain(badge_of(stage, code))}
