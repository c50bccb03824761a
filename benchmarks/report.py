"""How long report.html takes to make and to open, of a history with 100,000 operations.

Usage: ``python benchmarks/report.py [OPERATIONS] [PAGE]``. Prints how long the timeline takes beside the judging it
follows, the size of the page, and how long a headless Chromium takes to open it and to open its timeline (needs
``mqcheck[browser]`` and a chromium). PAGE keeps the page, to be looked at.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from pathlib import Path

from judge import OPERATIONS, big_history, operations_of

from mqcheck.history.loader import load
from mqcheck.judge.engine import judge_tables
from mqcheck.judge.plan_file import read_plan
from mqcheck.judge.verdicts import Verdict
from mqcheck.report import write_reports
from mqcheck.report.outcomes import Outcome, write_outcome
from mqcheck.specs import Specs, load_specs
from mqcheck.timeline.files import write_timeline

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def judged(folder: Path, specs: Specs) -> tuple[list[Verdict], float, float]:
    """Verdicts of a history, seconds of loading and judging, seconds of its timeline."""
    began = time.perf_counter()
    connection = load(folder)
    verdicts = judge_tables(connection, read_plan(folder), specs)
    drawn = time.perf_counter()
    write_timeline(connection, folder, [row for verdict in verdicts for row in verdict.evidence])
    ended = time.perf_counter()
    connection.close()
    return verdicts, drawn - began, ended - drawn


def opened(page_file: Path) -> tuple[float, float]:
    """Seconds until a browser has opened and painted the page, and until the timeline is painted after a click."""
    from playwright.sync_api import sync_playwright

    painted = "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1400, "height": 1000})
        page.goto("about:blank")
        began = time.perf_counter()
        page.goto(page_file.as_uri())
        page.evaluate(painted)
        shown = time.perf_counter()
        page.evaluate("document.querySelector('details.scenario').open = true")
        page.wait_for_selector("svg.lanes")
        page.evaluate(painted)
        ended = time.perf_counter()
        browser.close()
    return shown - began, ended - shown


def main(arguments: list[str]) -> None:
    """Make a history, judge it, draw it, open it."""
    operations = int(arguments[0]) if arguments else OPERATIONS
    specs = load_specs([])
    with tempfile.TemporaryDirectory() as name:
        run_folder = Path(name)
        history = run_folder / "history" / "healthy"
        healthy = big_history(operations)
        healthy.write(history)
        verdicts, judging, drawing = judged(history, specs)
        write_outcome(Outcome("healthy", 0, history, 0.0, tuple(verdicts), None))
        began = time.perf_counter()
        write_reports(run_folder, specs, run={"target": "reference", "target_version": "", "seed": 7})
        page = run_folder / "report.html"
        print(f"{operations_of(healthy)} operations: loaded and judged in {judging:.2f} s, timeline {drawing:.2f} s")
        print(f"report written in {time.perf_counter() - began:.2f} s, page {page.stat().st_size / 1e6:.2f} MB")
        if len(arguments) > 1:
            shutil.copy(page, arguments[1])
        if CHROMIUM is None:
            print("no chromium on the PATH: not opened")
            return
        shown, timeline = opened(page)
        print(f"opened in {shown:.2f} s, its timeline in {timeline:.2f} s more")


if __name__ == "__main__":
    main(sys.argv[1:])
