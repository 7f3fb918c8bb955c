from __future__ import annotations

import pytest

from automation.ladders import TIMEOUTS
from automation.library import READY_RULES
from journeys.services.templates import create_template
from kura.demo.archetypes import ARCHETYPES
from tests.factories import with_ready_rules


@pytest.fixture
def archetypes(organization):
    """The five journeys of Spec 5 with their ready rules, in the practice's scope."""
    _with_rules(organization, READY_RULES)
    return organization


@pytest.fixture
def waiting(organization):
    """The five journeys with their time-outs alone, for everybody; mail goes at night as well."""
    _with_rules(organization, TIMEOUTS)
    organization.settings = {"quiet_hours": None}
    organization.save()
    return organization


def _with_rules(organization, ready):
    for blueprint in ARCHETYPES:
        create_template(organization=organization, blueprint=blueprint)
    with_ready_rules(organization, ready)
