"""``mqcheck chaos``: what it writes, lists and refuses."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

from mqcheck import exits
from mqcheck.chaos.experiment import check, load
from mqcheck.chaos.vocabulary import KINDS
from mqcheck.cli import main


def test_the_example_is_valid_and_is_not_written_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "mine.yaml"
    assert main(["chaos", "new", str(path)]) == exits.HELD
    assert f"mqcheck chaos run {path}" in capsys.readouterr().out
    check(load(path), {})
    assert main(["chaos", "new", str(path)]) == exits.USAGE
    assert "is there already: name another file" in capsys.readouterr().err
    assert main(["chaos", "new", str(tmp_path / "mine.json")]) == exits.USAGE
    assert main(["chaos", "new", str(tmp_path / "nowhere" / "mine.yaml")]) == exits.USAGE
    assert "cannot be written: No such file or directory" in capsys.readouterr().err


def test_every_fault_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["chaos", "faults"]) == exits.HELD
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[::2]] == sorted(KINDS)
    assert "on links: direction='both', ms=100, jitter_ms=0" in lines[2 * sorted(KINDS).index("latency")]


def test_a_file_that_cannot_be_used_is_a_usage_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "x.json"
    path.write_text(json.dumps({"title": "t", "method": []}))
    assert main(["chaos", "run", str(path)]) == exits.USAGE
    assert "experiment requires a description" in capsys.readouterr().err


def test_without_chaos_toolkit_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr("mqcheck.chaos.command_line.find_spec", lambda name: None if name == "chaoslib" else find(name))
    assert main(["chaos", "run", "x.yaml"]) == exits.USAGE
    assert 'pip install "mqcheck[kit,chaos]"' in capsys.readouterr().err
