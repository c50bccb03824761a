"""Puts every guarantee to one history and chooses its verdict.

The rules, worst first: a violation without harness error is ``violated``; an undecidable row, too little evidence or
a missing fault makes an aimed-at pair ``inconclusive``; the rest is ``held`` or neutral. What evidence looks like is
``evidence``'s business, what a query means is the guarantee's.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any, Final

import duckdb

from mqcheck.errors import SpecsError, StreamError
from mqcheck.history.loader import load
from mqcheck.history.parquet import write_parquet
from mqcheck.judge.evidence import by_place, condense
from mqcheck.judge.plan_file import PlanFile, read_plan
from mqcheck.judge.prune import Filter, brings_nothing, narrowed, unmatched
from mqcheck.judge.queries import Asked, condition, exercised, figures, inconclusive, pruned_of, ready, violations
from mqcheck.judge.verdicts import (
    HARNESS_ERROR,
    HELD,
    INCONCLUSIVE,
    NOT_APPLICABLE,
    NOT_EXERCISED,
    UNMET,
    VIOLATED,
    Verdict,
)
from mqcheck.specs import ALWAYS, Guarantee, Specs
from mqcheck.timeline.files import write_timeline

ENABLED_BY: Final[dict[str, tuple[str, ...]]] = {
    "blackhole": ("blackhole", "partition"),
    "drop": ("drop", "partition"),
    "reset": ("reset", "partition"),
    "slow-close": ("slow-close", "partition"),
    "limit-data": ("limit-data", "partition"),
    "down": ("down", "partition"),
    "frame-drop": ("frame-drop", "partition"),
    "frame-delay": ("frame-delay", "latency"),
    "frame-hold": ("frame-hold", "partition"),
    "frame-duplicate": ("frame-duplicate", "partition"),
    "bandwidth": ("bandwidth", "latency"),
    "slice": ("slice", "latency"),
    "restart": ("restart", "kill", "stop"),
}
"""Fault → capabilities of a target, any one of which makes it possible; others need that of their own name."""

TOGETHER: Final = 2
"""Guarantees of a large history that are judged at a time; ours: halves the time on two cores."""

TOGETHER_LINES_MIN: Final = 50_000
"""Lines from which a history is large; ours: more than a scenario records, so that none beside it is disturbed."""


@dataclass(slots=True)
class _Findings:
    """What the queries of one guarantee brought."""

    exercised: int = 0
    columns: tuple[str, ...] = ()
    rows: list[tuple[Any, ...]] = field(default_factory=list)
    undecided: list[dict[str, Any]] = field(default_factory=list)


def judge_history(folder: Path, specs: Specs, *, parquet: bool = False) -> list[Verdict]:
    """The verdict of every guarantee over the history in ``folder`` (``plan.json``, ``events/``), in ``specs``' order.

    ``parquet``: also store the tables as judged in ``tables/``, and what a report draws of them in ``timeline.json``. A
    history that cannot be loaded makes every aimed-at
    pair inconclusive with a harness error. Raises HistoryError when the folder is no history. Called by the judge's
    child and ``mqcheck check``.
    """
    plan = read_plan(folder)
    if plan.not_applicable:
        return [_not_run(guarantee, plan) for guarantee in specs]
    try:
        connection = load(folder)
    except StreamError as error:
        return [_broken(guarantee, plan, str(error)) for guarantee in specs]
    try:
        if not parquet:
            return judge_tables(connection, plan, specs)
        write_parquet(connection, folder)
        verdicts = judge_tables(connection, plan, specs)
        write_timeline(connection, folder, [row for verdict in verdicts for row in verdict.evidence])
        return verdicts
    finally:
        connection.close()


def judge_tables(connection: duckdb.DuckDBPyConnection, plan: PlanFile, specs: Specs) -> list[Verdict]:
    """The verdict of every guarantee over loaded tables and facts."""
    kinds = connection.execute("SELECT DISTINCT kind FROM faults WHERE confirmed").fetchall()
    queries = chain.from_iterable(map(pruned_of, specs))
    absent = unmatched(connection, chain.from_iterable(query.all_ways() for query in queries))
    facts = _Facts(frozenset(row[0] for row in kinds), absent)

    def judged(guarantee: Guarantee, own: duckdb.DuckDBPyConnection = connection) -> Verdict:
        began = time.perf_counter()
        found = _judge(own, plan, guarantee, facts)
        return _verdict(guarantee, plan, found, time.perf_counter() - began)

    def judged_beside_others(guarantee: Guarantee) -> Verdict:
        with closing(connection.cursor()) as own:
            return judged(guarantee, own)

    (lines,) = connection.execute("SELECT sum(lines) FROM streams").fetchall()[0]
    if (lines or 0) < TOGETHER_LINES_MIN:
        return [judged(guarantee) for guarantee in specs]
    with ThreadPoolExecutor(TOGETHER) as pool:
        return list(pool.map(judged_beside_others, specs))


@dataclass(frozen=True, slots=True)
class _Facts:
    """What is asked once per history."""

    confirmed: frozenset[str]
    """Kinds of fault that had a confirmed effect."""
    absent: frozenset[Filter]
    """Filters of the queries that no row passes."""


@dataclass(frozen=True, slots=True)
class _Judged:
    verdict: str
    reason: str = ""
    exercised: int = 0
    evidence_total: int = 0
    evidence: tuple[dict[str, Any], ...] = ()


def _verdict(guarantee: Guarantee, plan: PlanFile, judged: _Judged, seconds: float) -> Verdict:
    return Verdict(
        guarantee=guarantee.id,
        scenario=plan.scenario,
        aimed=guarantee.id in plan.aims,
        verdict=judged.verdict,
        exercised=judged.exercised,
        enough=guarantee.enough,
        evidence_total=judged.evidence_total,
        evidence=judged.evidence,
        reason=judged.reason,
        judge_seconds=round(seconds, 6),
        replay=plan.replay,
        subject=guarantee.subject,
        level=guarantee.level,
        title=guarantee.title,
    )


def _broken(guarantee: Guarantee, plan: PlanFile, error: str) -> Verdict:
    """A history that cannot be loaded says nothing: inconclusive where aimed at, else neutral."""
    aimed = guarantee.id in plan.aims
    verdict = INCONCLUSIVE if aimed else NOT_EXERCISED
    return _verdict(guarantee, plan, _Judged(verdict, HARNESS_ERROR + error), 0.0)


def _not_run(guarantee: Guarantee, plan: PlanFile) -> Verdict:
    """A scenario that the target cannot take: its aims are not applicable for that reason, the rest is neutral."""
    aimed = guarantee.id in plan.aims
    judged = _Judged(NOT_APPLICABLE, plan.not_applicable) if aimed else _Judged(NOT_EXERCISED)
    return _verdict(guarantee, plan, judged, 0.0)


def _judge(connection: duckdb.DuckDBPyConnection, plan: PlanFile, guarantee: Guarantee, facts: _Facts) -> _Judged:
    aimed = guarantee.id in plan.aims
    missing = guarantee.untestable(plan.capabilities or ()) or _missing_capability(plan, guarantee, facts.confirmed)
    if missing:
        return _Judged(NOT_APPLICABLE, missing)
    try:
        if not _applies(connection, guarantee):
            return _Judged(NOT_APPLICABLE, f"{UNMET}{' '.join(guarantee.applies.split())}")
        found = _ask(connection, guarantee, facts.absent)
        if not guarantee.promised:
            return _seen(connection, found, _figures(connection, guarantee))
        return _choose(connection, plan, guarantee, facts.confirmed, found)
    except (duckdb.Error, SpecsError) as error:
        reason = f"{HARNESS_ERROR}a query of {guarantee.id} failed: {str(error).strip()}"
        return _Judged(INCONCLUSIVE if aimed else NOT_EXERCISED, reason)


def _missing_capability(plan: PlanFile, guarantee: Guarantee, confirmed: frozenset[str]) -> str:
    """Why this target cannot exercise the guarantee; empty when it can, or when a fault it needs happened anyway."""
    if not guarantee.needs or plan.capabilities is None or confirmed & set(guarantee.needs):
        return ""
    for kind in guarantee.needs:
        if plan.capabilities & set(ENABLED_BY.get(kind, (kind,))):
            return ""
    faults = ", ".join(guarantee.needs)
    return f"{plan.target} cannot be given any of the faults it needs ({faults}); run it on a target that can"


def _applies(connection: duckdb.DuckDBPyConnection, guarantee: Guarantee) -> bool:
    if guarantee.applies == ALWAYS:
        return True
    row = connection.execute(ready(condition(guarantee)).text).fetchone()
    return bool(row is not None and row[0])


def _ask(connection: duckdb.DuckDBPyConnection, guarantee: Guarantee, absent: frozenset[Filter]) -> _Findings:
    found = _Findings()
    counted = _run(connection, exercised(guarantee), absent)
    row = counted.fetchone() if counted else None
    found.exercised = int(row[0] or 0) if row else 0
    accusing = _run(connection, violations(guarantee), absent)
    if accusing:
        found.columns = tuple(item[0] for item in accusing.description)
        found.rows = accusing.fetchall()
    if not guarantee.inconclusive or found.rows:
        return found
    doubting = _run(connection, inconclusive(guarantee), absent)
    if doubting:
        columns = [item[0] for item in doubting.description]
        found.undecided = [dict(zip(columns, row, strict=True)) for row in doubting.fetchall()]
    return found


def _run(
    connection: duckdb.DuckDBPyConnection, asked: Asked, absent: frozenset[Filter]
) -> duckdb.DuckDBPyConnection | None:
    """The result of a query; None when it surely brings nothing."""
    query = ready(asked)
    if brings_nothing(query.ways, absent):
        return None
    return connection.execute(narrowed(query, absent))


def _figures(connection: duckdb.DuckDBPyConnection, guarantee: Guarantee) -> list[str]:
    if not guarantee.figures:
        return []
    return [str(row[0]) for row in connection.execute(ready(figures(guarantee)).text).fetchall()]


def _seen(connection: duckdb.DuckDBPyConnection, found: _Findings, figures: Sequence[str]) -> _Judged:
    """A NOT-PROMISED entry is counted, never judged; ``exercised`` is how often it was seen."""
    total = len(found.rows)
    evidence = tuple(condense(connection, found.columns, found.rows)) if total else ()
    reason = "; ".join((f"not promised: seen {total} times among {found.exercised}", *figures))
    return _Judged(NOT_APPLICABLE, reason, total, total, evidence)


def _choose(
    connection: duckdb.DuckDBPyConnection,
    plan: PlanFile,
    guarantee: Guarantee,
    confirmed: frozenset[str],
    found: _Findings,
) -> _Judged:
    aimed = guarantee.id in plan.aims
    if found.rows:
        total = len(found.rows)
        evidence = tuple(condense(connection, found.columns, found.rows))
        places = by_place(found.columns, found.rows)
        reason = f"{total} rows of evidence" + (f" ({places})" if places else "")
        if plan.harness_error:
            reason = f"{HARNESS_ERROR}{plan.harness_error} (and {reason}, which prove nothing while the kit fails)"
            return _Judged(INCONCLUSIVE, reason, found.exercised, total, evidence)
        return _Judged(VIOLATED, reason, found.exercised, total, evidence)
    if not aimed:
        return _unaimed(guarantee, confirmed, found)
    doubt = _doubt(connection, plan, guarantee, confirmed, found)
    if doubt:
        return _Judged(INCONCLUSIVE, doubt, found.exercised)
    return _Judged(HELD, "", found.exercised)


def _doubt(
    connection: duckdb.DuckDBPyConnection,
    plan: PlanFile,
    guarantee: Guarantee,
    confirmed: frozenset[str],
    found: _Findings,
) -> str:
    """Why an aimed-at pair without violation is not held; empty when it is."""
    if plan.harness_error:
        return f"{HARNESS_ERROR}{plan.harness_error}"
    if found.undecided:
        return _undecided(found.undecided)
    if guarantee.needs and not confirmed & set(guarantee.needs):
        return f"none of the faults it needs ({', '.join(guarantee.needs)}) had a confirmed effect"
    if found.exercised < guarantee.enough:
        text = f"too little happened: {found.exercised} of the {guarantee.enough} pieces of evidence it needs"
        return text + _worst_stall(connection)
    return ""


def _worst_stall(connection: duckdb.DuckDBPyConnection) -> str:
    """The longest stall of the run as the end of a reason, where there was one; how much stalled in all beside it."""
    row = connection.execute(
        "SELECT arg_max(coalesce(part, process), ended - began), max(ended - began) // 1000000, "
        "sum(ended - began) // 1000000 FROM stalls"
    ).fetchone()
    if row is None or row[0] is None:
        return ""
    return f"; longest stall: {row[0]} {row[1]} ms, all together {row[2]} ms"


def _unaimed(guarantee: Guarantee, confirmed: frozenset[str], found: _Findings) -> _Judged:
    """Not aimed at: enough evidence makes it held, less is neutral; doubts are told, and stay neutral too."""
    if found.undecided:
        return _Judged(NOT_EXERCISED, _undecided(found.undecided), found.exercised)
    if guarantee.needs and not confirmed & set(guarantee.needs):
        return _Judged(NOT_EXERCISED, "", found.exercised)
    if found.exercised < guarantee.enough:
        reason = f"{found.exercised} of {guarantee.enough} pieces of evidence" if found.exercised else ""
        return _Judged(NOT_EXERCISED, reason, found.exercised)
    return _Judged(HELD, "", found.exercised)


def _undecided(rows: Sequence[dict[str, Any]]) -> str:
    first = rows[0]
    text = str(first["reason"]) if first.get("reason") else ", ".join(f"{k}={v}" for k, v in first.items())
    return text + (f" (and {len(rows) - 1} more)" if len(rows) > 1 else "")
