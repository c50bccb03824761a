"""mqcheck.rocketmq.checks: what real brokers ask, and what cannot be read."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from mqcheck.errors import FrameError
from mqcheck.rocketmq.checks import parse_check
from mqcheck.rocketmq.digests import digest
from mqcheck.rocketmq.frame import Command, FrameReader
from mqcheck.rocketmq.message import decode_record, encode_properties, encode_record

GOLDEN = Path(__file__).parents[2] / "golden" / "frames.jsonl"
FRAMES = {line["id"]: line for line in map(json.loads, GOLDEN.read_text(encoding="utf-8").splitlines())}


def recorded(version: str) -> Command:
    (command,) = FrameReader().feed(bytes.fromhex(FRAMES[f"{version}-check_transaction_state-req"]["hex"]))
    return command


def with_properties(command: Command, **changes: str) -> Command:
    record = decode_record(command.body)
    properties = {**record.properties, **changes}
    raw = encode_properties(properties)
    return replace(command, body=encode_record(replace(record, properties=properties, raw_properties=raw)))


@pytest.mark.parametrize("version", ["4.9.7", "5.4.0"])
def test_a_recorded_check(version: str) -> None:
    command = recorded(version)
    check = parse_check(command, "run")
    record = decode_record(command.body)
    assert check.group == record.properties["PGROUP"] != ""
    assert check.unique_key == record.properties["UNIQ_KEY"] == command.fields["transactionId"]
    assert (check.half_offset, check.physical_offset) == (record.queue_offset, record.physical_offset)
    assert check.check_times == int(record.properties["TRANSACTION_CHECK_TIMES"])
    assert check.body_digest == digest(b"half-immune")
    assert check.message is None


def test_it_names_the_message_of_its_run() -> None:
    command = with_properties(recorded("4.9.7"), MQC="run.17.0", TRANSACTION_CHECK_TIMES="often")
    check = parse_check(command, "run")
    assert (check.message, check.check_times) == (17, None)
    assert parse_check(command, "other").message is None


@pytest.mark.parametrize("field", ["transactionId", "msgId"])
def test_the_key_is_the_header_s_where_there_is_one(field: str) -> None:
    command = recorded("4.9.7")
    fields = {name: value for name, value in command.fields.items() if name not in ("transactionId", "msgId")}
    assert parse_check(replace(command, fields={**fields, field: "KEY"}), "run").unique_key == "KEY"
    assert parse_check(replace(command, fields=fields), "run").unique_key == "7F0000010001AAAABBBBCCCCDDDD00A2"


@pytest.mark.parametrize("field", ["tranStateTableOffset", "commitLogOffset"])
def test_a_check_without_its_place_cannot_be_read(field: str) -> None:
    command = recorded("5.4.0")
    with pytest.raises(FrameError, match="no numbers"):
        parse_check(replace(command, fields={**command.fields, field: "-1"}), "run")


def test_a_check_without_its_message_cannot_be_read() -> None:
    with pytest.raises(FrameError):
        parse_check(replace(recorded("5.4.0"), body=b"\0" * 8), "run")
