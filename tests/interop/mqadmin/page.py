"""Writes ``docs/mqadmin.md``: ``python tests/interop/mqadmin/page.py``. Takes some minutes; needs java and mvn."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from java_broker import ROOT
from mqadmin.compare import complaints, judge, run_all, table

PAGE = ROOT / "docs" / "mqadmin.md"


def main() -> int:
    """Run both, write the page, tell what is not explained; exit status 1 when there is something."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        rows = judge(run_all("real", home / "real"), run_all("reference", home / "reference"))
    PAGE.write_text(table(rows), encoding="utf-8")
    found = complaints(rows)
    print("\n".join(found) or "nothing unexplained")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
