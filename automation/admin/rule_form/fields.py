"""The fields of a rule's form, with the problems beside them, row by row for the page.

The fields only ask: what is wrong is decided by the validation that the API uses, and each of its
problems (by JSON pointer) finds the field it is about. Selects on which others depend send the
form as soon as they change; without scripts a button does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django import forms
from django.utils.datastructures import MultiValueDict
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from automation.admin.rule_form.choices import Grouped, Vocabulary, yes_or_no
from automation.admin.rule_form.hours import days_words
from automation.admin.rule_form.params import CUSTOM, LANGUAGES, ONE, Part, parts_of
from automation.admin.rule_form.posting import as_posted
from automation.admin.rule_form.preview import Letter, letters_of
from automation.admin.rule_form.rows import ActionRow, ConditionRow, RuleRows
from automation.admin.rule_form.values import YES, is_unclear
from automation.admin.rule_form.widgets import Line, Options, Select, Text, number_line, ticks
from automation.admin.rule_form.written import PAYLOAD, places_of, shape_of
from automation.judging import TIMEOUT
from automation.placeholders import PLACEHOLDERS
from automation.problems import Problem
from journeys.admin.conditions import Branch, branch_of
from kura.conditions import Leaf, describe_leaf

_YIELDS: Final = {"hx-sync": "closest form:queue all"}  # to whatever is on its way
_ON_CHANGE: Final = {"hx-post": "", "hx-trigger": "change delay:150ms", **_YIELDS}
_LONG: Final = 60  # characters of a value that needs more than a line
_LABELS: Final[Mapping[str, Promise]] = {
    "key": gettext_lazy("Journey"),
    "status": gettext_lazy("Stage"),
    "audience": gettext_lazy("To whom"),
    "subject-es": gettext_lazy("Subject in Spanish"),
    "subject-en": gettext_lazy("Subject in English"),
    "body-es": gettext_lazy("Text of the e-mail in Spanish"),
    "body-en": gettext_lazy("Text of the e-mail in English"),
    "text-es": gettext_lazy("Text of the task in Spanish"),
    "text-en": gettext_lazy("Text of the task in English"),
    "reminder": gettext_lazy("It is a reminder"),
    "due_in_hours": gettext_lazy("To be done within hours"),
    "event_type": gettext_lazy("Name of the event"),
    "payload": gettext_lazy("What the event says"),
}
_HELP: Final[Mapping[str, Promise]] = {
    "due_in_hours": gettext_lazy("Empty: no date."),
    "reminder": gettext_lazy("Not sent while a journey is on hold."),
    "event_type": gettext_lazy("Letters, digits and underscores, for example sauna_done."),
    "payload": gettext_lazy("One line each, for example minutes: 20"),
}
ACTION_ADD: Final = "action-add"  # the button, by its value and its id
_NODES: Final = {"/conditions": "node-if", "/actions": "node-then"}
_OF_COURSE: Final = ("reminder",)  # every e-mail of a time limit is one


@dataclass(frozen=True, slots=True)
class Step:
    """A button of a row. `label` names the row too: it is read without its surroundings."""

    way: str  # up, down, remove: the icon
    value: str
    label: str
    is_off: bool = False


@dataclass(frozen=True, slots=True)
class ConditionLine:
    """`own_words`: how its author puts it, for as long as nobody changes it."""

    label: str
    cells: Sequence[forms.BoundField]
    hidden: Sequence[tuple[str, str]]
    remove: Step
    own_words: str


@dataclass(frozen=True, slots=True)
class GroupLine:
    number: int
    lines: Sequence[ConditionLine]
    hidden: Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class TextLine:
    """A text that may name placeholders. `puts`: buttons that put one in, and what it means."""

    field: forms.BoundField
    puts: Sequence[tuple[str, str, str]]


@dataclass(frozen=True, slots=True)
class ActionLine:
    number: int
    kind: forms.BoundField
    cells: Sequence[forms.BoundField]
    texts: Sequence[TextLine]
    letters: Sequence[Letter]
    hidden: Sequence[tuple[str, str]]
    steps: Sequence[Step]
    unreadable: str


@dataclass(frozen=True, slots=True)
class Mistake:
    """A problem as the page tells it away from its field. `label`: which field of which row, "" for
    none; `anchor`: the id of what it is about, "" for nothing on the page.
    """

    label: str
    anchor: str
    words: str


class RuleForm(forms.Form):
    """`rule`: the definition that the rows say. Problems are told by `show`."""

    def __init__(
        self, rows: RuleRows, rule: Mapping[str, Any], words: Vocabulary, point: str
    ) -> None:
        super().__init__(_data(rows), auto_id="id_%s")
        self.rows, self.rule, self.words, self.point = rows, rule, words, point
        self.elsewhere: list[str] = []  # problems that are about no field
        self.of_actions: list[str] = []
        self.of_tree: list[str] = []
        self._options = Options()
        self._head()
        for number, group in enumerate(rows.groups):
            for place, row in enumerate(group.conditions):
                self._condition(f"g-{number}-{place}", row)
        for number, action in enumerate(rows.actions):
            self._action(f"a-{number}", action)
        self.full_clean()

    # --- problems -------------------------------------------------------------------------------

    def show(self, problems: Sequence[Problem]) -> None:
        """Each beside its field; one a field: the first is what has to be put right first."""
        for name, problem in self._placed(problems):
            if name in self.fields:
                self.add_error(name, self._words(name, problem))
            elif name == ACTION_ADD or problem.pointer.startswith("/actions"):
                self.of_actions.append(self._words(name, problem))
            elif problem.pointer.startswith("/conditions"):
                self.of_tree.append(str(problem.message))
            else:
                self.elsewhere.append(str(problem.message))

    def told(self, problems: Sequence[Problem]) -> list[Mistake]:
        """The same, each with the name of its field, in the order of the fields."""
        order = {name: number for number, name in enumerate(self.fields)}
        placed = sorted(self._placed(problems), key=lambda one: order.get(one[0], len(order)))
        return [
            Mistake(self._label(name), self._anchor(name, problem), self._words(name, problem))
            for name, problem in placed
        ]

    def _placed(self, problems: Sequence[Problem]) -> Iterator[tuple[str, Problem]]:
        """With the field it is about, or the button that would help."""
        places, told = places_of(self.rows), set()
        for problem in problems:
            name = _place(problem.pointer, places)
            if problem.pointer == "/actions" and not self.rows.actions:
                name = ACTION_ADD
            if name not in told:
                yield name, problem
            told |= {name} & {*self.fields, ACTION_ADD}

    def _label(self, name: str) -> str:
        if name not in self.fields:
            return ""
        kind, row = _row_of(name), str(self.fields[name].label)
        if kind is None or name.endswith("-type"):
            return row
        return _("%(row)s (%(field)s)") % {"row": kind, "field": row}

    def _anchor(self, name: str, problem: Problem) -> str:
        if name in self.fields:
            return f"id_{name}"
        if name == ACTION_ADD:
            return ACTION_ADD
        return next((node for at, node in _NODES.items() if problem.pointer.startswith(at)), "")

    def _words(self, name: str, problem: Problem) -> str:
        if name == ACTION_ADD:
            return _("Add an action.")
        if name not in self.fields:
            return str(problem.message)
        typed = str(self[name].data or "")
        if not typed.strip() or typed == "[]":
            return _("This field is required.")
        if is_unclear(typed, self.point):
            return _("Write a thousand as 1000, and parts of an hour with one or two decimals.")
        return str(problem.message)

    @property
    def mistakes(self) -> int:
        told = (self.elsewhere, self.of_actions, self.of_tree)
        return len(self.errors) + sum(len(set(one)) for one in told)

    @property
    def first_mistake(self) -> str:
        """Of the page: the name of a field, or the value of a button; "" when nothing is wrong."""
        wrong = next((name for name in self.fields if name in self.errors), "")
        return wrong or (ACTION_ADD if self.of_actions else "")

    def focus(self, name: str) -> None:
        if name in self.fields:
            self.fields[name].widget.attrs["autofocus"] = True

    # --- when -----------------------------------------------------------------------------------

    def _head(self) -> None:
        rows, words = self.rows, self.words
        self._add("name", _("Name of the rule"), Line(attrs={"maxlength": 200}))
        self._add("trigger", _("Event"), self._select(words.events(rows.trigger), sends=True))
        if rows.trigger == CUSTOM:
            own = Line(attrs={"maxlength": 60, "spellcheck": "false"})
            self._add("custom", _("Name of the event"), own, str(_HELP["event_type"]))
        waits = rows.trigger_event == TIMEOUT
        any_journey = _("Choose a journey") if waits else _("Any journey")
        journeys = words.journeys(rows.journey, any_journey)
        self._add("journey", _("Journey"), self._select(journeys, sends=True))
        any_stage = _("Choose a stage") if waits else _("Any stage")
        stages = words.stages(rows.journey, rows.stage, any_stage)
        self._add("stage", _("Stage"), self._select(stages))
        if waits:
            self._clock()
        self._add("priority", _("Priority"), number_line(), _("A lower number runs first."))

    def _clock(self) -> None:
        rows = self.rows
        self._add("max_hours", _("Hours in the stage"), number_line(),
                  days_words(rows.max_hours) or _("24 hours are a day, 168 a week."))  # fmt: skip
        self._add("repeat_hours", _("Again every so many hours"), number_line(),
                  days_words(rows.repeat_hours) or _("Empty: once."))  # fmt: skip
        self._add("max_repeats", _("At most so many times in all"), number_line("numeric"),
                  _("Empty: until the patient moves."))  # fmt: skip

    @property
    def when(self) -> list[forms.BoundField]:
        names = ("trigger", "custom", "journey", "stage", "max_hours", "repeat_hours",
                 "max_repeats")  # fmt: skip
        return [self[name] for name in names if name in self.fields]

    @property
    def hidden(self) -> list[tuple[str, str]]:
        names = ("journey_was", "shape", "tree")
        told = [(name, getattr(self.rows, name)) for name in names]
        counts = [("groups", len(self.rows.groups)), ("actions", len(self.rows.actions))]
        return told + [(name, str(count)) for name, count in counts]

    # --- if -------------------------------------------------------------------------------------

    def _condition(self, prefix: str, row: ConditionRow) -> None:
        words = self.words
        fields = self._select(words.fields(row.field), sends=True)
        self._add(f"{prefix}-field", _("Fact"), fields)
        if row.field == PAYLOAD:
            self._add(f"{prefix}-member", _("Its name in the event"), Line())
        elif row.field:
            operators = words.operators(row.field, row.op)
            self._add(f"{prefix}-op", _("Comparison"), self._select(operators, sends=True))
            if row.op:
                unit = words.unit(row.field) if shape_of(row.op) != "flag" else ""
                label = _("Value (%(unit)s)") % {"unit": unit} if unit else _("Value")
                self._add(f"{prefix}-value", label, self._value(row), _several(row, words))

    def _value(self, row: ConditionRow) -> forms.Widget:
        """What fits the operator and the type of the field."""
        shape, field = shape_of(row.op), self.words.field(row.field)
        kind = field.type if field else ""
        if shape == "timestamp":
            return forms.DateTimeInput(attrs={"type": "datetime-local", "step": "any"})
        if shape == "flag" or (shape == "scalar" and kind == "boolean"):
            return self._select(yes_or_no(_first(row), "" if shape == "flag" else _("Choose")))
        choices = self.words.values(row.field, row.values) if shape != "part" else None
        if choices is not None and shape in {"options", "scalar"}:
            return self._of_choices(choices, shape)
        if shape == "options":
            return Text(attrs={"rows": 3})
        return number_line() if kind in {"number", "integer"} else _line(_first(row))

    @property
    def groups(self) -> list[GroupLine]:
        return [
            GroupLine(
                number=number + 1,
                lines=[
                    self._line(number, place, row) for place, row in enumerate(group.conditions)
                ],
                hidden=[
                    (f"g-{number}-shape", group.shape),
                    (f"g-{number}-count", str(len(group.conditions))),
                ],
            )
            for number, group in enumerate(self.rows.groups)
        ]

    def _line(self, number: int, place: int, row: ConditionRow) -> ConditionLine:
        prefix, told = f"g-{number}-{place}", {"number": number + 1, "place": place + 1}
        names = [f"{prefix}-{one}" for one in ("field", "member", "op", "value")]
        remove = _("Remove condition %(number)s.%(place)s") % told
        return ConditionLine(
            label=_("Condition %(number)s.%(place)s") % told,
            cells=[self[name] for name in names if name in self.fields],
            hidden=[(f"{prefix}-was", row.was), (f"{prefix}-kept", row.kept)],
            remove=Step("remove", f"condition-remove:{number}:{place}", remove),
            own_words=self._own_words(number, place),
        )

    def _own_words(self, number: int, place: int) -> str:
        leaf = _leaf_at(self.rule.get("conditions"), number, place)
        if not isinstance(leaf, Mapping) or not isinstance(leaf.get("label"), Mapping):
            return ""
        told = Leaf("", str(leaf.get("field")), str(leaf.get("op")), None, leaf["label"])
        return describe_leaf(told, None)

    @property
    def branch(self) -> Branch | None:
        """The conditions that the form cannot show, whole and in words."""
        return branch_of(self.rule["conditions"], self.words.field) if self.rows.tree else None

    # --- then -----------------------------------------------------------------------------------

    def _action(self, prefix: str, row: ActionRow) -> None:
        number = int(prefix.rpartition("-")[2]) + 1
        label = _("Action %(number)s") % {"number": number}
        self._add(f"{prefix}-type", label, self._select(self.words.actions(row.type), sends=True))
        for part in parts_of(row.type):
            for name in part.names:
                if not name.endswith(f"-{ONE}"):
                    label = str(_LABELS.get(name, name.replace("_", " ").capitalize()))
                    help_text = str(_HELP.get(name, ""))
                    widget = self._part(part, prefix, name, row)
                    self._add(f"{prefix}-{name}", label, widget, help_text)

    def _part(self, part: Part, number: str, name: str, row: ActionRow) -> forms.Widget:
        text = row.texts.get(name, "")
        if part.kind == "words":
            return _text(part, number)
        if part.kind in {"journey", "stage", "choice"}:
            return self._choice(part, text, row)
        if part.kind == "flag":
            return forms.CheckboxInput(attrs={"value": YES})
        if part.kind == "members":
            return Text(attrs={"rows": 3})
        return number_line() if part.kind == "number" else Line()

    def _choice(self, part: Part, text: str, row: ActionRow) -> forms.Widget:
        if part.kind == "journey":
            return self._select(self.words.journeys(text, _("Choose a journey")), sends=True)
        if part.kind == "choice":
            return self._select(self.words.one_of(part.choices, text))
        nothing = _("Choose a stage") if part.required else _("Where the journey begins")
        return self._select(self.words.targets(row.texts.get("key", ""), text, nothing))

    @property
    def acts(self) -> list[ActionLine]:
        return [self._act(number, row) for number, row in enumerate(self.rows.actions)]

    def _act(self, number: int, row: ActionRow) -> ActionLine:
        prefix, parts = f"a-{number}", parts_of(row.type)
        unasked = _OF_COURSE if self.rows.trigger_event == TIMEOUT else ()
        asked = [one.name for one in parts if one.kind != "words" and one.name not in unasked]
        hidden = [(f"{prefix}-{one}", getattr(row, one)) for one in ("was", "key_was", "kept")]
        ones = [f"{part.name}-{ONE}" for part in parts if part.kind == "words"]
        carried = [one for one in (*ones, *unasked) if one in row.texts]
        hidden += [(f"{prefix}-{one}", row.texts[one]) for one in carried]
        return ActionLine(
            number=number + 1,
            kind=self[f"{prefix}-type"],
            cells=[self[f"{prefix}-{name}"] for name in asked],
            texts=[
                self._text(number, part, language)
                for part in parts
                if part.kind == "words"
                for language in LANGUAGES
            ],
            letters=letters_of(row, self.rule, self.words.practice),
            hidden=hidden,
            steps=_steps(number, len(self.rows.actions) - 1),
            unreadable="" if row.type or not row.kept else row.kept,
        )

    def _text(self, number: int, part: Part, language: str) -> TextLine:
        name = f"{part.name}-{language}"
        puts = [
            (f"put:{number}:{name}:{one.name}", f"{{{one.name}}}", one.labels[language])
            for one in PLACEHOLDERS.values()
            if one.in_subject or part.name != "subject"
        ]
        return TextLine(self[f"a-{number}-{name}"], puts)

    def _of_choices(self, choices: Sequence[tuple[str, str]], shape: str) -> forms.Widget:
        if shape == "options":
            return ticks(choices)
        return self._select([("", _("Choose")), *choices])

    def _select(self, choices: Grouped, *, sends: bool = False) -> Select:
        offered = [one for one in choices if one != ("", "")]
        return Select(offered, self._options, _ON_CHANGE if sends else {})

    def _add(self, name: str, label: str, widget: forms.Widget, help_text: str = "") -> None:
        kind = forms.Field if isinstance(widget, forms.CheckboxSelectMultiple) else forms.CharField
        self.fields[name] = kind(label=label, widget=widget, help_text=help_text, required=False)


# --- widgets ------------------------------------------------------------------------------------


def _line(text: str) -> forms.Widget:
    is_long = len(text) > _LONG or "\n" in text
    return Text(attrs={"rows": 3}) if is_long else Line()


def _text(part: Part, prefix: str) -> forms.Widget:
    """While it is written, the preview beside it follows."""
    preview = f"#preview-{int(prefix.rpartition('-')[2]) + 1}"
    attrs: dict[str, Any] = {"hx-post": "", "hx-trigger": "input changed delay:500ms",
                             "hx-target": preview, "hx-select": preview,
                             "hx-select-oob": "", **_YIELDS}  # fmt: skip
    if part.name == "subject":
        return Line(attrs=attrs | {"maxlength": part.longest})
    return Text(attrs=attrs | {"rows": 6 if part.name == "body" else 3})


def _several(row: ConditionRow, words: Vocabulary) -> str:
    is_list = shape_of(row.op) == "options" and words.values(row.field, ()) is None
    return _("One value a line.") if is_list else ""


def _first(row: ConditionRow) -> str:
    return row.values[0] if row.values else ""


def _steps(number: int, last: int) -> list[Step]:
    told = {"number": number + 1}
    up, down = _("Move action %(number)s up") % told, _("Move action %(number)s down") % told
    return [
        Step("up", f"action-up:{number}", up, number == 0),
        Step("down", f"action-down:{number}", down, number == last),
        Step("remove", f"action-remove:{number}", _("Remove action %(number)s") % told),
    ]


# --- data and places ----------------------------------------------------------------------------


def _data(rows: RuleRows) -> MultiValueDict[str, str]:
    """A list of typed values stands in one field, a line each."""
    data: MultiValueDict[str, str] = MultiValueDict()
    for name, value in as_posted(rows):
        data.appendlist(name, value)
    return data


def _row_of(name: str) -> str | None:
    """What the row of a field is called; None for a field that stands alone."""
    kind, *places = name.split("-")[:3]
    if kind == "g":
        told = {"number": int(places[0]) + 1, "place": int(places[1]) + 1}
        return _("Condition %(number)s.%(place)s") % told
    return _("Action %(number)s") % {"number": int(places[0]) + 1} if kind == "a" else None


def _place(pointer: str, places: Mapping[str, str]) -> str:
    while pointer and pointer not in places:
        pointer = pointer.rpartition("/")[0]
    return places.get(pointer, "")


def _leaf_at(tree: Any, number: int, place: int) -> Any:
    """The condition that stands in this row; the form shows trees of this shape alone."""
    try:
        group = tree["any"][number] if "any" in tree else tree
        return group["all"][place] if "all" in group else group
    except (KeyError, IndexError, TypeError):
        return None
