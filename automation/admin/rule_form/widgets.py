"""The widgets of a rule's form, written in one go.

A rule may have fifty conditions, and each offers eighty facts: a template for each option, or only
for each field, would take seconds. What many selects offer alike is written once for the page.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, Final

from django import forms
from django.forms.utils import flatatt
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from automation.admin.rule_form.choices import Grouped

Attributes = Mapping[str, Any]


class Select(forms.Widget):
    """`options`: what the whole page shares."""

    def __init__(self, choices: Grouped, options: Options, attrs: Attributes) -> None:
        super().__init__(dict(attrs))
        self.choices, self.options = choices, options

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:  # noqa: ARG002
        given = flatatt(self.build_attrs(self.attrs, attrs))
        told = self.options.of(self.choices, "" if value is None else str(value))
        return format_html('<select name="{}"{}>{}</select>', name, given, told)


class Options:
    """The options of a page's selects."""

    def __init__(self) -> None:
        self._drawn: dict[tuple[int, str], tuple[Any, SafeString]] = {}

    def of(self, choices: Grouped, chosen: str) -> SafeString:
        """A group of choices is (its name, its choices)."""
        told = [
            self._group(label, value, chosen)
            if isinstance(label, list)
            else _OPTIONS[value == chosen].format(escape(value), escape(str(label)))
            for value, label in choices
        ]
        return mark_safe("".join(told))  # noqa: S308  each part is escaped

    def _group(self, choices: list[Any], name: str, chosen: str) -> SafeString:
        """Once for all selects in which none of it is chosen. What is kept keeps its id."""
        is_here = any(value == chosen for value, _label in choices)
        key = (id(choices), chosen if is_here else "")
        if key not in self._drawn:
            told = format_html('<optgroup label="{}">{}</optgroup>', name, self.of(choices, key[1]))
            self._drawn[key] = (choices, told)
        return self._drawn[key][1]


_OPTIONS: Final = (
    '<option value="{}">{}</option>',
    '<option value="{}" selected>{}</option>',
)


class Line(forms.TextInput):
    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:  # noqa: ARG002
        given = self.build_attrs(self.attrs, attrs)
        if value not in (None, ""):
            given["value"] = value
        return format_html('<input type="text" name="{}"{}>', name, flatatt(given))


class Text(forms.Textarea):
    """Of a list of values, one stands in each line."""

    def value_from_datadict(self, data: Any, files: Any, name: str) -> str:  # noqa: ARG002
        return "\n".join(data.getlist(name))

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:  # noqa: ARG002
        given = flatatt(self.build_attrs(self.attrs, attrs))
        words = "" if value is None else value
        return format_html('<textarea name="{}"{}>\n{}</textarea>', name, given, words)


def number_line(mode: str = "decimal") -> forms.Widget:
    return Line(attrs={"inputmode": mode, "maxlength": 40, "autocomplete": "off"})


def ticks(choices: Sequence[tuple[str, str]]) -> forms.Widget:
    return forms.CheckboxSelectMultiple(choices=choices)
