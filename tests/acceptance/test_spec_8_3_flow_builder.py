"""Specification 8.3: the flow builder's nodes, one test a sentence."""

from __future__ import annotations

import colorsys
import re
from pathlib import Path

import pytest
from django.template import Context, Template
from django.test import Client
from django.urls import reverse
from django.utils import translation

import kura.admin
from automation.actions.base import Practice
from automation.admin.rule_nodes import rule_nodes
from automation.library import READY_RULES
from journeys.admin.nodes import Node
from tests.admin import people
from tests.admin.conftest import plain_http

__all__ = ["plain_http"]

pytestmark = pytest.mark.django_db
STYLES = Path(kura.admin.__file__).parent / "static" / "kura" / "kura.css"
SPARKLE, BOLT = "M11 3.500 13 9l5.500 2", "M13 3 5 14h6l-1 7 8-11h-6z"


@pytest.fixture
def page(organization) -> str:
    client = Client()
    client.force_login(people.person(organization, "manager"))
    return client.get(reverse("admin:design_system")).content.decode()


def drawn(kind: str, state: str = "neutral") -> str:
    node = Node(kind=kind, id="one", title="Algo", state=state)
    with translation.override("es"):
        return Template("{% load nodes %}{% node one %}").render(Context({"one": node}))


def hues(name: str) -> list[int]:
    """In degrees, of the colour's light and dark value."""
    [pair] = re.findall(rf"--{name}: light-dark\(#(\w{{6}}), #(\w{{6}})\)", STYLES.read_text())
    parts = [[int(code[i : i + 2], 16) / 255 for i in (0, 2, 4)] for code in pair]
    return [round(colorsys.rgb_to_hsv(*rgb)[0] * 360) for rgb in parts]


def rule_of(selector: str) -> str:
    [found] = re.findall(rf"^{re.escape(selector)} {{ (.*?) }}$", STYLES.read_text(), re.MULTILINE)
    return found


def test_location_design_system_shows_the_components(page):
    """Location: `/design-system`."""
    assert reverse("admin:design_system").endswith("/design-system/")
    for kind in ("trigger", "condition", "action"):
        assert f'class="node node-{kind} ' in page


def test_visual_cuando_si_entonces_node_system(archetypes):
    """Visual CUANDO/SI/ENTONCES node system."""
    with translation.override("es"):
        practice = Practice(organization=archetypes)
        for ready in READY_RULES:
            nodes = rule_nodes(ready.definition("es"), practice)

            assert [one.kicker_words for one in nodes] == ["Cuando", "Si", "Entonces"]
            assert [one.kind for one in nodes] == ["trigger", "condition", "action"]
    assert "text-transform: uppercase" in rule_of(".node .kicker")


def test_trigger_is_purple_with_the_ai_icon():
    """FlowNode.trigger (purple, AI icon)."""
    assert "Cuando" in drawn("trigger")
    assert SPARKLE in drawn("trigger")
    assert "var(--when)" in rule_of(".node-trigger")
    assert all(255 <= hue <= 285 for hue in hues("when"))


def test_condition_is_orange_and_a_diamond():
    """FlowNode.condition (orange, diamond)."""
    assert ">Si<" in drawn("condition")
    assert "var(--if)" in rule_of(".node-condition")
    assert "rotate: 45deg" in rule_of(".node-condition > .node-head > .node-glyph")
    assert all(15 <= hue <= 40 for hue in hues("if"))


def test_action_is_green_and_says_success():
    """FlowNode.action (green, success)."""
    assert "Entonces" in drawn("action")
    assert BOLT in drawn("action")
    assert "var(--then)" in rule_of(".node-action")
    assert all(140 <= hue <= 165 for hue in hues("then"))
    assert re.search(r'badge-done"><svg.*</svg>Hecho', drawn("action", "done"))


def test_reusable_for_agent_flows_campaign_funnels_and_patient_timelines(page):
    """Reusable for: Agent flows, Campaign funnels, Patient timelines."""
    flows = page.partition('id="flows"')[2].partition("</section><section")[0]

    for name in ("agent", "funnel", "line"):
        found = re.findall(rf'class="node node-(\w+) [^>]*labelledby="{name}-\d"', flows)
        assert len(found) == 3
        assert {"trigger"} < set(found)
