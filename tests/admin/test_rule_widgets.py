"""Widgets that are written in one go say what Django's own say, and nothing unescaped."""

from __future__ import annotations

import pytest
from django import forms
from django.test.html import parse_html
from django.utils.datastructures import MultiValueDict

from automation.admin.rule_form.widgets import Line, Options, Select, Text

NASTY = "\"><script>alert('1')</script>&amp;"
FACTS = [("patient.language", "Language"), ("patient.email", f"E-mail {NASTY}")]
MORE = [("journey.stage", "Stage"), (NASTY, "Nasty")]
GROUPED = [("", "Choose"), ("Patient & co", FACTS), ("Journey", MORE)]


def djangos(widget: forms.Widget, value: str) -> object:
    return parse_html(widget.render("g-0-0-value", value, {"id": "id_it", "autofocus": True}))


@pytest.mark.parametrize("chosen", ["", "patient.email", "journey.stage", NASTY, "unknown"])
def test_a_select_offers_and_chooses_what_djangos_would(chosen):
    ours = Select(GROUPED, Options(), {"hx-post": "", "hx-trigger": "change delay:150ms"})
    theirs = forms.Select({"hx-post": "", "hx-trigger": "change delay:150ms"}, GROUPED)

    assert djangos(ours, chosen) == djangos(theirs, chosen)


def test_selects_that_share_their_options_each_choose_their_own():
    options = Options()
    chosen = ["patient.email", "", "journey.stage", "patient.email", "patient.language"]

    drawn = [djangos(Select(GROUPED, options, {}), one) for one in chosen]

    assert drawn == [djangos(forms.Select(choices=GROUPED), one) for one in chosen]


@pytest.mark.parametrize("value", ["", "48", NASTY, "two\nlines", "\nempty first line"])
@pytest.mark.parametrize(
    ("ours", "theirs"), [(Line, forms.TextInput), (Text, forms.Textarea)], ids=["line", "text"]
)
def test_a_text_is_written_as_django_would(ours, theirs, value):
    attrs = {"maxlength": 40, "rows": 3, "cols": "40"}

    assert djangos(ours(attrs), value) == djangos(theirs(attrs), value)


def test_a_list_of_values_stands_a_line_each():
    data = MultiValueDict({"value": ["one", "two"]})

    assert Text().value_from_datadict(data, {}, "value") == "one\ntwo"
