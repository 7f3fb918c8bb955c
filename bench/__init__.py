"""Measurements, never assertions: `manage.py bench`. Figures are kept in docs/measurements.md."""
