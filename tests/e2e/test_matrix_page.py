"""docs/matrix.md: its example is run as it stands there."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from mqcheck import exits

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "matrix.md").read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.e2e
def test_the_example_shows_the_planted_bug_as_a_difference(tmp_path: Path) -> None:
    found = re.search(r"<!-- the example -->\n```sh\n(.*?)```", PAGE, re.DOTALL)
    assert found is not None
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("PYTEST", "MQCHECK", "COV"))}
    statuses = []
    for line in found[1].splitlines():
        program, *words = shlex.split(line)
        assert program == "mqcheck"
        done = subprocess.run(
            [sys.executable, "-m", "mqcheck", *words],
            cwd=tmp_path,
            env={**kept, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=200,
        )
        statuses.append(done.returncode)
    assert statuses == [exits.HELD, exits.VIOLATED, exits.VIOLATED], done.stdout + done.stderr
    matrix = json.loads((tmp_path / "side-by-side" / "matrix.json").read_text(encoding="utf-8"))
    assert [column["title"] for column in matrix["columns"]] == ["reference", "reference + corrupt-body"]
    first = matrix["rows"][0]
    assert (first["group"], [cell["verdict"] for cell in first["cells"]]) == ("different", ["held", "violated"])
    assert "dur-body-intact" in {row["id"] for row in matrix["rows"] if row["group"] == "different"}
    page, anchor = first["cells"][1]["link"].split("#")
    assert f'id="{anchor}"' in (tmp_path / "side-by-side" / page).read_text(encoding="utf-8")
