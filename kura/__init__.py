"""Kura OS Journeys. Which floor holds what: docs/architecture.md."""
