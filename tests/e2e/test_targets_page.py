"""docs/targets.md: its description is run as it stands there, and its tables name what there is."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from mqcheck.commands import plugin_arguments
from mqcheck.targets.description import (
    BROKER_PLACEHOLDERS,
    NODE_PLACEHOLDERS,
    POSSIBLE,
    REQUIRED_KEYS,
    read_description,
)
from mqcheck.targets.rules import UNITS

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "targets.md").read_text(encoding="utf-8")


@pytest.fixture
def example(tmp_path: Path) -> Path:
    """The page's description as a file."""
    found = re.search(r"<!-- the worked example -->\n```toml\n(.*?)```", PAGE, re.DOTALL)
    assert found is not None
    path = tmp_path / "my-broker.toml"
    path.write_text(found[1], encoding="utf-8")
    return path


def test_every_name_has_its_place_on_the_page(example: Path) -> None:
    assert read_description(example).name == "my broker"
    for name in (*NODE_PLACEHOLDERS, *BROKER_PLACEHOLDERS):
        assert f"`{{{name}}}`" in PAGE, name
    for name in (*POSSIBLE, *UNITS, *(key for keys in REQUIRED_KEYS.values() for key in keys)):
        assert f"`{name}`" in PAGE, name


@pytest.mark.slow
@pytest.mark.e2e
def test_the_worked_example_gives_verdicts(example: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", *plugin_arguments(), "-p", "no:cacheprovider", "--mqcheck"),
            *("--mqcheck-target", "exec:my-broker.toml", "--mqcheck-report=report", "--mqcheck-select", "broker-kill"),
            *("--mqcheck-select", "consumer-silent", "--mqcheck-select", "replication"),
        ],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads((tmp_path / "report" / "report.json").read_text(encoding="utf-8"))
    verdicts = {(each["scenario"], each["guarantee"]): each for each in report["verdicts"]}
    assert verdicts["broker-kill", "con-alo"]["verdict"] == "held"
    assert verdicts["consumer-silent", "con-expire"]["verdict"] == "held"
    missed = verdicts["replication", "rep-sync-ack"]
    assert (missed["verdict"], "cannot take replication" in missed["reason"]) == ("not applicable", True)
