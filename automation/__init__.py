"""Automation: the clock and the doorbell (a django-q2 cluster) that work happens by."""
