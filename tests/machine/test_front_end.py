"""`dev.py check` says so when nobody here can read the API as a front-end does."""

from __future__ import annotations

import pytest

import dev


@pytest.fixture
def machine(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))

    def with_node(version: str) -> None:
        for name in ("node", "npm"):
            (tmp_path / name).write_text(f"#!/bin/sh\necho {version}\n")
            (tmp_path / name).chmod(0o755)

    return with_node


def test_a_machine_without_node_is_told_which_one_is_needed(machine):
    assert dev.no_node() == "Install Node.js 20.19 or newer, with npm."


@pytest.mark.parametrize("version", ["v20.19.0", "v22.1.0"])
def test_a_recent_node_is_enough(machine, version):
    machine(version)

    assert dev.no_node() == ""


@pytest.mark.parametrize("version", ["v18.20.4", "v20.9.0", "nonsense"])
def test_an_old_or_a_broken_node_is_named(machine, version):
    machine(version)

    assert dev.no_node().endswith(f"This one is {version}.")
