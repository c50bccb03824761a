"""From histories and verdicts to the one dictionary that every output is made of: ``report.json``.

Reads history folders (plan.json, events/) and the verdicts; decides how pairs merge into guarantees. Makes no output
itself.
"""

from __future__ import annotations

import json
import os
import platform
import sys
import textwrap
from collections import Counter
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

from mqcheck import exits
from mqcheck.errors import HistoryError, StreamError
from mqcheck.judge.verdicts import (
    HARNESS_ERROR,
    HELD,
    INCONCLUSIVE,
    NOT_APPLICABLE,
    NOT_EXERCISED,
    UNMET,
    VIOLATED,
    WORST_FIRST,
    Verdict,
)
from mqcheck.known import NOTHING, KnownViolations
from mqcheck.report.outcomes import Outcome
from mqcheck.report.repetitions import merged
from mqcheck.specs import Guarantee

FORMAT: Final = 1
"""Of report.json; ``schema.json`` describes it."""
PACKAGES: Final = ("mqcheck", "pytest", "duckdb", "sqlglot", "toxiproxy-python", "pytest-xdist", "Faker")
"""Whose versions a report names."""
NO_OPERATION: Final = frozenset({"faults", "nodes", "phases", "streams", "stalls", "connections", "clocks"})
"""Tables of the harness: their begun lines are no operations of clients."""
REASONS_MAX: Final = 3
"""Reasons named in the headline; ours: each guarantee's line has its own."""
REASON_CHARACTERS_MAX: Final = 60
"""Of a reason in the headline; ours."""
NS_PER_MS: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class History:
    """One history folder with what was concluded about it."""

    plan: Mapping[str, Any]
    outcome: Outcome


def read_plan(folder: Path) -> dict[str, Any]:
    """A history's plan.json; raises HistoryError when there is none, or of another format."""
    path = folder / "plan.json"
    try:
        plan = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise HistoryError(
            f"{folder} is no history: no plan.json in it; name a run's folder or one in history/"
        ) from error
    except ValueError as error:
        raise HistoryError(f"{path}: {error}; the run was broken off, or the file was changed") from error
    if not isinstance(plan, dict) or plan.get("format") != 1:
        raise HistoryError(f"{path} has no format 1, which is the only one this version of mqcheck reads")
    return plan


def histories_in(folder: Path) -> list[Path]:
    """The history folders that a user can mean: the folder itself, those in it, or those in its ``history/``."""
    if (folder / "plan.json").is_file():
        return [folder]
    inner = folder / "history" if (folder / "history").is_dir() else folder
    found = sorted(path.parent for path in inner.glob("*/plan.json"))
    if not found:
        raise HistoryError(f"{folder} holds no history (no plan.json); name a run's folder or one below its history/")
    return found


def make_report(
    histories: Sequence[History],
    guarantees: Iterable[Guarantee],
    run: Mapping[str, Any],
    violations: KnownViolations = NOTHING,
) -> dict[str, Any]:
    """The whole of report.json. ``run`` is its key ``run``; ``run_of`` makes it. ``violations`` are known ones."""
    pairs = merge_attempts([verdict for history in histories for verdict in history.outcome.verdicts])
    known = {guarantee.id: guarantee for guarantee in guarantees}
    verdicts = [_verdict(verdict, violations) for verdict in pairs]
    news = {each["guarantee"] for each in verdicts if each["verdict"] == VIOLATED and "known" not in each}
    names = dict.fromkeys([*known, *(pair.guarantee for pair in pairs)])
    lines = [_guarantee(known.get(name), name, pairs, news) for name in names]
    gone = known_gone(pairs, violations)
    return {
        "format": FORMAT,
        "run": dict(run),
        "summary": summarise(lines),
        "guarantees": lines,
        "known_gone": gone,
        **({"baseline": against(violations.baseline, verdicts, gone)} if violations.baseline else {}),
        "verdicts": verdicts,
        "scenarios": [scenario_entry(history) for history in histories],
    }


def against(baseline: str, verdicts: Iterable[Mapping[str, Any]], gone: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The run beside its baseline: ids of the violated pairs that are new and known, and of those that are fixed."""
    broken = [each for each in verdicts if each["verdict"] == VIOLATED]
    return {
        "file": baseline,
        "new": [_id(each) for each in broken if "known" not in each],
        "known": [_id(each) for each in broken if "known" in each],
        "fixed": [_id(each) for each in gone],
    }


def _id(each: Mapping[str, Any]) -> str:
    return f"mqcheck::{each['scenario']}::{each['guarantee']}"


def beside_baseline(report: Mapping[str, Any]) -> str:
    """``beside the baseline x.toml: 1 new, 3 known, 0 fixed``; empty where there is none."""
    found = report.get("baseline")
    if found is None:
        return ""
    counts = ", ".join(f"{len(found[key])} {key}" for key in ("new", "known", "fixed"))
    return f"violations beside the baseline {relative(Path(found['file']))}: {counts}"


def summarise(lines: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Counts of guarantees by verdict: brokers' and NameServers' promises only, harness errors apart."""
    counts = Counter(counted_as(line) for line in lines if line["subject"] != "client" and line["verdict"] is not None)
    keys = ("held", "violated", "inconclusive", "not_applicable", "not_exercised", "harness_error")
    return {**{key: counts[key] for key in keys}, "known": count_known(lines)}


def count_known(lines: Iterable[Mapping[str, Any]]) -> int:
    """How many brokers' and NameServers' promises are violated as is known, and in no other way."""
    return sum(bool(line.get("known")) for line in lines if line["subject"] != "client")


def known_gone(pairs: Iterable[Verdict], violations: KnownViolations) -> list[dict[str, Any]]:
    """Known violations whose pair was aimed at and held: their entries must go."""
    found = []
    for pair in pairs:
        entry = violations.of(pair.scenario, pair.guarantee)
        if entry is not None and pair.aimed and pair.verdict == HELD and not entry.sometimes:
            found.append({"guarantee": pair.guarantee, "scenario": pair.scenario, "told": entry.gone()})
    return found


def merge_attempts(verdicts: Sequence[Verdict]) -> list[Verdict]:
    """One verdict for each pair, from those of its attempts in their order; see ``repetitions``."""
    by_pair: dict[tuple[str, str], list[Verdict]] = {}
    for verdict in verdicts:
        by_pair.setdefault((verdict.scenario, verdict.guarantee), []).append(verdict)
    return [merged(attempts) for attempts in by_pair.values()]


def failures_of(report: Mapping[str, Any]) -> list[str]:
    """What of a report fails, as ``exits.status`` wants it: broken and undecided MUST promises, aimed at or not.

    A known violation does not, and one that no longer shows does.
    """
    levels = {line["id"]: line["level"] for line in report["guarantees"]}
    failures = [exits.OTHER_FAILURE for _ in report.get("known_gone", ())]
    for verdict in report["verdicts"]:
        if levels[verdict["guarantee"]] != "MUST":
            continue
        if verdict["verdict"] == INCONCLUSIVE and verdict["aimed"]:
            failures.append(exits.HARNESS if verdict["reason"].startswith(HARNESS_ERROR) else INCONCLUSIVE)
        elif verdict["verdict"] == VIOLATED and "known" not in verdict:
            failures.append(VIOLATED)
    return failures


def run_of(plans: Sequence[Mapping[str, Any]], **values: Any) -> dict[str, Any]:
    """The key ``run``: what the plans say, overridden by ``values`` that are not None."""
    first = plans[0] if plans else {}
    run: dict[str, Any] = {
        "id": first.get("run", ""),
        "seed": first.get("seed"),
        "target": first.get("target", ""),
        "target_version": first.get("target_version", ""),
        "profile": first.get("profile", ""),
        "sabotage": first.get("sabotage"),
        "odd": first.get("odd"),
        "started": first.get("started", ""),
        "seconds": round(sum(float(plan.get("seconds") or 0) for plan in plans), 3),
        "peak_rss_bytes": peak_rss_bytes(),
        "versions": versions(),
    }
    return {**run, **{key: value for key, value in values.items() if value is not None}}


def versions() -> dict[str, str]:
    """What this was made with."""
    found = {"python": platform.python_version(), "system": f"{platform.system()} {platform.release()}"}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def peak_rss_bytes() -> int:
    """Largest resident size of this process or of one of its ended children; 0 where the system does not tell."""
    if sys.platform == "win32":
        return 0
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return unit * max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))


def scenario_entry(history: History) -> dict[str, Any]:
    """A scenario's line: duration, number of operations, faults with their effects, longest stall."""
    operations, stall_ns = 0, 0
    faults: dict[int, dict[str, Any]] = {}
    for path in sorted((history.outcome.folder / "events").glob("*.jsonl")):
        read = read_stream(path)
        operations += read[0]
        faults.update(read[1])
        stall_ns = max(stall_ns, read[2])
    return {
        "name": name_of(history.outcome),
        "seconds": round(history.outcome.seconds, 3),
        "operations": operations,
        "faults": [_fault(row) for row in sorted(faults.values(), key=lambda row: int(row.get("began") or 0))],
        "stall_ms_max": round(stall_ns / NS_PER_MS, 3),
    }


def name_of(outcome: Outcome) -> str:
    """What a report calls a scenario's run: ``power-cut``, ``power-cut (rerun 1)``."""
    return outcome.scenario + (f" (rerun {outcome.attempt})" if outcome.attempt else "")


def read_stream(path: Path) -> tuple[int, dict[int, dict[str, Any]], int]:
    """Of one stream: operations begun, rows of ``faults`` by op, longest stall in ns. A torn last line is cut off."""
    operations, stall_ns = 0, 0
    faults: dict[int, dict[str, Any]] = {}
    data = path.read_bytes()
    for line in data[: data.rfind(b"\n") + 1].splitlines():
        table = line[6 : line.find(b'"', 6)].decode("ascii", "replace")
        if table not in ("faults", "stalls"):
            operations += table not in NO_OPERATION and b'"w":"b"' in line[: len(table) + 18]
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise StreamError(f"{path}: a bad line in the middle: {error}; the file was changed") from error
        if table == "faults":
            faults.setdefault(row["op"], {}).update({key: value for key, value in row.items() if value is not None})
        else:
            stall_ns = max(stall_ns, int(row.get("ended") or 0) - int(row.get("began") or 0))
    return operations, faults, stall_ns


def _fault(row: Mapping[str, Any]) -> dict[str, Any]:
    effect = row.get("effect") or {}
    return {
        "kind": row.get("kind", ""),
        "on": row.get("link") or row.get("node") or "",
        "began": row.get("began"),
        "healed": row.get("healed"),
        "effect": json.loads(effect) if isinstance(effect, str) else effect,
    }


def _guarantee(
    guarantee: Guarantee | None, name: str, pairs: Sequence[Verdict], news: Container[str]
) -> dict[str, Any]:
    mine = [verdict for verdict in pairs if verdict.guarantee == name]
    promised = guarantee is None or guarantee.promised
    worst = min(mine, key=lambda verdict: WORST_FIRST.index(verdict.verdict), default=None)
    exercised = sum(verdict.exercised for verdict in mine)
    verdict = None if not promised else worst.verdict if worst else NOT_EXERCISED
    return {
        "id": name,
        "subject": guarantee.subject if guarantee else mine[0].subject,
        "level": guarantee.level if guarantee else mine[0].level,
        **({"area": guarantee.area} if guarantee else {}),
        "verdict": verdict,
        "known": verdict == VIOLATED and name not in news,
        "exercised": exercised,
        "scenarios": [each.scenario for each in mine if each.verdict not in (NOT_EXERCISED, NOT_APPLICABLE)],
        "reason": _reason(verdict, worst, mine, exercised),
        **({"query": guarantee.violations} if guarantee and verdict == VIOLATED else {}),
    }


def _reason(verdict: str | None, worst: Verdict | None, pairs: Sequence[Verdict], exercised: int) -> str:
    if verdict is None:
        figures = [figure for pair in pairs for figure in pair.reason.split("; ")[1:]]
        return "; ".join((f"not promised; seen {exercised} times", *figures))
    if worst is None:
        return "no scenario of this run exercised it"
    if verdict == NOT_EXERCISED:
        missed = next((pair.reason for pair in pairs if pair.aimed and pair.verdict == NOT_APPLICABLE), "")
        return worst.reason or missed or "nothing happened that it speaks of"
    return worst.reason


def counted_as(line: Mapping[str, Any]) -> str:
    """The key of ``summary`` that a line counts under."""
    if line["verdict"] == INCONCLUSIVE and line["reason"].startswith(HARNESS_ERROR):
        return "harness_error"
    names = {NOT_APPLICABLE: "not_applicable", NOT_EXERCISED: "not_exercised"}
    verdict = str(line["verdict"])
    return names.get(verdict, verdict)


def _verdict(verdict: Verdict, violations: KnownViolations) -> dict[str, Any]:
    keys = (
        "guarantee",
        "scenario",
        "aimed",
        "verdict",
        "exercised",
        "enough",
        "evidence_total",
        "evidence",
        "reason",
        "judge_seconds",
        "replay",
    )
    data = verdict.as_dict()
    found = {key: list(data[key]) if key == "evidence" else data[key] for key in keys}
    if verdict.reproduced is not None:
        found["reproduced"] = {"times": verdict.reproduced, "of": verdict.repetitions}
    entry = violations.of(verdict.scenario, verdict.guarantee) if verdict.verdict == VIOLATED else None
    return found if entry is None else {**found, "known": entry.as_dict()}


def not_tested(lines: Iterable[Mapping[str, Any]]) -> str:
    """Why promises went untested, in a few words, commonest reason first."""
    untested = (line for line in lines if line["verdict"] in (NOT_EXERCISED, NOT_APPLICABLE))
    reasons = Counter(_untested(line["verdict"], line["reason"]) for line in untested)
    told = [f"{count} {_clipped(reason)}" for reason, count in reasons.most_common(REASONS_MAX)]
    return "; ".join([*told, *(["…"] if len(reasons) > REASONS_MAX else [])])


def _untested(verdict: str, reason: str) -> str:
    """The reason up to a colon; the whole stands with its guarantee, and so does a condition's SQL."""
    if verdict == NOT_EXERCISED:
        return "not exercised"
    return "need other settings or nodes" if reason.startswith(UNMET) else reason.partition(": ")[0] or "not applicable"


def _clipped(text: str) -> str:
    return textwrap.shorten(text, REASON_CHARACTERS_MAX, placeholder=" …")


def headline(report: Mapping[str, Any]) -> str:
    """``MUST: held 61, violated 2, inconclusive 0, not tested 30 (why)``: broker and NameServer promises only."""
    lines = [line for line in report["guarantees"] if line["level"] == "MUST" and line["subject"] != "client"]
    counts = Counter(counted_as(line) for line in lines)
    untested = counts["not_applicable"] + counts["not_exercised"]
    known = f" ({count} known)" if (count := count_known(lines)) else ""
    parts = [f"held {counts[HELD]}", f"violated {counts[VIOLATED]}{known}", f"inconclusive {counts[INCONCLUSIVE]}"]
    if counts["harness_error"]:
        parts.append(f"harness error {counts['harness_error']}")
    parts.append(f"not tested {untested}" + (f" ({not_tested(lines)})" if untested else ""))
    return "MUST: " + ", ".join(parts)


def conditions(report: Mapping[str, Any]) -> str:
    """What the headline holds for: target, profile, seed, file-system model."""
    run = report["run"]
    planted = "".join(f", {kind} {run[kind]}" for kind in ("sabotage", "odd") if run[kind])
    return (
        f"{run['target']} {run['target_version']}, profile {run['profile']}, seed {run['seed']}{planted}; "
        f"file-system model: {file_system_model(report)}"
    )


def file_system_model(report: Mapping[str, Any]) -> str:
    """What a loss of power was in this run, as far as it was tried."""
    cuts = [fault for scenario in report["scenarios"] for fault in scenario["faults"] if fault["kind"] == "power-cut"]
    if cuts:
        models = sorted({fault["effect"].get("model", "") for fault in cuts} - {""})
        by = f" (by {', '.join(models)})" if models else ""
        return f"what was not fsynced is lost or torn, by seed{by}"
    return "the page cache survives (no power cut in this run)"


def relative(path: Path) -> str:
    """A path as short as it can be said from here."""
    try:
        return os.path.relpath(path)
    except ValueError:
        return str(path)
