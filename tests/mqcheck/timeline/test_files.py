"""timeline.json: made once, read again, made from tables where it is missing, and never the judge's trouble."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb

from mqcheck.history.parquet import write_parquet
from mqcheck.timeline.files import FORMAT, TIMELINE_FILE, make_timeline, read_timeline, timeline_of, write_timeline


def test_it_is_read_as_it_was_written(history: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    written = write_timeline(history, tmp_path, [{"message": 12}, {"op": 104, "message": None}])
    assert read_timeline(tmp_path) == json.loads(json.dumps(written))
    assert written["evidence"] == [12]
    assert written["figures"]["sends"] == 6
    assert not list(tmp_path.glob(f"{TIMELINE_FILE}.*"))


def test_where_there_is_none_it_is_made_from_the_tables(history: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    assert timeline_of(tmp_path, []) is None
    write_parquet(history, tmp_path)
    made = timeline_of(tmp_path, [{"message": 12}])
    assert made is not None
    assert made == json.loads(json.dumps(make_timeline(history, [{"message": 12}])))
    assert read_timeline(tmp_path) == made


def test_another_format_counts_for_none(history: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    (tmp_path / TIMELINE_FILE).write_text(json.dumps({"format": FORMAT + 1}))
    assert read_timeline(tmp_path) is None
    write_parquet(history, tmp_path)
    assert (timeline_of(tmp_path, []) or {})["format"] == FORMAT
    (tmp_path / TIMELINE_FILE).write_text("{")
    assert read_timeline(tmp_path) is None


def test_a_query_that_fails_is_told_and_raises_nothing(history: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    history.execute("DROP TABLE deliveries")
    assert "deliveries" in write_timeline(history, tmp_path, [])["trouble"]
    assert "trouble" in (read_timeline(tmp_path) or {})


def test_a_damaged_folder_of_tables_is_told(history: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    write_parquet(history, tmp_path)
    (tmp_path / "tables" / "sends.parquet").unlink()
    assert "sends.parquet is missing" in (timeline_of(tmp_path, []) or {})["trouble"]


def test_texts_that_are_no_unicode_can_be_written(history: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    history.execute("UPDATE sends SET keys = '</script><script>alert(1)</script>'")
    written = write_timeline(history, tmp_path, [])
    assert "</script>" in written["messages"]["11"]["head"]["keys"]
