"""Records histories for the store, or judges stored ones again.

Usage, with the project's environment::

    python tests/store/record.py                          all entries into .mqcheck/store
    python tests/store/record.py --only 'delay-*' --into tests/store/histories
    python tests/store/record.py --scenario steady --target apache:4.9.7
    python tests/store/record.py --accept --into tests/store/histories      today's verdicts are right

A run in which the kit failed, or in which something that was aimed at is undecided, is made again, three times at most.
"""

from __future__ import annotations

import argparse
import fnmatch
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(Path(__file__).parent)]

from entries import COMMITTED, ENTRIES, Entry, accept, pack, undecided_in  # noqa: E402

from mqcheck.commands import plugin_arguments  # noqa: E402
from mqcheck.specs import Specs, load_specs  # noqa: E402

TRIES: Final = 3
DEFAULT: Final = ROOT / ".mqcheck" / "store"
"""Not in git; the committed ones are in ``tests/store/histories``."""


def record(entry: Entry, into: Path, specs: Specs) -> str:
    """Run once, or until it can be used; what became of it."""
    trouble = ""
    for _ in range(TRIES):
        with tempfile.TemporaryDirectory(prefix="mqcheck-record-") as name:
            base = Path(name)
            (base / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
            words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *plugin_arguments(), "--mqcheck"]
            words += [*entry.options(), f"--mqcheck-report={base / 'run'}", "--mqcheck-known=none"]
            done = subprocess.run(words, cwd=base, capture_output=True, text=True, check=False)
            history = base / "run" / "history" / entry.scenario
            trouble = unusable(history, entry, specs) or ""
            if not trouble:
                path = into / f"{entry.name}.zip"
                pack(history, path, specs)
                return f"{entry.name}: {path.stat().st_size // 1024} KiB"
            trouble = f"status {done.returncode}: {trouble}"
    return f"{entry.name}: not recorded: {trouble}"


def unusable(history: Path, entry: Entry, specs: Specs) -> str | None:
    """Why a run cannot be stored."""
    if not (history / "plan.json").exists():
        return "there is no history"
    plan = json.loads((history / "plan.json").read_text(encoding="utf-8"))
    if plan.get("harness_error"):
        return f"the kit failed: {plan['harness_error']}"
    undecided = [] if entry.sabotage else undecided_in(history, specs)
    return "; ".join(undecided) or None


def main() -> int:
    """Record, or accept."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="*", metavar="GLOB", help="names of entries")
    parser.add_argument("--into", type=Path, default=DEFAULT, help=f"default {DEFAULT.relative_to(ROOT)}")
    parser.add_argument("--scenario", help="one that is no entry, with --target, --sabotage or --odd")
    parser.add_argument("--target", default="reference")
    parser.add_argument("--sabotage")
    parser.add_argument("--odd")
    parser.add_argument("--accept", action="store_true", help="judge what is stored there again, and take it as right")
    options = parser.parse_args()
    specs = load_specs()
    if options.accept:
        for path in sorted(options.into.glob("*.zip")):
            if fnmatch.fnmatchcase(path.stem, options.only):
                print(f"{path.stem}: {'; '.join(accept(path, specs)) or 'as before'}", flush=True)
        return 0
    entries: tuple[Entry, ...] = ENTRIES
    if options.scenario:
        entries = (Entry(options.scenario, options.sabotage, options.odd, options.target),)
    told = []
    for entry in entries:
        if fnmatch.fnmatchcase(entry.name, options.only):
            told.append(record(entry, options.into, specs))
            print(told[-1], flush=True)
    whole = sum(path.stat().st_size for path in COMMITTED.glob("*.zip"))
    print(f"in git: {whole / 1e6:.1f} MB")
    return 1 if any("not recorded" in line for line in told) else 0


if __name__ == "__main__":
    sys.exit(main())
