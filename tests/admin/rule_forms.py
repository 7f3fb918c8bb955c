"""A rule's form as a browser holds it: what the page shows is posted, and what was typed."""

from __future__ import annotations

from html.parser import HTMLParser

from django.test import Client
from django.urls import reverse

from automation.models import AutomationRule
from kura import tenancy

NEW = "admin:automation_automationrule_new"


class Fields(HTMLParser):
    """The successful controls of the page's forms, in their order, as HTML says."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.pairs: list[tuple[str, str]] = []
        self.select: str | None = None
        self.options: list[tuple[str, bool]] = []
        self.area: tuple[str, list[str]] | None = None
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "input" and given.get("name"):
            ticks = given.get("type") in {"checkbox", "radio"}
            if not ticks or "checked" in given:
                self.pairs.append((str(given["name"]), given.get("value") or ""))
        elif tag == "select":
            self.select, self.options = given.get("name"), []
        elif tag == "option" and self.select:
            self.options.append((given.get("value") or "", "selected" in given))
        elif tag == "textarea" and given.get("name"):
            self.area = (str(given["name"]), [])

    def handle_data(self, data: str) -> None:
        if self.area:
            self.area[1].append(data)

    def handle_endtag(self, tag: str) -> None:
        if tag == "select" and self.select:
            chosen = [value for value, is_chosen in self.options if is_chosen]
            first = [value for value, _is_chosen in self.options[:1]]
            self.pairs += [(self.select, value) for value in (chosen or first)[-1:]]
            self.select = None
        elif tag == "textarea" and self.area:
            name, parts = self.area
            text = "".join(parts).removeprefix("\n").replace("\r\n", "\n").replace("\n", "\r\n")
            self.pairs.append((name, text))
            self.area = None


def fields_of(html: str, begin: str = '<div id="rule-form">') -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in Fields(html[html.index(begin) :]).pairs:
        if name != "csrfmiddlewaretoken":
            found.setdefault(name, []).append(value)
    return found


def edit_url(rule: AutomationRule) -> str:
    return reverse("admin:automation_automationrule_edit", args=[rule.pk])


def page_of(rule: AutomationRule) -> str:
    return reverse("admin:automation_automationrule_change", args=[rule.pk])


def again(rule: AutomationRule) -> AutomationRule:
    with tenancy.every_organization():
        return AutomationRule.objects.get(pk=rule.pk)


class Editor:
    """One tab with the editor of a rule open. `press` posts what it shows and what was typed:
    "g__0__0__value" is the field "g-0-0-value".
    """

    def __init__(self, client: Client, url: str) -> None:
        self.client, self.url = client, url
        self.answer = client.get(url)
        assert self.answer.status_code == 200

    @property
    def fields(self) -> dict[str, list[str]]:
        return fields_of(self.html)

    @property
    def html(self) -> str:
        return self.answer.content.decode()

    @property
    def form(self):
        return self.answer.context["form"]

    @property
    def errors(self) -> dict[str, list[str]]:
        return {name: list(words) for name, words in self.form.errors.items()}

    def value(self, name: str) -> str:
        return self.fields[name][0]

    def press(self, act: str, **typed: str | list[str]):
        named = {name.replace("__", "-"): value for name, value in typed.items()}
        assert set(named) <= {*self.fields, "for_whom", "confirmed", *extra(self.html)}, named
        self.answer = self.client.post(self.url, {**self.fields, **named, "act": act})
        return self.answer

    def type(self, **typed: str | list[str]):
        return self.press("look", **typed)


def extra(html: str) -> set[str]:
    """Boxes that are not ticked are shown, but not among the successful controls."""
    found: set[str] = set()

    class Boxes(HTMLParser):
        def handle_starttag(self, tag, attrs):
            given = dict(attrs)
            if tag == "input" and given.get("type") == "checkbox":
                found.add(str(given.get("name")))

    Boxes().feed(html)
    return found
