"""Sentences of the REST framework's that a refusal tells, for our catalogues to say them.

The framework's own catalogues are not loaded: they know no «tú» and speak of dictionaries. Listed
here so that `makemessages` finds them.
"""

from __future__ import annotations

from typing import Final

from django.utils.translation import gettext_noop as _

SENTENCES: Final = (
    _("This field may not be null."),
    _("This field may not be blank."),
    _("Not a valid string."),
    _("Ensure this field has no more than {max_length} characters."),
    _("Ensure this field has at least {min_length} characters."),
    _("This value does not match the required pattern."),
    _("Must be a valid boolean."),
    _("Must be a valid UUID."),
    _("A valid integer is required."),
    _("A valid number is required."),
    _("Ensure this value is less than or equal to {max_value}."),
    _("Ensure this value is greater than or equal to {min_value}."),
    _("String value too large."),
    _("Integer value too large to convert to float"),
    _("Expected a datetime but got a date."),
    _("Datetime value out of range."),
    _('Invalid datetime for the timezone "{timezone}".'),
    _('"{input}" is not a valid choice.'),
    _("Invalid data. Expected a dictionary, but got {datatype}."),
    _('Expected a dictionary of items but got type "{input_type}".'),
    _("This dictionary may not be empty."),
    _('Expected a list of items but got type "{input_type}".'),
    _("This list may not be empty."),
    _("Ensure this field has at least {min_length} elements."),
    _("Ensure this field has no more than {max_length} elements."),
    _("Value must be valid JSON."),
)
