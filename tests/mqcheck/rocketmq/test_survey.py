"""Reading the bytes of a log: whole records wherever they stand, nothing else, a row each."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from mqcheck.clock import RealClock
from mqcheck.history.recorder import Recorder
from mqcheck.rocketmq.message import MAGIC_V2, StoredRecord, body_crc, encode_properties, encode_record
from mqcheck.rocketmq.survey import records_below, records_in, survey


def record(number: int, body: bytes = b"body", **changes: object) -> StoredRecord:
    properties = {"MQC": f"r.{number}.0", "UNIQ_KEY": f"U{number}"}
    plain = StoredRecord(
        topic="ledger",
        queue_id=1,
        queue_offset=number,
        physical_offset=100 * number,
        body=body,
        properties=properties,
        raw_properties=encode_properties(properties),
        flag=0,
        sys_flag=0,
        born_time_ms=1,
        born_host=("127.0.0.1", 1),
        store_time_ms=2,
        store_host=("127.0.0.1", 2),
        body_crc=body_crc(body),
        reconsume_times=0,
        prepared_offset=0,
    )
    return dataclasses.replace(plain, **changes)  # type: ignore[arg-type]


def test_records_are_found_after_holes_torn_ones_and_blanks(tmp_path: Path) -> None:
    path = tmp_path / "00000000000000000000"
    torn = encode_record(record(2, b"x" * 100))
    damaged = encode_record(record(3, body_crc=7))
    data = [encode_record(record(1)), torn[:80], bytes(5000), damaged, encode_record(record(4, magic=MAGIC_V2))]
    path.write_bytes(b"".join(data) + bytes(100_000))
    assert [found.queue_offset for found in records_in(path.read_bytes())] == [1, 4]
    assert [found.queue_offset for found in records_below(tmp_path)] == [1, 4]


@pytest.mark.parametrize("data", [b"", b"\0\0\0", bytes(1 << 20), bytes.fromhex("daa320a7") * 3])
def test_a_file_without_records_has_none(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "0").write_bytes(data)
    assert list(records_below(tmp_path)) == []


def test_a_record_that_begins_as_another_ends_in_its_body_is_none() -> None:
    inner = encode_record(record(9))
    assert [found.queue_offset for found in records_in(encode_record(record(1, inner)))] == [1]


def test_a_survey_has_a_row_for_each_record(tmp_path: Path) -> None:
    log = tmp_path / "commitlog"
    log.mkdir()
    (log / "0").write_bytes(encode_record(record(1)))
    (log / "4096").write_bytes(encode_record(record(2)))
    recorder = Recorder(tmp_path / "events", run="r", process="kit", number=0, clock=RealClock())
    assert survey(recorder, records_below(log), "broker-a", "broker-a", 3) == 2
    assert survey(recorder, records_below(tmp_path / "gone"), "broker-a", "broker-a", 4) == 0
    recorder.close()
    rows = [json.loads(line) for line in recorder.path.read_text().splitlines()]
    found = [row for row in rows if row["e"] == "surveyed"]
    first = next(row["op"] for row in rows if row["e"] == "surveys")
    assert [(row["parent"], row["message"], row["attempt"], row["unique_key"]) for row in found] == [
        (first, 1, 0, "U1"),
        (first, 2, 0, "U2"),
    ]
    ends = [row for row in rows if row["e"] == "surveys" and row["w"] == "e"]
    assert [(row["outcome"], row["records"]) for row in ends] == [("ok", 2), ("ok", 0)]
