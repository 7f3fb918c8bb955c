"""The product's settings, and what a test of faults needs inside the workers (faults.py)."""

from kura.settings import *  # noqa: F403
from kura.settings import INSTALLED_APPS as SHIPPED

INSTALLED_APPS = [*SHIPPED, "tests.automation.cluster.faults.Faults"]
