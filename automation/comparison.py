"""What differs between two versions of a rule, in words: published and draft, or two editors'.

Whole sentences, part by part: a person decides by them whether to publish.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import SequenceMatcher
from typing import Any

from django.utils.translation import gettext as _

from automation.actions.base import Practice
from automation.definition import hours
from automation.sentences import RuleWords, words_of_rule

Definition = Mapping[str, Any]


def changes_between(before: Definition, after: Definition, practice: Practice) -> list[str]:
    """Of two definitions that can be told in words; nothing when they say the same."""
    if before == after:
        return []
    old, new = words_of_rule(before, practice), words_of_rule(after, practice)
    return changes_told(before, old, after, new)


def changes_told(
    before: Definition, old: RuleWords, after: Definition, new: RuleWords
) -> list[str]:
    """Of two definitions and what they say."""
    found = list(_changes(before, old, after, new))
    if not found and _said(before) != _said(after):
        found.append(_("Texts or values inside an action change."))
    return found


def _changes(
    before: Definition, old: RuleWords, after: Definition, new: RuleWords
) -> Iterator[str]:
    if before.get("name") != after.get("name"):
        told = {"old": before.get("name"), "new": after.get("name")}
        yield _("The name “%(old)s” becomes “%(new)s”.") % told
    if old.when != new.when:
        yield _("When: %(new)s. Before: %(old)s.") % {"old": old.when, "new": new.when}
    if old.if_ != new.if_:
        told = {"old": old.if_ or _("always"), "new": new.if_ or _("always")}
        yield _("If: %(new)s. Before: %(old)s.") % told
    yield from _actions(old, new)
    if before.get("priority") != after.get("priority"):
        told = {"old": before.get("priority"), "new": after.get("priority")}
        yield _("The priority %(old)s becomes %(new)s.") % told


def _actions(old: RuleWords, new: RuleWords) -> Iterator[str]:
    if sorted(old.then) == sorted(new.then):
        if old.then != new.then:
            yield _("The actions have another order.")
        return
    for kind, *places in SequenceMatcher(a=old.then, b=new.then, autojunk=False).get_opcodes():
        start, end, begin, stop = places
        if kind != "equal":
            for words in old.then[start:end]:
                yield _("No longer: %(action)s.") % {"action": words}
            for words in new.then[begin:stop]:
                yield _("New: %(action)s.") % {"action": words}


def _said(definition: Definition) -> dict[str, Any]:
    """Without what says nothing; 48 and "48.000" hours are the same."""
    clock = {name: hours(said) for name, said in definition.items() if name.endswith("_hours")}
    whole = {**definition, **{name: exact for name, exact in clock.items() if exact is not None}}
    return {name: said for name, said in whole.items() if said not in (None, "", {})}
