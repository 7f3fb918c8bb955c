"""The admin skin over the journeys' services: lists, the patient's journeys, the pages that move.

    badges.py        a stage as colour, icon and word: the only place that decides them
    filters.py       by journey, stage, status
    patients.py      the list of patients, and their pages below
    enrollments.py   the list of enrollments, and where the pages below are registered
    moving.py        the pages that move one patient and that review a block
    outlook.py       what the floor above knows besides: the rule behind a block, what comes next
    enrolling.py     the page that enrolls one patient
    bulk.py          many at once: who would move and who not, then doing it
    logs.py          the journey log, to read
    templates.py     the templates
    forms.py         the forms of these pages

Registered in `kura/admin/site.py`, once.
"""
