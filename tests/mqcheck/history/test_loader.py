"""The loader against streams that are whole, torn, damaged, headless, or of several hosts."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mqcheck.errors import HistoryError, StreamError
from mqcheck.history import loader
from mqcheck.history.loader import load, load_tables

Line = dict[str, Any]


def header(process: str = "kit", number: int = 0, life: int = 0, **columns: Any) -> Line:
    line = {"e": "streams", "t": 1, "format": 1, "run": "r", "process": process, "number": number, "life": life}
    return {**line, "pid": 7, "boot": "boot-1", "wall_ns": 5, **columns}


def write(folder: Path, name: str, lines: list[Line], *, tail: bytes = b"", closed: bool = True) -> Path:
    events = folder / "events"
    events.mkdir(exist_ok=True)
    if closed:
        lines = [*lines, {"e": "streams", "w": "e", "t": 99, "lines": len(lines) + 1}]
    path = events / f"{name}.jsonl"
    path.write_bytes(b"".join(json.dumps(line, separators=(",", ":")).encode() + b"\n" for line in lines) + tail)
    return path


def began(op: int, t: int, table: str = "sends", **columns: Any) -> Line:
    return {"e": table, "w": "b", "t": t, "op": op, **columns}


def ended(op: int, t: int, table: str = "sends", **columns: Any) -> Line:
    return {"e": table, "w": "e", "t": t, "op": op, **columns}


def rows(folder: Path, query: str) -> list[tuple[Any, ...]]:
    connection = load(folder)
    try:
        found: list[tuple[Any, ...]] = connection.execute(query).fetchall()
    finally:
        connection.close()
    return found


def test_an_operation_gets_both_ends_its_process_and_defaults(tmp_path: Path) -> None:
    lines = [header(), began(1, 10, message=5, topic="t", tag='a"b'), ended(1, 20, outcome="ok", queue_offset=3)]
    write(tmp_path, "kit.0", lines)
    query = """
        SELECT op, process, invoked, returned, outcome, message, tag, queue_offset, delay_level, transactional
        FROM sends
    """
    assert rows(tmp_path, query) == [(1, "kit", 10, 20, "ok", 5, 'a"b', 3, 0, False)]


@pytest.mark.parametrize("end", [[], [ended(1, 20, outcome="unknown")]])
def test_no_answer_and_an_unknown_answer_mean_the_same(tmp_path: Path, end: list[Line]) -> None:
    write(tmp_path, "kit.0", [header(), began(1, 10, message=5), *end])
    assert rows(tmp_path, "SELECT returned, outcome FROM sends") == [(None, "unknown")]


def test_a_torn_tail_is_cut_and_the_rest_counts(tmp_path: Path) -> None:
    write(tmp_path, "kit.0", [header(), began(1, 10, message=5)], tail=b'{"e":"sends","w":"e","t":2', closed=False)
    assert rows(tmp_path, "SELECT message, outcome FROM sends") == [(5, "unknown")]
    assert rows(tmp_path, "SELECT complete, lines FROM streams") == [(False, 2)]


@pytest.mark.parametrize(
    ("tail", "what"),
    [
        (b"garbage\n", "kit.0.jsonl:3: not a line"),
        (b'{"e":"sends","t":broken}\n', "kit.0.jsonl:3: not a line of JSON"),
        (b'{"e":"nonsense","t":1,"op":3}\n', "no table is called 'nonsense'"),
        (b'{"e":"sends","w":"e","t":1,"op":77}\n', "operation 77 ended but never began"),
        (b'{"e":"deliveries","w":"e","t":1,"op":77}\n', "operation 77 ended but never began"),
    ],
)
def test_a_bad_line_is_a_harness_error_that_names_it(tmp_path: Path, tail: bytes, what: str) -> None:
    write(tmp_path, "kit.0", [header(), began(1, 10)], tail=tail, closed=False)
    with pytest.raises(StreamError, match=what):
        load(tmp_path)


def test_an_operation_cannot_end_twice(tmp_path: Path) -> None:
    write(tmp_path, "kit.0", [header(), began(1, 10), ended(1, 11), ended(1, 12)])
    with pytest.raises(StreamError, match="operation 1 ended twice"):
        load(tmp_path)


@settings(max_examples=30)
@given(
    whole=st.integers(min_value=0, max_value=2),
    begins=st.sets(st.integers(min_value=1, max_value=4), max_size=4),
    ends=st.lists(st.tuples(st.integers(min_value=1, max_value=4), st.sampled_from(["ok", "unknown"])), max_size=4),
)
def test_ends_and_beginnings_have_to_agree(whole: int, begins: set[int], ends: list[tuple[int, str]]) -> None:
    """However many of them cancel each other out in number."""
    lines = [header(), *({"e": "sends", "t": 9, "op": 90 + number} for number in range(whole))]
    lines += [began(op, 10) for op in sorted(begins)]
    lines += [ended(op, 20 + place, outcome=outcome) for place, (op, outcome) in enumerate(ends)]
    counts = Counter(op for op, _ in ends)
    with tempfile.TemporaryDirectory() as name:
        write(Path(name), "kit.0", lines)
        if all(op in begins and count == 1 for op, count in counts.items()):
            load_tables(Path(name)).close()
        else:
            with pytest.raises(StreamError, match=r"ended twice|ended but never began"):
                load_tables(Path(name))


@pytest.mark.parametrize("first", [began(1, 10), {"e": "streams", "t": 1}])
def test_a_stream_without_its_header_is_a_harness_error(tmp_path: Path, first: Line) -> None:
    write(tmp_path, "kit.0", [first], closed=False)
    with pytest.raises(StreamError, match="lacks its header"):
        load(tmp_path)


def test_a_closing_line_that_counts_more_lines_tells_of_missing_ones(tmp_path: Path) -> None:
    write(tmp_path, "kit.0", [header(), {"e": "streams", "w": "e", "t": 9, "lines": 5}], closed=False)
    with pytest.raises(StreamError, match="counts 5 lines, the file holds 2"):
        load(tmp_path)


def test_another_format_is_the_users_business(tmp_path: Path) -> None:
    write(tmp_path, "kit.0", [header(format=2)])
    with pytest.raises(HistoryError, match="format 2"):
        load(tmp_path)


def test_a_folder_without_events_is_no_history(tmp_path: Path) -> None:
    with pytest.raises(HistoryError, match="is no history"):
        load(tmp_path)


def test_a_life_that_is_missing_is_a_harness_error(tmp_path: Path) -> None:
    write(tmp_path, "c.0", [header("c", 1)])
    write(tmp_path, "c.2", [header("c", 2, life=2)])
    with pytest.raises(StreamError, match=r"lives \[0, 2\]"):
        load(tmp_path)


def test_a_restarted_process_keeps_its_name(tmp_path: Path) -> None:
    write(tmp_path, "c.0", [header("c", 1), began(1, 10, message=1)], closed=False)
    write(tmp_path, "c.1", [header("c", 1, life=1), began(2, 20, message=2)])
    assert rows(tmp_path, "SELECT process, message FROM sends ORDER BY op") == [("c", 1), ("c", 2)]


def test_entries_of_the_harness_grow_and_later_values_win(tmp_path: Path) -> None:
    lines = [
        header(),
        began(1, 10, "faults", kind="kill", node="broker-a", began=10),
        ended(1, 11, "faults", active=11, effect='{"a":1}'),
        ended(1, 12, "faults", healing=12),
        ended(1, 12, "faults", healed=13, confirmed=True, effect={"a": 2}),
    ]
    write(tmp_path, "kit.0", lines)
    query = "SELECT kind, node, began, active, healing, healed, confirmed, effect FROM faults"
    assert rows(tmp_path, query) == [("kill", "broker-a", 10, 11, 12, 13, True, '{"a":2}')]


def test_stalls_know_their_process(tmp_path: Path) -> None:
    write(tmp_path, "c.0", [header("c", 1), {"e": "stalls", "t": 9, "op": 1, "began": 5, "ended": 9}])
    assert rows(tmp_path, "SELECT process, began, ended FROM stalls") == [("c", 5, 9)]


def test_two_boots_cannot_be_compared_without_pings(tmp_path: Path) -> None:
    write(tmp_path, "kit.0", [header()])
    write(tmp_path, "far.0", [header("far", 1, boot="boot-2")])
    with pytest.raises(StreamError, match="no clocks point compares them"):
        load(tmp_path)


def test_two_boots_with_pings_are_shifted_and_widen_every_tolerance(tmp_path: Path) -> None:
    points = [
        {"e": "clocks", "t": 2, "op": 90, "boot": "boot-2", "offset_ns": 1_000, "error_ns": 7},
        {"e": "clocks", "t": 3, "op": 91, "boot": "boot-2", "offset_ns": 1_004, "error_ns": 5},
    ]
    write(tmp_path, "kit.0", [header(), *points])
    far = [header("far", 1, boot="boot-2"), began(1, 1_504, message=1), ended(1, 1_604)]
    far.append({"e": "deliveries", "t": 1_704, "op": 2, "received": 1_703})
    write(tmp_path, "far.0", far)
    assert rows(tmp_path, "SELECT invoked, returned FROM sends") == [(500, 600)]
    assert rows(tmp_path, "SELECT t, received FROM deliveries") == [(700, 699)]
    assert rows(tmp_path, "SELECT error_ns FROM clock_error") == [(11,)]


def test_a_known_broker_that_an_answer_does_not_list_is_a_row(tmp_path: Path) -> None:
    lines = [
        header(),
        began(1, 1, "nodes", node="broker-a", role="broker", broker="broker-a", broker_id=0, life=0, spawned=1),
        began(2, 10, "routes", nameserver="nameserver-1", topic="t", broker="broker-b"),
        ended(2, 20, "routes", outcome="ok", code=0, listed=True),
        began(3, 30, "routes", nameserver="nameserver-1", topic="t"),
        ended(3, 40, "routes", outcome="ok", code=17),
        began(4, 50, "routes", nameserver="nameserver-1", topic="t", broker="broker-a"),
    ]
    write(tmp_path, "kit.0", lines)
    query = "SELECT invoked, broker, listed FROM routes WHERE returned IS NOT NULL ORDER BY invoked, broker"
    assert rows(tmp_path, query) == [
        (10, "broker-a", False),
        (10, "broker-b", True),
        (30, "broker-a", False),
        (30, "broker-b", False),
        (30, None, False),
    ]
    assert rows(tmp_path, "SELECT listed FROM routes WHERE returned IS NULL") == [(None,)]


def test_only_the_tables_asked_for_are_made(tmp_path: Path) -> None:
    write(tmp_path, "kit.0", [header(), began(1, 10, message=5), began(2, 11, "attempts", message=5)])
    connection = load_tables(tmp_path, names=["sends"])
    made = {row[0] for row in connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()}
    assert made == {"streams", "clock_error", "sends"}
    assert connection.execute("SELECT message FROM sends").fetchall() == [(5,)]
    connection.close()


def test_a_large_history_has_two_threads_and_a_limit_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, "kit.0", [header(), began(1, 10, message=5, topic="t"), ended(1, 13, outcome="ok")])
    settings = "SELECT current_setting('threads'), current_setting('memory_limit'), current_setting('temp_directory')"
    (before,) = rows(tmp_path, settings)
    assert before[0] == 1
    monkeypatch.setattr(loader, "ONE_THREAD_LINES_MAX", 3)
    monkeypatch.setattr(loader, "MEMORY_BYTES_MIN", 200_000_000)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "spilled"))
    (tmp_path / "spilled").mkdir()
    connection = load(tmp_path)
    (now,) = connection.execute(settings).fetchall()
    assert now == (2, "190.7 MiB", now[2])
    connection.execute("CREATE TABLE many AS SELECT range AS n, hash(range) AS h FROM range(16000000)")
    assert Path(now[2]).is_dir(), "parts of it are on the disk"
    connection.close()
    assert list((tmp_path / "spilled").iterdir()) == []
