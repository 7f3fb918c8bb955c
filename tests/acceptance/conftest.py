from __future__ import annotations

import pytest

from automation.ladders import TIMEOUTS
from automation.library import install
from automation.models import AutomationRule
from journeys.services.templates import create_template
from kura.demo.archetypes import ARCHETYPES


@pytest.fixture
def archetypes(organization):
    """The five journeys of Spec 5 with their ready rules, in the practice's scope."""
    for blueprint in ARCHETYPES:
        create_template(organization=organization, blueprint=blueprint)
    install(organization)
    return organization


@pytest.fixture
def waiting(organization):
    """The five journeys with their time-outs alone, for everybody; mail goes at night as well."""
    for blueprint in ARCHETYPES:
        create_template(organization=organization, blueprint=blueprint)
    AutomationRule.objects.bulk_create(
        AutomationRule(organization=organization, code=rule.code, **rule.definition("es"))
        for rule in TIMEOUTS
    )
    organization.settings = {"quiet_hours": None}
    organization.save()
    return organization
