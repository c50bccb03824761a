"""Loads a history folder into DuckDB: streams of JSON lines become the typed tables of ``tables`` and the derived
facts.

One pass in Python routes lines by their first bytes into a temporary file per table, without parsing them; DuckDB then
reads each file with the columns of its table alone. A torn last line is cut; anything else that is not a line of a
stream is a harness error, because a judge that skips lines may judge wrongly.

Nothing here judges: see ``mqcheck.judge``.
"""

from __future__ import annotations

import json
import tempfile
import uuid
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final

import duckdb

from mqcheck.errors import HistoryError, StreamError
from mqcheck.history.facts import make_facts
from mqcheck.history.parquet import load_parquet
from mqcheck.history.rows import create_recorded, create_table
from mqcheck.history.tables import (
    DEFAULTS,
    FACTS,
    OP_ENDED_NEVER,
    STREAM_COLUMNS,
    TABLES,
    TIMES,
    Table,
    column_type,
)

FORMATS: Final = (1,)
"""Versions of the line format that this loader reads."""

ONE_THREAD_LINES_MAX: Final = 200_000
"""Histories up to this many lines are judged on one thread: planning, not data, is their cost (measured; ours)."""

MEMORY_BYTES_MIN: Final = 600_000_000
"""Least that DuckDB may hold of a larger one before it puts parts on the disk (ours): a million operations are judged
no slower with it, in less than a gigabyte all in all."""

MEMORY_BYTES_PER_LINE: Final = 360
"""What it may hold for each line, where that is more (measured; ours): about what tables and facts take."""

LINE_BYTES_MAX: Final = 16 * 1024 * 1024
"""Longest line DuckDB is asked to read; ours: no column holds a message body."""

ROUTED_LINES_MAX: Final = 1 << 16
"""Lines that wait in memory for their tables' files; ours: a dozen megabytes, in few large writes."""

_HEAD: Final = b'{"e":"'
_PARTS: Final = {b',"w":"b"': "b", b',"w":"e"': "e"}


@dataclass(slots=True)
class Stream:
    """One stream's header and what its lines add up to."""

    index: int
    path: Path
    process: str
    number: int
    life: int
    run: str
    format: int
    pid: int | None
    boot: str
    wall_ns: int | None
    t: int
    lines: int = 0
    complete: bool = False
    """The closing line is there: the process ended in an orderly way."""
    shift_ns: int = 0
    """Added to its times: 0 on the host of the first stream."""


@dataclass(slots=True)
class _Routed:
    """Temporary files by (table, part); part is b, e or p (a line without ``w``)."""

    folder: Path
    files: dict[tuple[str, str], BinaryIO] = field(default_factory=dict)
    lines: Counter[tuple[str, str]] = field(default_factory=Counter)
    waiting: dict[tuple[str, str], list[bytes]] = field(default_factory=dict)
    """Lines that are in no file yet."""

    def into(self, table: str, part: str) -> Callable[[bytes], None]:
        """What takes the lines of one file."""
        return self.waiting.setdefault((table, part), []).append

    def flush(self) -> None:
        """Write what waits."""
        for key, lines in self.waiting.items():
            if not lines:
                continue
            file = self.files.get(key)
            if file is None:
                file = self.files[key] = (self.folder / ".".join(key)).open("wb")
            file.write(b"".join(lines))
            self.lines[key] += len(lines)
            lines.clear()

    def close(self) -> None:
        for file in self.files.values():
            file.close()

    def path(self, table: str, part: str) -> Path | None:
        return self.folder / f"{table}.{part}" if (table, part) in self.files else None


def load(folder: Path) -> duckdb.DuckDBPyConnection:
    """All tables and facts of the history in ``folder``, in memory.

    Reads ``events/*.jsonl``, or ``tables/*.parquet`` where no events are. Called by the judge and by
    people's own queries.
    Raises HistoryError (no history here, another format), StreamError (a bad line, a missing header, clocks that
    cannot be compared).
    """
    connection = load_tables(folder)
    make_facts(connection)
    return connection


def load_tables(
    folder: Path, into: duckdb.DuckDBPyConnection | None = None, names: Collection[str] = tuple(TABLES)
) -> duckdb.DuckDBPyConnection:
    """The recorded tables alone, without facts; see ``load``.

    ``into``: a connection whose database is empty; None: a new database in memory. Closed when loading fails.
    ``names``: the tables to be made of events, beside those of the streams themselves; to make ``routes``, ``nodes``
    and ``registrations`` must be there too.
    """
    paths = sorted((folder / "events").glob("*.jsonl"))
    if not paths and (folder / "tables").is_dir():
        return _of_parquet(folder / "tables")
    if not paths:
        raise HistoryError(
            f"{folder} is no history: it has no events/*.jsonl; give the folder history/<scenario> of a run"
        )
    with tempfile.TemporaryDirectory(prefix="mqcheck-load-") as name:
        routed = _Routed(Path(name))
        try:
            streams = [_route(path, index, routed) for index, path in enumerate(paths)]
        finally:
            routed.close()
        _check_lives(streams)
        connection = into or _connect(sum(stream.lines for stream in streams))
        try:
            _make_tables(connection, streams, routed, names)
        except duckdb.Error as error:
            connection.close()
            raise StreamError(_bad_line(paths) or f"{folder}: the tables cannot be made: {error}") from error
        except StreamError:
            connection.close()
            raise
    return connection


def _of_parquet(tables: Path) -> duckdb.DuckDBPyConnection:
    connection = _connect(0)
    try:
        load_parquet(connection, tables)
    except HistoryError:
        connection.close()
        raise
    return connection


def _connect(lines: int) -> duckdb.DuckDBPyConnection:
    config: dict[str, str | bool | int | float | list[str]] = {
        "threads": 1,
        "autoinstall_known_extensions": False,
        "preserve_insertion_order": False,
    }
    if lines > ONE_THREAD_LINES_MAX:
        # DuckDB makes this folder when it needs it, and removes it when the connection ends.
        spill = Path(tempfile.gettempdir()) / f"mqcheck-judge-{uuid.uuid4().hex}"
        limit = max(MEMORY_BYTES_MIN, lines * MEMORY_BYTES_PER_LINE)
        config |= {"threads": 2, "memory_limit": f"{limit}B", "temp_directory": str(spill)}
    return duckdb.connect(":memory:", config=config)


def _route(path: Path, index: int, routed: _Routed) -> Stream:
    """Send the lines of one stream to their tables' files; cut a torn tail, refuse everything else."""
    known: dict[bytes, Callable[[bytes], None]] = {}
    plain = b'{"s":%d,' % index
    with path.open("rb") as file:
        stream = _header(path, index, file.readline())
        for count, line in enumerate(file, 2):
            take = known.get(line[: line.find(b',"t":')])
            if take is not None and line[-2:] == b"}\n":
                take(plain + line[1:])
            elif line[-1:] == b"\n":
                _first_of_its_kind(stream, line, count, routed, known)
            else:
                break
            stream.lines = count
            if count % ROUTED_LINES_MAX == 0:
                routed.flush()
    routed.flush()
    return stream


def _first_of_its_kind(
    stream: Stream, line: bytes, count: int, routed: _Routed, known: dict[bytes, Callable[[bytes], None]]
) -> None:
    """Look closely at a line; most of those that begin like it need no second look, and ``known`` gets what takes
    them.
    """
    name_end = line.find(b'"', 6)
    if line[:6] != _HEAD or line[-2:] != b"}\n" or name_end < 0:
        raise StreamError(
            f"{stream.path}:{count}: not a line of a stream: {line[:60]!r}; the file was damaged after the run"
        )
    name = line[6:name_end].decode("ascii", "replace")
    if name == "streams":
        _closing(stream, line, count)
        return
    table = TABLES.get(name)
    if table is None:
        raise StreamError(f"{stream.path}:{count}: no table is called {name!r}; mqcheck/history/tables.py lists them")
    part = _PARTS.get(line[name_end + 1 : name_end + 9], "p")
    take = routed.into(name, part)
    if table.shape == "life":
        take(b'{"s":%d,"n":%d,' % (stream.index, count) + line[1:])
        return
    take(b'{"s":%d,' % stream.index + line[1:])
    head_end = name_end + 1 if part == "p" else name_end + 9
    if line.startswith(b',"t":', head_end):
        known[line[:head_end]] = take


def _header(path: Path, index: int, line: bytes) -> Stream:
    """The stream that a first line announces."""
    try:
        data = json.loads(line)
        data = {**data, "process": data["process"]} if data["e"] == "streams" else {}
        stream = Stream(
            index=index,
            path=path,
            process=str(data["process"]),
            number=int(data["number"]),
            life=int(data.get("life", 0)),
            run=str(data["run"]),
            format=int(data["format"]),
            pid=data.get("pid"),
            boot=str(data.get("boot", "")),
            wall_ns=data.get("wall_ns"),
            t=int(data["t"]),
            lines=1,
        )
    except (ValueError, KeyError, TypeError) as error:
        raise StreamError(
            f"{path}:1: the stream lacks its header ({error!r}): the process died before it wrote one"
        ) from error
    if stream.format not in FORMATS:
        raise HistoryError(f"{path}: format {stream.format} is not among {FORMATS}; use the mqcheck that recorded it")
    return stream


def _closing(stream: Stream, line: bytes, count: int) -> None:
    try:
        data = json.loads(line)
        said = int(data["lines"])
    except (ValueError, KeyError, TypeError) as error:
        raise StreamError(f"{stream.path}:{count}: a second header or a damaged closing line: {line[:60]!r}") from error
    if said != count:
        raise StreamError(
            f"{stream.path}:{count}: the closing line counts {said} lines, the file holds {count}: lines are missing"
        )
    stream.complete = True


def _check_lives(streams: list[Stream]) -> None:
    """One run, one stream per process and life, no life missing in between."""
    runs = {stream.run for stream in streams}
    if len(runs) > 1:
        raise StreamError(f"streams of several runs in one folder: {', '.join(sorted(runs))}; keep one run per folder")
    lives: dict[str, list[int]] = {}
    for stream in streams:
        lives.setdefault(stream.process, []).append(stream.life)
    for process, seen in lives.items():
        if sorted(seen) != list(range(len(seen))):
            raise StreamError(f"streams of process {process!r} have lives {sorted(seen)}: one is missing or doubled")
    numbers = {(stream.number, stream.life) for stream in streams}
    if len(numbers) != len(streams):
        raise StreamError("two processes recorded under one number: their ids collide; number a run's processes from 0")


def _make_tables(
    connection: duckdb.DuckDBPyConnection, streams: list[Stream], routed: _Routed, names: Collection[str]
) -> None:
    _make_clock_error(connection, streams, routed)
    columns = {column: column_type(column) for column in STREAM_COLUMNS}
    rows = [(stream.index, stream.shift_ns, *(getattr(stream, column) for column in columns)) for stream in streams]
    create_table(connection, "streams", {"s": "INTEGER", "shift_ns": "BIGINT", **columns}, rows)
    shifted = any(stream.shift_ns for stream in streams)
    for name in names:
        _make_table(connection, TABLES[name], routed, shifted=shifted)
    if "routes" in names:
        _add_absent_routes(connection)


def _make_clock_error(connection: duckdb.DuckDBPyConnection, streams: list[Stream], routed: _Routed) -> None:
    """Compare boots; where they differ, ``clocks`` points say how to shift, and their error widens every tolerance."""
    connection.execute("CREATE TABLE clock_error (error_ns BIGINT)")
    boots = {stream.boot for stream in streams if stream.boot}
    error_ns = 0
    if len(boots) > 1:
        known = _clock_offsets(routed)
        home = next((s.boot for s in streams if s.process == "kit"), streams[0].boot)
        for stream in streams:
            if stream.boot in ("", home):
                continue
            if stream.boot not in known:
                raise StreamError(
                    f"{stream.path}: recorded on another boot than {home!r} and no clocks point compares them; "
                    "the controller must exchange pings with every host"
                )
            offset_ns, bound_ns = known[stream.boot]
            stream.shift_ns = -offset_ns
            error_ns = max(error_ns, bound_ns)
    connection.execute(f"INSERT INTO clock_error VALUES ({error_ns:d})")


def _clock_offsets(routed: _Routed) -> dict[str, tuple[int, int]]:
    """Boot → (offset, error bound) by its most exact ``clocks`` point; the bound covers drift from start to end."""
    path = routed.path("clocks", "p")
    best: dict[str, tuple[int, int]] = {}
    rows = [json.loads(line) for line in path.read_bytes().splitlines()] if path else []
    for row in rows:
        offset_ns, bound_ns = int(row["offset_ns"]), int(row["error_ns"])
        if row["boot"] not in best or bound_ns < best[row["boot"]][1]:
            best[row["boot"]] = (offset_ns, bound_ns)
    for row in rows:
        offset_ns, bound_ns = best[row["boot"]]
        best[row["boot"]] = (offset_ns, max(bound_ns, abs(int(row["offset_ns"]) - offset_ns) + int(row["error_ns"])))
    return best


def _make_table(connection: duckdb.DuckDBPyConnection, table: Table, routed: _Routed, *, shifted: bool) -> None:
    parts = {part: path for part in "bep" if (path := routed.path(table.name, part))}
    create_recorded(connection, table)
    rows = sum(
        connection.execute(f"INSERT INTO {table.name} {select}").fetchall()[0][0]
        for select in _selects(table, parts, shifted=shifted)
    )
    if table.shape != "life" and "e" in parts and not _adds_up(connection, table, routed, rows):
        _check_ends(connection, table, parts)


def _adds_up(connection: duckdb.DuckDBPyConnection, table: Table, routed: _Routed, rows: int) -> bool:
    """Every beginning made one row and every end ended one. If not, something may be wrong; reading again tells."""
    if table.shape != "span":
        return False
    begins, ends, whole = (routed.lines[table.name, part] for part in "bep")
    ended = connection.execute(f"SELECT count(returned) FROM {table.name}").fetchall()[0][0]
    return (rows, ended) == (begins + whole, ends + whole)


def _selects(table: Table, parts: dict[str, Path], *, shifted: bool) -> Iterator[str]:
    """The queries that fill a table from its temporary files."""
    stamp = " + s.shift_ns" if shifted else ""
    streams = "JOIN streams s ON s.s = b.s"
    if table.shape == "life":
        if not parts:
            return
        union = " UNION ALL ".join(f"SELECT * FROM {_read(table, path)}" for path in parts.values())
        values = ", ".join(_shift(f"arg_max(b.{column}, b.n)", column, stamp) for column in table.columns)
        group = "b.op, s.shift_ns" if stamp else "b.op"
        yield f"SELECT b.op, any_value(s.process), {values} FROM ({union}) b {streams} GROUP BY {group}"
        return
    if "p" in parts:
        values = ", ".join(_value(column, f"b.{column}", stamp) for column in table.columns)
        stamps = f"b.t{stamp}" if table.shape == "point" else f"b.t{stamp}, b.t{stamp}, coalesce(b.outcome, 'ok')"
        yield f"SELECT b.op, s.process, {stamps}, {values} FROM {_read(table, parts['p'])} b {streams}"
    if "b" in parts and "e" in parts:
        outcome = f"coalesce(e.outcome, CASE WHEN e.op IS NULL THEN '{OP_ENDED_NEVER}' ELSE 'ok' END)"
        values = ", ".join(_value(column, f"coalesce(e.{column}, b.{column})", stamp) for column in table.columns)
        yield (
            f"SELECT b.op, s.process, b.t{stamp}, CASE WHEN {outcome} <> '{OP_ENDED_NEVER}' THEN e.t{stamp} END, "
            f"{outcome}, {values} "
            f"FROM {_read(table, parts['b'])} b {streams} LEFT JOIN {_read(table, parts['e'])} e ON e.op = b.op"
        )
    elif "b" in parts:
        values = ", ".join(_value(column, f"b.{column}", stamp) for column in table.columns)
        yield (
            f"SELECT b.op, s.process, b.t{stamp}, NULL, '{OP_ENDED_NEVER}', {values} "
            f"FROM {_read(table, parts['b'])} b {streams}"
        )


def _value(column: str, expression: str, stamp: str) -> str:
    default = DEFAULTS.get(column)
    return _shift(f"coalesce({expression}, {default})" if default else expression, column, stamp)


def _shift(expression: str, column: str, stamp: str) -> str:
    return f"{expression}{stamp}" if column in TIMES else expression


def _read(table: Table, path: Path) -> str:
    columns = ["s", *(["n"] if table.shape == "life" else []), "t", "op", *table.stream_columns()]
    types = {"s": "INTEGER", "n": "BIGINT"}
    typed = ", ".join(f"'{column}': '{types.get(column) or column_type(column)}'" for column in columns)
    quoted = str(path).replace("'", "''")
    return (
        f"read_json('{quoted}', format = 'newline_delimited', columns = {{{typed}}}, "
        f"maximum_object_size = {LINE_BYTES_MAX})"
    )


def _check_ends(connection: duckdb.DuckDBPyConnection, table: Table, parts: dict[str, Path]) -> None:
    """Every end has one beginning, and no operation ends twice."""
    ends = f"(SELECT op, count(*) AS n FROM {_read(table, parts['e'])} GROUP BY op)"
    begins = f"SELECT op FROM {_read(table, parts['b'])}" if "b" in parts else "SELECT 0 WHERE FALSE"
    row = connection.execute(f"SELECT min(op), max(n) FROM {ends} e WHERE n > 1 OR op NOT IN ({begins})").fetchone()
    if row is not None and row[0] is not None:
        what = "ended twice" if row[1] > 1 else "ended but never began"
        raise StreamError(
            f"{table.name}: operation {row[0]} {what}: the recorder was used wrongly or lines are missing"
        )


def _add_absent_routes(connection: duckdb.DuckDBPyConnection) -> None:
    """Absence is a row: a known broker that a route answer does not list gets ``listed = false``."""
    connection.execute("UPDATE routes SET listed = FALSE WHERE broker IS NULL AND returned IS NOT NULL")
    connection.execute(
        """
        INSERT INTO routes (op, process, invoked, returned, outcome, nameserver, topic, listed, broker, code)
        SELECT a.op, a.process, a.invoked, a.returned, a.outcome, a.nameserver, a.topic, FALSE, k.broker, a.code
        FROM (
            SELECT min(op) AS op, process, invoked, returned, any_value(outcome) AS outcome, nameserver, topic, code
            FROM routes WHERE returned IS NOT NULL AND code IN (0, 17)
            GROUP BY process, invoked, returned, nameserver, topic, code
        ) a
        CROSS JOIN (
            SELECT broker FROM nodes WHERE role = 'broker' AND broker IS NOT NULL
            UNION SELECT broker FROM registrations WHERE broker IS NOT NULL
            UNION SELECT broker FROM routes WHERE broker IS NOT NULL
        ) k
        LEFT JOIN routes r ON r.process = a.process AND r.invoked = a.invoked AND r.nameserver = a.nameserver
            AND r.topic = a.topic AND r.broker = k.broker
        WHERE r.op IS NULL
        """
    )


def _bad_line(paths: list[Path]) -> str | None:
    """The first line of the streams that is no JSON object, for a message that names it."""
    for path in paths:
        with path.open("rb") as file:
            for count, line in enumerate(file, 1):
                try:
                    if line.endswith(b"\n"):
                        dict(json.loads(line))
                except (ValueError, TypeError) as error:
                    return f"{path}:{count}: not a line of JSON ({error}): {line[:60]!r}; damaged after the run"
    return None


__all__ = ["FACTS", "load", "load_tables"]
