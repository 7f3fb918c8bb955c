"""Journeys over HTTP: what a move, an enrollment and a template may be asked for with."""
