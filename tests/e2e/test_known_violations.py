"""A planted bug that is known: the real run passes and says so, and complains once the bug is gone."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mqcheck import exits
from mqcheck.cli import main

pytestmark = [pytest.mark.slow, pytest.mark.e2e]

KNOWN = """
[[known]]
guarantee = "dur-body-intact"
scenario = "steady"
what = "bodies are changed on their way to the disk"
see = "https://example.org/issues/7"

[[known]]
guarantee = "dur-crc-valid"
what = "the checksum is that of the body before it was changed"
see = "https://example.org/issues/7"
sometimes = true
"""


def test_a_known_bug_passes_until_it_is_gone(
    play: Callable[..., Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "known.toml"
    file.write_text(KNOWN, encoding="utf-8")
    options = ("--mqcheck-select", "steady", "--mqcheck-seed", "11", "--mqcheck-known", str(file))
    run = play(*options, "--mqcheck-sabotage", "corrupt-body")
    assert run.status == exits.HELD, run.output
    verdict = run.verdicts("violated")["steady", "dur-body-intact"]
    assert verdict["known"]["what"] == "bodies are changed on their way to the disk"
    assert run.report["summary"]["known"] == run.report["summary"]["violated"] >= 1

    capsys.readouterr()
    check = ["check", str(run.folder), "--json", "--known"]
    assert main([*check, str(file)]) == exits.HELD
    assert json.loads(capsys.readouterr().out)["summary"] == run.report["summary"]
    assert main([*check, "none"]) == exits.VIOLATED

    mended = play(*options)
    assert mended.status == exits.VIOLATED, mended.output
    assert f"known violation no longer shows: remove the entry from {file}" in mended.output
    assert [gone["guarantee"] for gone in mended.report["known_gone"]] == ["dur-body-intact"]
