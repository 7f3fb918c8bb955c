"""A rule as a form: its definition as rows of text and back, and nothing is lost on the way.

    values.py    one JSON value as text, and text as a value
    rows.py      what stands in the form, as it was typed; from a definition
    written.py   the definition that the rows say, and where each part of it stands in the form
    params.py    the parts of an action, read off its schema
    posting.py   the rows as the names and values that a browser sends, and back
    buttons.py   add, remove, up, down, and what follows a changed choice
    choices.py   what can be chosen: events, journeys, stages, fields, operators
    fields.py    the fields themselves, with the problems beside them
    preview.py   a mail as it would be read

Everything but `fields.py`, `choices.py` and `preview.py` is pure: text in, data out. What a row
cannot show it keeps (`kept`), so that what was made by a program survives an edit beside it.
"""
