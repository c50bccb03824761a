"""The judging child's command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from mqcheck.judge.__main__ import main


def test_broken_specs_end_the_child_with_status_4(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "--specs", str(tmp_path / "absent")]) == 4
    assert "is no folder" in capsys.readouterr().err
