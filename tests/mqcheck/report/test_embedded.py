"""What the page carries inside itself: JSON that nothing breaks out of, one script, a limit for all timelines."""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
import subprocess
from typing import Any

import pytest

from mqcheck.report import embedded
from mqcheck.report.embedded import FOLDER, PARTS, as_json, script, styles, within

HOSTILE = "</script><script>alert(1)</script><!-- \u2028 \ud800 \x80 & ]]>"


def test_no_text_ends_the_script_element_and_all_of_it_comes_back() -> None:
    text = as_json({HOSTILE: [HOSTILE]})
    for part in ("<", ">", "&", "\u2028", "\ud800", "\x80"):
        assert part not in text
    assert json.loads(str(text)) == {HOSTILE: [HOSTILE]}
    text.encode("utf-8")


def test_the_script_is_all_parts_and_its_digest_is_that_of_the_element() -> None:
    made = script()
    assert {path.stem for path in (FOLDER / "page").glob("*.js")} == set(PARTS)
    digest = base64.b64encode(hashlib.sha256(str(made.text).encode()).digest()).decode()
    assert made.sha256 == f"sha256-{digest}"
    assert "</script" not in made.text.lower()
    assert "<!--" not in made.text
    for part in PARTS:
        assert (FOLDER / "page" / f"{part}.js").read_text(encoding="utf-8") in made.text


@pytest.mark.parametrize("part", PARTS)
def test_parts_are_small_and_set_no_markup(part: str) -> None:
    text = (FOLDER / "page" / f"{part}.js").read_text(encoding="utf-8")
    assert text.count("\n") < 500
    code = "\n".join(line for line in text.splitlines() if not line.startswith(("/*", " *")))
    for dangerous in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "fetch(", "https:"):
        assert dangerous not in code


@pytest.mark.skipif(shutil.which("node") is None, reason="node is missing: it says whether the script can be parsed")
def test_the_script_can_be_parsed() -> None:
    done = subprocess.run(
        ["node", "--check", "-"], input=str(script().text), text=True, capture_output=True, timeout=60
    )
    assert done.returncode == 0, done.stderr


def test_styles_load_nothing() -> None:
    for foreign in ("url(", "@import", "</style"):
        assert foreign not in styles()


def test_the_library_has_its_licence_beside_it() -> None:
    vendor = FOLDER / "page" / "vendor"
    assert "MIT License" in (vendor / "uPlot.LICENSE.txt").read_text(encoding="utf-8")
    assert "github.com/leeoniya/uPlot" in (vendor / "uPlot.iife.min.js").read_text(encoding="utf-8")[:200]


def timeline(messages: int) -> dict[str, Any]:
    events = [[float(at), None, 0, 0, 0, 0, 0] for at in range(20)]
    return {
        "length_ms": 9.0,
        "words": ["w"],
        "messages": {str(n): {"head": {}, "events": events} for n in range(messages)},
    }


def test_small_timelines_stay_whole_and_large_ones_share_what_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "PAGE_BYTES_MAX", 100_000)
    monkeypatch.setattr(embedded, "SHARE_BYTES_MIN", 1_000)
    small, large = timeline(5), timeline(500)
    found = within({1: small, 2: large, 3: large}, 20_000)
    assert json.loads(found[1]) == small
    assert sum(len(text.encode()) for text in found.values()) <= 80_000
    for number in (2, 3):
        slim = json.loads(found[number])
        assert 0 < len(slim["messages"]) < 500
        assert slim["left_out"]["lives of messages"] == 500 - len(slim["messages"])


def test_where_there_is_room_nothing_is_left_out() -> None:
    assert json.loads(within({7: timeline(9)}, 0)[7]) == timeline(9)
    assert within({}, 0) == {}
