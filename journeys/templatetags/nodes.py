"""`{% node one %}` draws a node; `{% nodearound one %} … {% endnodearound %}` one with more in it.

Both take the members of `journeys.admin.nodes.Node` by name instead of a node.
"""

from __future__ import annotations

import re
from typing import Any, Final

from django import template
from django.template.loader import render_to_string
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe

from journeys.admin.nodes import Group, Node, Row

register = template.Library()
_NODE: Final = "kura/_node.html"


@register.inclusion_tag(_NODE)
def node(one: Node | None = None, **members: Any) -> dict[str, Any]:
    return {"node": one or Node(**members)}


@register.simple_block_tag
def nodearound(content: str, one: Node | None = None, **members: Any) -> SafeString:
    """What stands between the tags comes below the rows."""
    return render_to_string(_NODE, {"node": one or Node(**members), "content": content})


@register.filter
def is_group(row: Row | Group) -> bool:
    return isinstance(row, Group)


_NAMED: Final = re.compile("(?<=“)[^“”]+(?=”)|(?<=«)[^«»]+(?=»)")


@register.filter
def names_in_bold(sentence: str) -> SafeString:
    """What stands between quotes, in both languages: events, journeys, stages, subjects."""
    return mark_safe(_NAMED.sub(lambda name: f"<b>{name[0]}</b>", escape(sentence)))  # noqa: S308
