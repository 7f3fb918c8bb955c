"""Patients and their journeys over HTTP: parse, call one service or selector, render.

Whatever says where somebody stands is here, above the floors that it is read from; who a patient
is (`patients/api`) and what a template may be (`journeys/api`) is parsed on their own floors.
"""
