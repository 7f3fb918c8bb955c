"""The pictures that the documentation shows are all there, and none weighs much."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from tests.browser.shots import LOOKS, NAMES, PAGES

FOLDER = Path(__file__).parents[2] / "docs" / "screenshots"
MOST = 200_000  # bytes


def test_there_is_each_picture_and_no_other():
    assert sorted(one.name for one in FOLDER.iterdir()) == sorted(NAMES)


@pytest.mark.parametrize("look", LOOKS, ids=lambda look: look.suffix or "-light")
@pytest.mark.parametrize("page", PAGES)
def test_a_picture_is_small_and_as_wide_as_its_name_says(page, look):
    data = (FOLDER / f"{page}{look.suffix}.png").read_bytes()

    [width] = struct.unpack(">I", data[16:20])
    assert data.startswith(b"\x89PNG")
    assert len(data) < MOST
    assert width == look.width
