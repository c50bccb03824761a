"""`mqcheck repro`: one violation of a recorded run as a folder that a maintainer can use without this kit."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from mqcheck.errors import HistoryError, SettingsError

if TYPE_CHECKING:
    import duckdb

    from mqcheck.repro.choose import Operation
    from mqcheck.specs import Guarantee

OWN_NAMES: Final = frozenset(
    {
        "README.md",
        "plan.json",
        "configuration",
        "operations.jsonl",
        "faults.jsonl",
        "evidence.json",
        "logs",
        "query.sql",
    }
)
"""All that such a folder holds; one with anything else in it is not ours to clear."""


def make_repro(run_folder: Path, scenario: str, guarantee: str, out: Path, specs: Sequence[Path] = ()) -> str:
    """Writes the folder ``out`` about a violated (or undecided) pair of a run; says in a line what is in it.

    The history is judged again by the guarantee, so nothing but the history is needed. Raises HistoryError for a run
    without that scenario or violation, SpecsError for an unknown guarantee, SettingsError for a folder in use.
    """
    from mqcheck.history.loader import load
    from mqcheck.judge.engine import judge_history
    from mqcheck.judge.verdicts import INCONCLUSIVE, VIOLATED
    from mqcheck.repro.choose import chosen_operations, timetable
    from mqcheck.specs import Specs, load_specs

    history = find_history(run_folder, scenario)
    spec = load_specs(specs).get(guarantee)
    (verdict,) = judge_history(history, Specs((spec,), ()))
    if verdict.verdict not in (VIOLATED, INCONCLUSIVE):
        told = f": {verdict.reason}" if verdict.reason else ""
        raise HistoryError(
            f"{guarantee} is {verdict.verdict} in {history}{told}; there is nothing to show. "
            f"`mqcheck check {run_folder}` names what is violated"
        )
    prepare(out)
    connection = load(history)
    try:
        operations = chosen_operations(connection, verdict.evidence)
        began = operations[0].at if operations else _start(connection)
        faults = timetable(connection, began)
        _write(out, history, spec, verdict.as_dict(), operations, faults)
        logs = _logs(connection, history, out, operations, faults, began)
    finally:
        connection.close()
    from mqcheck.repro.readme import readme

    plan = json.loads((history / "plan.json").read_text(encoding="utf-8"))
    text = readme(spec, verdict, plan, operations, faults, logs, began, files_of(out / "configuration"))
    (out / "README.md").write_text(text, encoding="utf-8")
    return f"{verdict.evidence_total} row(s) of evidence, {len(operations)} operations, {len(faults)} faults and lives"


def find_history(run_folder: Path, scenario: str) -> Path:
    """A scenario's history in a run's folder. Raises HistoryError that lists those there are."""
    from mqcheck.report.summary import histories_in

    found = {folder.name: folder for folder in histories_in(run_folder)}
    if scenario not in found:
        raise HistoryError(f"{run_folder} has no history of {scenario!r}; there are {', '.join(sorted(found))}")
    return found[scenario]


def prepare(out: Path) -> None:
    """Makes the folder, or clears an earlier one of ours. Raises SettingsError for anybody else's files."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        strange = sorted(path.name for path in out.iterdir() if path.name not in OWN_NAMES)
        if strange:
            raise SettingsError(f"--out {out} holds {strange[0]!r}, which mqcheck repro did not make: name another")
        for path in out.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    except OSError as error:
        raise SettingsError(f"--out {out} cannot be used ({error.strerror or error}): name another") from error


def files_of(folder: Path) -> list[str]:
    """Paths of files below a folder, relative to it."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def _write(
    out: Path,
    history: Path,
    spec: Guarantee,
    verdict: Mapping[str, Any],
    operations: Sequence[Operation],
    faults: Sequence[Mapping[str, Any]],
) -> None:
    """Everything but the logs and README.md."""
    from mqcheck.report.json_ import dump
    from mqcheck.targets.lives import CONFIGURATION

    shutil.copyfile(history / "plan.json", out / "plan.json")
    if (history / CONFIGURATION).is_dir():
        shutil.copytree(history / CONFIGURATION, out / "configuration")
    _lines(out / "operations.jsonl", [operation.as_dict() for operation in operations])
    _lines(out / "faults.jsonl", faults)
    (out / "evidence.json").write_text(dump(verdict), encoding="utf-8")
    head = [f"-- {spec.id}: {spec.title}", "-- Every row it returns is a piece of evidence."]
    head += ["-- Tables and helpers: specs/README.md of mqcheck."]
    (out / "query.sql").write_text("\n".join([*head, spec.violations.strip(), ""]), encoding="utf-8")


def _lines(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    text = "".join(json.dumps(row, ensure_ascii=False, default=str) + "\n" for row in rows)
    path.write_text(text.encode("utf-8", "backslashreplace").decode("utf-8"), encoding="utf-8")


def _logs(
    connection: duckdb.DuckDBPyConnection,
    history: Path,
    out: Path,
    operations: Sequence[Operation],
    faults: Sequence[Mapping[str, Any]],
    began: int,
) -> list[dict[str, Any]]:
    """The nodes' logs around what is shown, cut."""
    from mqcheck.repro.logs import Window, cut_logs

    wall = connection.execute("SELECT wall_ns, t FROM streams WHERE wall_ns IS NOT NULL ORDER BY t").fetchone()
    if wall is None:
        return []
    times = [operation.at for operation in operations]
    times += [began + round(fault["at_ms"] * 1e6) for fault in faults if fault["table"] == "faults"]
    first, last = min(times, default=began), max(times, default=began)
    shift = int(wall[0]) - int(wall[1])
    window = Window.around((first + shift) / 1e9, (last + shift) / 1e9)
    return cut_logs(history / "logs", out / "logs", window)


def _start(connection: duckdb.DuckDBPyConnection) -> int:
    row = connection.execute("SELECT min(t) FROM streams").fetchone()
    return int(row[0]) if row is not None and row[0] is not None else 0
