"""matrix.html and matrix.md: everything is there, hostile text is text, nothing is loaded."""

from __future__ import annotations

import copy
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from mqcheck.report import write_reports
from mqcheck.report.matrix import Column, make_matrix
from mqcheck.report.matrix_page import (
    OWN_FILES,
    REASON_CHARACTERS_MAX,
    headline,
    markdown,
    render,
    tally,
    unlike,
    write_matrix,
)
from mqcheck.specs import Specs

HOSTILE = "<script>alert('x')</script> | \x00 `"


@pytest.fixture
def matrix(run_folder: Path, specs: Specs) -> dict[str, Any]:
    first = write_reports(run_folder, specs, run={})
    second = copy.deepcopy(first)
    for line in second["guarantees"]:
        if line["id"] == "dur-held":
            line.update(verdict="violated", reason=f"{HOSTILE}{'x' * REASON_CHARACTERS_MAX}")
    second["run"]["target"] = HOSTILE
    columns = [
        Column("reference", run_folder, first),
        Column(HOSTILE, run_folder, second),
        Column("gone", run_folder / "gone", None, 2.0, -9, "ended with signal SIGKILL"),
    ]
    return make_matrix(columns, specs, {}, run_folder, "2026-11-28T22:00:00+00:00")


class Page(HTMLParser):
    """Tags, links and texts."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [str(value) for name, value in attrs if name in ("href", "src")]

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_says_everything_and_loads_nothing(matrix: dict[str, Any], specs: Specs, run_folder: Path) -> None:
    text = render(matrix)
    page = Page()
    page.feed(text)
    assert not {*page.tags} & {"script", "img", "link", "iframe"}
    assert not re.search(r"url\(|@import", text)
    assert not re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f]", text)
    for guarantee in specs:
        assert guarantee.id in page.text
    for wanted in ("Targets differ", "not run", "ended with signal SIGKILL", "alert('x')", "quick, 7", "seen 4 times"):
        assert wanted in page.text
    assert headline(matrix) in page.text
    report = (run_folder / "report.html").read_text(encoding="utf-8")
    for link in page.links:
        name, _, anchor = link.partition("#")
        assert name in ("report.html", *OWN_FILES)
        assert not anchor or f'id="{anchor}"' in report
    assert "x" * REASON_CHARACTERS_MAX not in page.text
    assert "…" in page.text


def test_it_is_readable_in_the_dark_and_on_a_phone(matrix: dict[str, Any]) -> None:
    text = render(matrix)
    for wanted in ("color-scheme: light dark", 'name="viewport"', "max-width: 640px", 'data-target="reference"'):
        assert wanted in text
    for sign in "✓✗?·–○":
        assert sign in text


def test_markdown_has_a_row_for_each_guarantee_and_notes_below(matrix: dict[str, Any], specs: Specs) -> None:
    text = markdown(matrix)
    lines = text.splitlines()
    for guarantee in specs:
        (row,) = [line for line in lines if line.startswith(f"| `{guarantee.id}`")]
        assert len(re.findall(r"(?<!\\)\|", row)) == 6
    assert "**[✗ violated](report.html#see-dur-violated)** (" in text
    assert re.search(r"^\d+\. in kill: 2 acknowledged are missing$", text, re.MULTILINE)
    assert "<script>" not in text.replace(r"\<script\>", "")
    assert text.index("## Targets differ") < text.index("## Violated or undecided") < text.index("## The same")


def test_runs_that_are_not_alike_are_told(matrix: dict[str, Any]) -> None:
    assert unlike(matrix) == []
    matrix["columns"][1]["seed"] = 8
    assert unlike(matrix) == ["seed"]
    for text in (render(matrix), markdown(matrix)):
        assert "These runs had not the same seed" in text
    matrix["columns"][1]["scenarios"] = 0  # nothing was run: nothing to compare
    assert unlike(matrix) == []


def test_different_verdicts_are_told_from_what_was_not_tested(matrix: dict[str, Any]) -> None:
    assert "1 differ (1 with different verdicts)" in headline(matrix)
    assert "tested, with different verdicts" in render(matrix)
    for row in matrix["rows"]:
        if row["id"] == "dur-held":
            row["cells"][1]["verdict"] = "not exercised"
    assert "1 differ (0 with different verdicts)" in headline(matrix)
    assert "tested on some targets only" in render(matrix)


def test_a_tally_leaves_out_what_did_not_happen() -> None:
    words = ("held", "violated", "inconclusive", "harness_error", "not_applicable", "not_exercised", "known")
    none = dict.fromkeys(words, 0)
    assert tally(none) == "none"
    assert tally({**none, "held": 3, "not_applicable": 1, "not_exercised": 2, "harness_error": 1}) == (
        "held 3, harness error 1, not tested 3"
    )
    assert tally({**none, "violated": 3, "known": 2}) == "violated 3 (2 known)"


def test_three_files_are_written_whole(matrix: dict[str, Any], tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    write_matrix(matrix, folder)
    assert sorted(path.name for path in folder.iterdir()) == sorted(OWN_FILES)
