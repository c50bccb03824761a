"""Makes a baseline: the violations of one run as a file of known ones, so that from then on only news fails.

The file has the form of every file of known violations (``known``), and is read as such; ``specs/README.md`` describes
it. Making it again over an old one renews it: what the run decided is replaced, what it did not decide is kept.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from mqcheck.errors import HistoryError, SpecsError
from mqcheck.judge.verdicts import HELD, VIOLATED
from mqcheck.known import KnownViolation, read_file
from mqcheck.report.summary import FORMAT
from mqcheck.specs import Specs

WAY_OUT: Final = "name the folder of a finished run, such as .mqcheck/latest"

Pair = tuple[str, str]
"""A guarantee and a scenario."""


def make(run_folder: Path, out: Path, specs: Specs) -> str:
    """Write the baseline of a finished run; what was done, in a line. Raises HistoryError and SpecsError.

    Called by ``mqcheck baseline``.
    """
    report = _report(run_folder)
    earlier = _earlier(out, specs) if out.exists() else {}
    decided = {
        (each["guarantee"], each["scenario"]): each
        for each in report["verdicts"]
        if each["verdict"] in (HELD, VIOLATED) and each["guarantee"] in specs.ids()
    }
    broken = {pair: each for pair, each in decided.items() if each["verdict"] == VIOLATED}
    kept = {pair: entry for pair, entry in earlier.items() if pair not in decided}
    text = [_heading(report["run"])]
    text += [_entry(pair, _fields(each, report["run"], specs, earlier.get(pair))) for pair, each in broken.items()]
    text += [_entry(pair, _unchanged(entry)) for pair, entry in kept.items()]
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text("\n".join(text), encoding="utf-8")
    new = sum(pair not in earlier for pair in broken)
    gone = len(earlier) - len(kept) - (len(broken) - new)
    return f"{len(broken) + len(kept)} violations ({new} new, {gone} gone)"


def _earlier(out: Path, specs: Specs) -> dict[Pair, KnownViolation]:
    """The file's entries, each of one pair: of several scenarios a run may decide only some."""
    found = {}
    for entry in read_file(out, specs):
        if set(entry.scenario) & set("*?["):
            raise SpecsError(
                f"{out}: {entry.guarantee} is known in scenario = {entry.scenario!r}: a baseline that is to be renewed "
                "names one scenario in each entry; write one for each, or give the file with --mqcheck-known instead"
            )
        found[entry.guarantee, entry.scenario] = entry
    return found


def _report(run_folder: Path) -> dict[str, Any]:
    path = run_folder / "report.json"
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise HistoryError(f"{path}: {error}; {WAY_OUT}") from error
    if not isinstance(report, dict) or report.get("format") != FORMAT:
        raise HistoryError(f"{path} has no format {FORMAT}; {WAY_OUT}")
    return report


def _heading(run: Mapping[str, Any]) -> str:
    return (
        f"# Violations of {run['target']} {run['target_version']} that were there when this file was made, from run "
        f"{run['id']}.\n# `mqcheck baseline DIR --out` this file renews it after another run: `what` and `see` stay as "
        "you write them,\n# comments do not.\n"
    )


def _fields(
    verdict: Mapping[str, Any], run: Mapping[str, Any], specs: Specs, earlier: KnownViolation | None
) -> dict[str, Any]:
    """What an entry says; the words that somebody wrote into an earlier one are kept."""
    if earlier is not None:
        return _unchanged(earlier)
    fields: dict[str, Any] = {"what": f"broken: {specs.get(verdict['guarantee']).title}", "see": f"run {run['id']}"}
    again = verdict.get("reproduced")
    return fields if again is None or again["times"] == again["of"] else {**fields, "sometimes": True}


def _unchanged(entry: KnownViolation) -> dict[str, Any]:
    fields: dict[str, Any] = {"what": entry.what, "see": entry.see}
    fields |= {key: value for key, value in (("since", entry.since), ("until", entry.until)) if value}
    return fields | ({"sometimes": True} if entry.sometimes else {})


def _entry(pair: Pair, fields: Mapping[str, Any]) -> str:
    guarantee, scenario = pair
    lines = ["[[known]]", f"guarantee = {_quoted(guarantee)}", f"scenario = {_quoted(scenario)}"]
    lines += [f"{key} = {'true' if value is True else _quoted(value)}" for key, value in fields.items()]
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    """A basic string of TOML: JSON's, where no control character is left bare."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
