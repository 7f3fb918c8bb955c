from __future__ import annotations

import pytest

from automation.library import install
from journeys.services.templates import create_template
from kura.demo.archetypes import ARCHETYPES


@pytest.fixture
def archetypes(organization):
    """The five journeys of Spec 5 with their ready rules, in the practice's scope."""
    for blueprint in ARCHETYPES:
        create_template(organization=organization, blueprint=blueprint)
    install(organization)
    return organization
