"""A node looks the same wherever it stands: shape, word and colour by its kind and state."""

from __future__ import annotations

import re

import pytest
from django.template import Context, Template
from django.utils import translation

from journeys.admin.badges import Badge
from journeys.admin.nodes import Group, Node, NodeKind, NodeState, Row, plain_row
from kura.conditions import Part


@pytest.fixture(autouse=True)
def english():
    with translation.override("en"):
        yield


def drawn(source: str, **context: object) -> str:
    return Template("{% load nodes %}" + source).render(Context(context))


def words_of(page: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", page).split())


@pytest.mark.parametrize(
    ("kind", "kicker"),
    [("trigger", "When"), ("condition", "If"), ("action", "Then"), ("after", "Afterwards")],
)
def test_each_kind_has_its_word_and_a_named_section(kind, kicker):
    page = drawn("{% node one %}", one=Node(kind=kind, id="n1", title="Something"))

    assert words_of(page) == f"{kicker} Something"
    assert f'class="node node-{kind} node-is-neutral" aria-labelledby="n1"' in page
    assert '<h2 id="n1"' in page
    assert page.count("aria-hidden") == 1


@pytest.mark.parametrize("state", [one for one in NodeState if one != NodeState.NEUTRAL])
def test_each_state_says_itself_by_icon_and_word(state):
    page = drawn("{% node one %}", one=Node(kind="action", id="n", title="T", state=state))

    assert f"node-is-{state}" in page
    [badge] = re.findall(r'<span class="badge badge-(\w+)"><svg', page)
    assert badge in {"done", "unmet", "failed", "waiting", "closed"}
    assert words_of(page).removeprefix("Then T ") not in {"", "Then T"}


def test_a_badge_of_its_own_stands_for_the_state():
    one = Node(kind="action", id="n", title="T", state="failed", badge=Badge("done", "Sent late"))

    assert words_of(drawn("{% node one %}", one=one)) == "Then T Sent late"


def test_groups_stand_in_groups_with_or_else_between_what_is_enough_by_itself():
    inner = Group(title="Group 2", rows=[plain_row("b"), plain_row("c")], either=True)
    rows = [Group(title="Group 1", note="all are met", rows=[plain_row("a")]), inner]
    one = Node(kind="condition", id="n", title="Either", rows=rows, either=True)

    assert words_of(drawn("{% node one %}", one=one)) == (
        "If Either Group 1 · all are met A or else Group 2 B or else C"
    )


def test_pieces_of_a_sentence_join_to_the_sentence_and_escape_what_they_say():
    parts = (Part("field", "name"), Part("words", " is "), Part("value", "<b>Ana</b>"))
    one = Node(kind="condition", id="n", title="T", rows=[Row(parts=parts)])

    page = drawn("{% node one %}", one=one)

    assert 'Name<span class="words-between"> is </span><span class="value">&lt;b&gt;Ana' in page


def test_numbered_rows_are_an_ordered_list_with_links_and_notes():
    row = plain_row("move", url="/there/", link="See it", note="38 ms")
    page = drawn("{% node one %}", one=Node(
        kind="action", id="n", title="T", rows=[row], numbered=True,
    ))  # fmt: skip

    assert '<ol class="node-rows node-numbered">' in page
    assert '<a href="/there/">See it</a>' in page
    assert words_of(page) == "Then T Move See it 38 ms"


def test_a_node_takes_anything_between_its_tags_and_its_children_stand_inside():
    child = Node(kind="action", id="c", title="Child", level=3)
    page = drawn(
        '{% nodearound kind="trigger" id="n" title=title children=children %}<form>{{ x }}</form>'
        "{% endnodearound %}",
        title="T", children=[child], x="<",
    )  # fmt: skip

    assert "<form>&lt;</form>" in page
    assert page.count("<form>") == 1
    assert page.index("<h3") < page.rindex("</section>")
    assert words_of(page) == "When T &lt; Then Child"


def test_a_kind_or_state_that_is_unknown_is_an_error():
    with pytest.raises(ValueError, match="nonsense"):
        _ = Node(kind="nonsense", id="n", title="T").kicker_words
    with pytest.raises(ValueError, match="nonsense"):
        _ = Node(kind=NodeKind.ACTION, id="n", title="T", state="nonsense").state_badge
