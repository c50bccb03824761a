"""Makes ``docs/interop.md`` of the results of the lanes: official client × feature.

Usage: ``python tests/interop/table.py`` after ``tox -e interop``. What is missing in the results is an error.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from clients import CACHE, FEATURES, ROOT, Result
from remarks import remark

TARGET = ROOT / "docs" / "interop.md"
HEAD = """# Official clients and the reference

Made by `python tests/interop/table.py` of the results of `tox -e interop`: each feature was tried by the official
client itself, with assertions on what was sent and received. ✓ works; a number is a reason below, or beside a ✓ a
remark. Columns whose name ends in `@apache-4.9.7` are the same program against a real broker, to compare with: what
does not work there either is no fault of the reference. `-binary` is RocketMQ's own serialization of headers in place
of JSON.
"""


def load(folder: Path) -> dict[str, dict[str, Result]]:
    """Results by client and feature."""
    found: dict[str, dict[str, Result]] = {}
    for file in sorted(folder.glob("*.jsonl")):
        rows = [Result(**json.loads(line)) for line in file.read_text(encoding="utf-8").splitlines()]
        found[file.stem] = {row.feature: row for row in rows}
    return found


def table(results: dict[str, dict[str, Result]]) -> str:
    """The page; a feature that another client has and this one says nothing about was not tried."""
    clients = sorted(results)
    features = sorted({feature for rows in results.values() for feature in rows})
    reasons: list[str] = []
    lines = ["| feature | " + " | ".join(clients) + " |", "| --- |" + " --- |" * len(clients)]
    for feature in features:
        cells = []
        for client in clients:
            row = results[client].get(feature)
            works = row is not None and row.works
            reason = remark(client, feature) if works else "not tried" if row is None else row.reason.replace("\n", " ")
            if reason and reason not in reasons:
                reasons.append(reason)
            number = str(reasons.index(reason) + 1) if reason else ""
            cells.append(f"✓ {number}".strip() if works else number)
        lines.append(f"| {feature} | " + " | ".join(cells) + " |")
    counts = {client: sum(row.works for row in results[client].values()) for client in clients}
    lines += ["", "Works: " + ", ".join(f"{client} {counts[client]} of {len(features)}" for client in clients) + "."]
    if reasons:
        lines += ["", "Reasons and remarks:", "", *(f"{number}. {reason}" for number, reason in enumerate(reasons, 1))]
    return HEAD + "\n" + "\n".join(lines) + "\n"


def main() -> int:
    """Write the page; exit status 1 when results are missing."""
    results = load(CACHE)
    if not results:
        sys.stderr.write(f"no results in {CACHE}: run tox -e interop first\n")
        return 1
    silent = [f"{client} {name}" for client, rows in results.items() for name in FEATURES if name not in rows]
    if silent:
        sys.stderr.write(f"nothing is said of {', '.join(silent)}\n")
        return 1
    TARGET.write_text(table(results), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
