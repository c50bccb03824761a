"""The damaged record behind a log's last whole one: what comes next, and not whole."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from mqcheck.errors import FaultError
from mqcheck.rocketmq.survey import last_record_in, records_in
from mqcheck.rocketmq.tail import BODY_LENGTH_AT, QUEUE_OFFSET_AT, Spoil, bad_record, spoil_log
from reference_impl.message import Message, encode_record

HOWS: tuple[Spoil, ...] = ("flip", "torn", "cut")


def a_log(*bodies: bytes) -> bytes:
    log = b""
    for number, body in enumerate(bodies):
        message = Message("T", 0, body, {"KEYS": "k"}, 0, 0, 1_700_000_000_000, ("127.0.0.1", 4000))
        log += encode_record(
            message,
            queue_offset=number,
            physical_offset=len(log),
            store_time_ms=1_700_000_000_000,
            store_host=("127.0.0.1", 10911),
        )
    return log


@pytest.mark.parametrize("body", [b"some body", b""], ids=["body", "empty"])
@pytest.mark.parametrize("how", HOWS)
def test_it_is_the_next_record_and_not_whole(how: Spoil, body: bytes) -> None:
    log = a_log(b"first", body)
    last = last_record_in(log)
    assert last is not None
    found = bad_record(log, random.Random(1), how)
    assert found is not None
    at, data = found
    assert at == len(log) == sum(last)
    assert int.from_bytes(data[QUEUE_OFFSET_AT : QUEUE_OFFSET_AT + 8]) == 2
    assert int.from_bytes(data[QUEUE_OFFSET_AT + 8 : QUEUE_OFFSET_AT + 16]) == len(log)
    assert len(list(records_in(log + data))) == 2
    assert len(data) == (last[1] if how != "cut" else int(last[1] * 0.6))
    if how == "torn":
        assert data.endswith(bytes(last[1] - int(last[1] * 0.6)))


def test_one_bit_of_the_body_is_wrong() -> None:
    log = a_log(b"some body")
    found = bad_record(log, random.Random(3), "flip")
    assert found is not None
    body = slice(BODY_LENGTH_AT + 4, BODY_LENGTH_AT + 4 + len(b"some body"))
    wrong = int.from_bytes(found[1][body]) ^ int.from_bytes(b"some body")
    assert wrong.bit_count() == 1


def test_a_file_without_a_record_has_no_next_one() -> None:
    assert bad_record(b"", random.Random(1), "flip") is None
    assert bad_record(bytes(300), random.Random(1), "flip") is None


def test_it_is_put_behind_the_last_record_of_the_newest_file_with_one(tmp_path: Path) -> None:
    log = a_log(b"first", b"second")
    (tmp_path / "00000000000000000000").write_bytes(log + bytes(1000))
    (tmp_path / "00000000000000001000").write_bytes(bytes(1000))
    effect = spoil_log(tmp_path, random.Random(1), "flip")
    written = (tmp_path / "00000000000000000000").read_bytes()
    assert written[: len(log)] == log
    assert len(written) == len(log) + 1000
    assert written[len(log) : len(log) + effect["bytes_written"]].strip(b"\0")
    assert effect["how"] == "flip"


def test_a_log_without_records_cannot_be_damaged(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(FaultError, match="no record"):
            spoil_log(folder, random.Random(1), "cut")
