"""`mqcheck serve` from a test suite in Go, as docs/how-to/other-languages.md writes it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from clients import WHOLE, WHOLE_REASON
from java_broker import missing

pytestmark = [
    pytest.mark.interop,
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.skipif(missing("go") is not None, reason=str(missing("go"))),
    pytest.mark.skipif(not WHOLE, reason=WHOLE_REASON),
]
ROOT = Path(__file__).parents[2]
ASKS_IN_GO = """
package shop

import ("net"; "testing")

func TestSomebodyListens(t *testing.T) {
	connection, err := net.Dial("tcp", nameserver)
	if err != nil {
		t.Fatal(err)
	}
	connection.Close()
}
"""


def test_a_suite_in_go(tmp_path: Path) -> None:
    """The block of docs/how-to/other-languages.md, with a test that asks the server it was told of."""
    page = (ROOT / "docs" / "how-to" / "other-languages.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```go\n(.*?)```", page, re.DOTALL)
    (tmp_path / "main_test.go").write_text(block, encoding="utf-8")
    (tmp_path / "shop_test.go").write_text(ASKS_IN_GO, encoding="utf-8")
    (tmp_path / "go.mod").write_text("module shop\n\ngo 1.17\n", encoding="utf-8")
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "mqcheck").write_text(f'#!/bin/sh\nexec {sys.executable} -m mqcheck "$@"\n', encoding="utf-8")
    (programs / "mqcheck").chmod(0o755)
    done = subprocess.run(
        ["go", "test", "-v", "."],
        cwd=tmp_path,
        env={**os.environ, "PATH": f"{programs}:{os.environ['PATH']}", "GOFLAGS": "-mod=mod", "GOTOOLCHAIN": "local"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "--- PASS: TestSomebodyListens" in done.stdout
