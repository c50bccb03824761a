"""``timeline.json`` in a history folder: made when the history is judged, read when a report is."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import duckdb

from mqcheck.errors import HistoryError
from mqcheck.history.parquet import load_parquet
from mqcheck.timeline.budget import SCENARIO_BYTES_MAX, encoded, fitted
from mqcheck.timeline.lanes import lanes
from mqcheck.timeline.lives import lives
from mqcheck.timeline.orders import orders
from mqcheck.timeline.series import figures, series
from mqcheck.timeline.span import span_of

FORMAT: Final = 1
"""Of timeline.json; a file of another format is made again."""
TIMELINE_FILE: Final = "timeline.json"


def make_timeline(connection: duckdb.DuckDBPyConnection, evidence: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Everything that a report draws of a loaded history; ``evidence``: rows whose ``message`` or ``op`` it must have.

    Needs the recorded tables alone, no facts. Raises duckdb.Error.
    """
    rows = list(evidence)
    span = span_of(connection)
    bars, bars_cut = lanes(connection, span)
    pictures, pictures_cut = orders(connection, span)
    told, lives_cut = lives(connection, span, *_named(rows))
    timeline = {
        "format": FORMAT,
        "start_ns": span.start_ns,
        "length_ms": span.length_ms,
        "bucket_ms": span.width_ms,
        "buckets": span.buckets,
        "figures": figures(connection),
        "series": series(connection, span),
        **bars,
        "orders": pictures,
        **told,
        "left_out": {**bars_cut, **pictures_cut, **lives_cut},
    }
    return fitted(timeline, SCENARIO_BYTES_MAX)


def _named(rows: Iterable[Mapping[str, Any]]) -> tuple[list[int], list[int]]:
    """Messages that the rows name, and operations of rows that name none."""
    messages: dict[int, None] = {}
    operations: dict[int, None] = {}
    for row in rows:
        for column, found in (("message", messages), ("op", operations)):
            number = row.get(column)
            if isinstance(number, int) and not isinstance(number, bool):
                found[number] = None
                break
    return list(messages), list(operations)


def write_timeline(
    connection: duckdb.DuckDBPyConnection, folder: Path, evidence: Iterable[Mapping[str, Any]]
) -> dict[str, Any]:
    """Makes a history's timeline and keeps it beside the history. Called by the judge's child, after the verdicts.

    A query that fails leaves a file that says so: a picture decides nothing. Raises OSError.
    """
    try:
        timeline = make_timeline(connection, evidence)
    except duckdb.Error as error:
        timeline = {"format": FORMAT, "trouble": f"no timeline: {str(error).strip()}"}
    temporary = folder / f"{TIMELINE_FILE}.{os.getpid()}"
    temporary.write_text(encoded(timeline), encoding="utf-8", errors="backslashreplace")
    temporary.replace(folder / TIMELINE_FILE)
    return timeline


def read_timeline(folder: Path) -> dict[str, Any] | None:
    """A history's timeline; None where there is none of this format."""
    try:
        timeline = json.loads((folder / TIMELINE_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return timeline if isinstance(timeline, dict) and timeline.get("format") == FORMAT else None


def timeline_of(folder: Path, evidence: Iterable[Mapping[str, Any]]) -> dict[str, Any] | None:
    """A history's timeline, made from its tables where it is missing; None where there are no tables either.

    Called for runs that were recorded before there were timelines, or whose timelines were deleted.
    """
    found = read_timeline(folder)
    if found is not None or not (folder / "tables").is_dir():
        return found
    connection = duckdb.connect(":memory:")
    try:
        load_parquet(connection, folder / "tables")
        return write_timeline(connection, folder, evidence)
    except HistoryError as error:
        return {"format": FORMAT, "trouble": f"no timeline: {error}"}
    finally:
        connection.close()
