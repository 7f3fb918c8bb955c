"""Journeys: templates and stages, enrollments, the one door through which a stage changes,
and the two logs that nobody can rewrite.
"""
