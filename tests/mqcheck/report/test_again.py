"""``mqcheck report``: the page of a recorded run again, and two runs side by side."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mqcheck import exits
from mqcheck.cli import main
from mqcheck.errors import HistoryError
from mqcheck.report import write_reports
from mqcheck.report.again import compare_runs, make_again
from mqcheck.specs import Specs


@pytest.fixture
def finished(run_folder: Path, specs: Specs) -> Path:
    write_reports(run_folder, specs, run={"id": "r1"})
    return run_folder


def test_the_page_is_made_again_as_it_was(finished: Path, specs: Specs) -> None:
    page, summary = (finished / name for name in ("report.html", "summary.md"))
    before = page.read_text(encoding="utf-8"), summary.read_text(encoding="utf-8")
    page.unlink()
    summary.unlink()
    assert make_again(finished, specs) == page
    assert (page.read_text(encoding="utf-8"), summary.read_text(encoding="utf-8")) == before


def test_a_history_that_is_gone_leaves_its_verdicts(finished: Path, specs: Specs) -> None:
    (finished / "history" / "kill" / "verdicts.json").unlink()
    text = make_again(finished, specs).read_text(encoding="utf-8")
    assert "2 acknowledged are missing" in text


def test_a_run_without_a_report_gets_one(run_folder: Path, specs: Specs) -> None:
    make_again(run_folder, specs)
    assert json.loads((run_folder / "report.json").read_text(encoding="utf-8"))["format"] == 1


def test_what_is_no_run_is_refused(tmp_path: Path, specs: Specs) -> None:
    with pytest.raises(HistoryError, match="holds no run"):
        make_again(tmp_path, specs)
    with pytest.raises(HistoryError, match=r"holds no report\.json"):
        compare_runs(tmp_path, tmp_path)
    (tmp_path / "report.json").write_text("[]")
    with pytest.raises(HistoryError, match="cannot be used"):
        make_again(tmp_path, specs)


def test_the_command_compares_and_its_status_says_whether_it_is_worse(
    finished: Path, tmp_path_factory: pytest.TempPathFactory, capsys: pytest.CaptureFixture[str]
) -> None:
    better = tmp_path_factory.mktemp("better")
    report = json.loads((finished / "report.json").read_text(encoding="utf-8"))
    for each in report["verdicts"]:
        each["verdict"] = "held" if each["verdict"] == "violated" else each["verdict"]
    (better / "report.json").write_text(json.dumps(report), encoding="utf-8")
    assert main(["report", str(better), str(finished)]) == exits.VIOLATED
    assert "Violations: 3 new, 0 gone" in capsys.readouterr().out
    assert main(["report", str(finished), str(better), "--out", str(better / "compared.md")]) == exits.HELD
    assert "Violations: 0 new, 3 gone" in (better / "compared.md").read_text(encoding="utf-8")
    assert main(["report", str(finished)]) == exits.HELD
    assert "report.html" in capsys.readouterr().out
