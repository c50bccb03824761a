"""The run as its user sees it: header, progress, summary, and one report."""

from __future__ import annotations

from typing import Any

from mqcheck import exits


def test_header_progress_and_summary_tell_what_was_done(sandbox: Any) -> None:
    sandbox.world(kill={"verdicts": {"dur-two": "violated"}})
    done = sandbox.pytest("--mqcheck", "--mqcheck-seed", "11")
    assert "mqcheck: target=reference profile=quick seed=11 report=" in done.stdout
    assert "mqcheck: steady: 2 held (" in done.stdout
    assert "mqcheck: kill: 1 violated, 1 held (" in done.stdout
    assert "violated mqcheck::kill::dur-two, 1 row(s) of evidence" in done.stdout
    assert "MUST: held 1, violated 1, inconclusive 0, not tested 0" in done.stdout
    assert "seed 11; file-system model:" in done.stdout


def test_quiet_has_no_progress(sandbox: Any) -> None:
    done = sandbox.pytest("--mqcheck", "-q")
    assert done.returncode == exits.HELD
    assert "mqcheck: steady" not in done.stdout


def test_verbose_output_keeps_ids_beside_outcomes(sandbox: Any) -> None:
    sandbox.world(steady={"delay": 0.5})
    done = sandbox.pytest("--mqcheck", "-v")
    for name in ("steady::dur-one", "kill::dur-two", "cut::everything-else"):
        assert f"mqcheck::{name} PASSED" in done.stdout


def test_a_missing_tool_ends_the_run_with_its_message(sandbox: Any) -> None:
    sandbox.world(steady={"missing": "no toxiproxy-server: set MQCHECK_TOXIPROXY"})
    done = sandbox.pytest("--mqcheck")
    assert done.returncode == exits.USAGE
    assert "set MQCHECK_TOXIPROXY" in done.stdout + done.stderr


def test_a_report_that_cannot_be_written_is_a_harness_error_and_verdicts_still_count(sandbox: Any) -> None:
    more = "\ndef pytest_collection_finish(session):\n    (HERE / 'out' / 'report.html').mkdir(exist_ok=True)\n"
    sandbox.write("conftest.py", (sandbox.folder / "conftest.py").read_text() + more)
    done = sandbox.pytest("--mqcheck", "--mqcheck-report", "out")
    assert "the report could not be written" in done.stdout
    assert "8 passed" in done.stdout
    assert done.returncode == exits.HARNESS_ERROR
