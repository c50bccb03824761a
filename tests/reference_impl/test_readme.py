"""The reference's README names only what is there, and its tour takes half an hour."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "reference_impl"
TEXT = (PACKAGE / "README.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`((?:[a-z_0-9]+/)*[a-z_0-9]+\.(?:py|json|toml|md))`", TEXT)))
PLACES = (PACKAGE, PACKAGE.parent, PACKAGE.parent / "docs")
WRITTEN_BY_THE_BROKER = {name for name in NAMED if name.endswith(".json") and "/" not in name.removeprefix("config/")}


def test_files_are_named() -> None:
    assert len(NAMED) > 40


@pytest.mark.parametrize("name", [name for name in NAMED if name not in WRITTEN_BY_THE_BROKER])
def test_every_file_that_is_named_exists(name: str) -> None:
    assert any((place / name).is_file() for place in PLACES), f"{name} is not there"


def test_the_tour_takes_thirty_minutes() -> None:
    tour = TEXT.partition("## A tour of thirty minutes")[2].partition("\n## ")[0]
    minutes = [int(number) for number in re.findall(r"^\| (\d+) \|", tour, re.MULTILINE)]
    assert 25 <= sum(minutes) <= 35
    assert tour.count("`broker/") >= 5
