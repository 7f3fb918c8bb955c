"""What is smaller in the daily run is whole somewhere: each such test is marked for the soak."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

TESTS = Path(__file__).parent


def names_in(node: ast.AST) -> set[str]:
    return {one.id for one in ast.walk(node) if isinstance(one, ast.Name)}


def is_of_the_soak(node: ast.AST) -> bool:
    """`pytest.mark.soak` somewhere in it, or on a parameter."""
    attributes = {one.attr for one in ast.walk(node) if isinstance(one, ast.Attribute)}
    return "soak" in attributes


def sizes_of(module: ast.Module) -> set[str]:
    """What it takes of tests/sizes.py, and its own names for what comes of it."""
    imports = [one for one in module.body if isinstance(one, ast.ImportFrom)]
    taken = {name.name for one in imports if one.module == "tests.sizes" for name in one.names}
    taken -= {"AT_FULL_SIZE"}  # has the mark
    assigned = [one for one in module.body if isinstance(one, ast.Assign | ast.AnnAssign)]
    sized = [one for one in assigned if one.value and names_in(one.value) & taken]
    return taken | {name for one in sized for name in names_in(one) if name.isupper()}


def forgotten(module: ast.Module) -> Iterator[str]:
    marks = [one for one in module.body if "pytestmark" in names_in(one)]
    if any(map(is_of_the_soak, marks)):
        return
    sizes = sizes_of(module)
    for test in module.body:
        if isinstance(test, ast.FunctionDef) and test.name.startswith("test_"):
            decorated = ast.Module([*map(ast.Expr, test.decorator_list)], [])
            if names_in(test) & sizes and not is_of_the_soak(decorated):
                yield test.name


def test_each_test_of_two_sizes_runs_in_the_soak():
    found = {
        path.name: names
        for path in sorted(TESTS.rglob("test_*.py"))
        if (names := [*forgotten(ast.parse(path.read_text(encoding="utf-8")))])
    }

    assert found == {}


def test_a_forgotten_one_is_found():
    source = (
        "from tests.sizes import sized\n"
        "MANY = sized(reduced=1, full=9)\n"
        "def test_it():\n"
        "    assert MANY\n"
    )

    assert [*forgotten(ast.parse(source))] == ["test_it"]
    assert not [*forgotten(ast.parse(source.replace("def", "@pytest.mark.soak\ndef")))]
