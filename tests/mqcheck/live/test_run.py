"""``mqcheck run`` as its user sees it: on a terminal, in a log, as JSON, quiet, over workers, and interrupted."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import termios
import time
from pathlib import Path
from typing import IO, Any

import pytest

from mqcheck import exits


def run(sandbox: Any, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "mqcheck", "run", *arguments],
        cwd=sandbox.folder,
        env=sandbox.environment(),
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_a_project_whose_warnings_are_errors_is_none_of_its_business(sandbox: Any) -> None:
    (sandbox.folder / "pytest.ini").write_text(
        "[pytest]\nfilterwarnings = error::pytest.PytestAssertRewriteWarning\n", encoding="utf-8"
    )
    done = run(sandbox, "--co", "-q")
    assert done.returncode == exits.HELD, done.stdout + done.stderr
    assert "mqcheck::steady::" in done.stdout


def documented(event: str) -> str:
    """What docs/live.md says of an event."""
    lines = (Path(__file__).parents[3] / "docs" / "live.md").read_text(encoding="utf-8").splitlines()
    (row,) = [line for line in lines if line.startswith(f"| `{event}` |")]
    return row + "`event` `at_s` `scenario` `attempt`"


@pytest.mark.slow
def test_a_terminal_shows_what_is_going_on_and_then_the_summary(sandbox: Any) -> None:
    sandbox.world(kill={"until": "seen", "verdicts": {"dur-two": "violated"}})
    main, other = os.openpty()
    termios.tcsetwinsize(main, (40, 120))
    process = subprocess.Popen(
        [sys.executable, "-m", "mqcheck", "run"],
        cwd=sandbox.folder,
        env=sandbox.environment(TERM="xterm-256color"),
        stdin=subprocess.DEVNULL,
        stdout=other,
        stderr=other,
    )
    os.close(other)
    drawn = ""
    with os.fdopen(main, "rb", buffering=0) as screen:
        while part := _read(screen):
            drawn += part.decode(errors="replace")
            if "kill on broker-a" in drawn and "2 of 3 scenarios done" in drawn:
                (sandbox.folder / "seen").touch()
    assert process.wait() == exits.VIOLATED
    assert "mqcheck: steady: 2 held" in drawn
    assert "violated mqcheck::kill::dur-two: 1 row(s) of evidence" in drawn
    end = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", drawn[drawn.rfind("of 3 scenarios done") :])
    assert "MUST: held 1, violated 1" in end
    assert "1 failed, 7 passed" in end
    # No dots of the suite's items.
    assert not re.search(r"^mqcheck [.F]|^[.F]+\r?$", drawn, re.MULTILINE)


def _read(screen: IO[bytes]) -> bytes:
    try:
        return screen.read(1 << 16)
    except OSError:  # Linux's way to say that nobody writes any more
        return b""


@pytest.mark.slow
def test_a_log_has_plain_lines(sandbox: Any) -> None:
    done = run(sandbox)
    assert done.returncode == exits.HELD, done.stdout + done.stderr
    assert "\x1b" not in done.stdout
    lines = done.stdout.splitlines()
    assert [line for line in lines if line.startswith("mqcheck: steady: 2 held (")]
    assert lines.index(next(line for line in lines if line.startswith("mqcheck: cut"))) < lines.index(
        next(line for line in lines if line.startswith("MUST: held 2"))
    )


@pytest.mark.slow
@pytest.mark.parametrize("workers", [(), ("-n", "2")])
def test_json_ends_with_the_counts_of_the_report(sandbox: Any, workers: tuple[str, ...]) -> None:
    sandbox.world(kill={"verdicts": {"dur-two": "violated"}}, cut={"verdicts": {"dur-two": "inconclusive"}})
    sandbox.write("test_own.py", "def test_own():\n    print('said by a test')\n")
    done = run(sandbox, "--json", "-s", *workers, "test_own.py", "--seed", "5")
    assert done.returncode == exits.VIOLATED, done.stdout + done.stderr
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert [events[0]["event"], events[0]["seed"]] == ["run", 5]
    assert set(events[0]["scenarios"]) == {"steady", "kill", "cut"}
    last = events[-1]
    assert [last["event"], last["status"]] == ["finished", done.returncode]
    report = sandbox.report()
    assert last["summary"] == report["summary"]
    assert Path(last["report"]).samefile(sandbox.folder / ".mqcheck" / "latest" / "report.json")
    told = {
        (each["scenario"], one["guarantee"]): one["verdict"]
        for each in events
        if each["event"] == "verdicts"
        for one in each["verdicts"]
    }
    aimed = {
        (each["scenario"], each["guarantee"]): each["verdict"]
        for each in report["verdicts"]
        if each["aimed"] or each["verdict"] == "violated"
    }
    assert told == aimed
    assert {each["scenario"] for each in events if each["event"] == "fault"} == {"steady", "kill", "cut"}
    assert "MUST: held" in done.stderr
    undocumented = {
        (each["event"], key) for each in events for key in each if f"`{key}`" not in documented(each["event"])
    }
    assert not undocumented


def test_json_of_a_mistake_is_one_line_with_its_status(sandbox: Any) -> None:
    done = run(sandbox, "--json", "--select", "nothing-like-it")
    assert done.returncode == exits.USAGE
    (only,) = [json.loads(line) for line in done.stdout.splitlines()]
    assert (only["event"], only["status"], only["summary"]) == ("finished", exits.USAGE, None)
    assert "matches no guarantee or scenario" in done.stderr


@pytest.mark.slow
def test_ctrl_c_takes_down_and_gives_the_terminal_back(sandbox: Any) -> None:
    sandbox.world(steady={"until": "never"})
    process = subprocess.Popen(
        [sys.executable, "-m", "mqcheck", "run", "--json"],
        cwd=sandbox.folder,
        env=sandbox.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    for line in process.stdout:
        if json.loads(line)["event"] == "fault":
            break
    while not sandbox.log("began"):
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    last = process.stdout.read().splitlines()[-1]
    assert process.wait() == exits.INTERRUPTED
    assert json.loads(last)["status"] == exits.INTERRUPTED
    assert sandbox.log("cancelled")
    assert sandbox.log("taken down")
    process.stdout.close()
