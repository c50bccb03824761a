"""mqcheck.rocketmq.message: recorded records, round trips, damage."""

from __future__ import annotations

import ipaddress
import json
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mqcheck.errors import FrameError
from mqcheck.rocketmq import message
from mqcheck.rocketmq.message import (
    MAGIC_V2,
    BatchMember,
    StoredRecord,
    content,
    decode_batch,
    decode_properties,
    decode_record,
    decode_records,
    encode_batch,
    encode_properties,
    encode_record,
    java_hash,
    offset_message_id,
    split_records,
)

GOLDEN = Path(__file__).parents[2] / "golden" / "messages.jsonl"
RECORDS = [json.loads(line) for line in GOLDEN.read_text(encoding="utf-8").splitlines()]

INT64 = st.integers(-(2**63), 2**63 - 1)
WORDS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x01\x02"), min_size=1, max_size=12)
PROPERTIES = st.dictionaries(WORDS, WORDS, max_size=5)
PORTS = st.integers(0, 65535)


@st.composite
def records(draw: st.DrawFn) -> StoredRecord:
    born_v6, store_v6, magic_v2 = draw(st.tuples(st.booleans(), st.booleans(), st.booleans()))
    v4, v6 = st.ip_addresses(v=4).map(str), st.ip_addresses(v=6).map(str)
    properties, body = draw(PROPERTIES), draw(st.binary(max_size=60))
    return StoredRecord(
        topic=draw(st.text("abcXYZ%_-", min_size=1, max_size=127)),
        queue_id=draw(st.integers(0, 2**31 - 1)),
        queue_offset=draw(INT64),
        physical_offset=draw(INT64),
        body=body,
        properties=properties,
        raw_properties=encode_properties(properties),
        flag=draw(st.integers(-(2**31), 2**31 - 1)),
        sys_flag=(0x10 if born_v6 else 0) | (0x20 if store_v6 else 0),
        born_time_ms=draw(INT64),
        born_host=(draw(v6 if born_v6 else v4), draw(PORTS)),
        store_time_ms=draw(INT64),
        store_host=(draw(v6 if store_v6 else v4), draw(PORTS)),
        body_crc=message.body_crc(body),
        reconsume_times=draw(st.integers(0, 16)),
        prepared_offset=draw(INT64),
        magic=MAGIC_V2 if magic_v2 else message.MAGIC_V1,
    )


@pytest.mark.parametrize("line", RECORDS, ids=lambda line: line["id"])
def test_recorded_record(line: dict[str, Any]) -> None:
    data, expect = bytes.fromhex(line["hex"]), line["expect"]
    record = decode_record(data)
    assert len(data) == expect["totalSize"]
    assert f"0x{record.magic:X}" == expect["magicCode"]
    seen = {
        "bodyCRC": record.body_crc,
        "queueId": record.queue_id,
        "flag": record.flag,
        "queueOffset": record.queue_offset,
        "physicalOffset": record.physical_offset,
        "sysFlag": record.sys_flag,
        "bornTimestamp": record.born_time_ms,
        "bornHost": "{}:{}".format(*record.born_host),
        "storeTimestamp": record.store_time_ms,
        "storeHost": "{}:{}".format(*record.store_host),
        "reconsumeTimes": record.reconsume_times,
        "preparedTransactionOffset": record.prepared_offset,
        "topic": record.topic,
        "properties": dict(record.properties),
        "body": record.body.hex(),
        "rawProperties": record.raw_properties.decode(),
        "offsetMsgId": offset_message_id(record.store_host, record.physical_offset),
        "uniqKey": record.properties.get("UNIQ_KEY"),
    }
    assert seen == {name: expect[name] for name in seen}
    assert record.crc_ok
    if "uncompressedBody" in expect:
        body = content(record)
        assert len(body) == expect["uncompressedBody"]["length"]
        assert zlib.crc32(body) == expect["uncompressedBody"]["crc32"]
    assert encode_record(record) == data


@given(records())
def test_what_is_encoded_is_read_again(record: StoredRecord) -> None:
    assert decode_record(encode_record(record)) == record


@given(records(), st.data())
def test_every_truncation_is_refused(record: StoredRecord, data: st.DataObject) -> None:
    whole = encode_record(record)
    with pytest.raises(FrameError):
        decode_record(whole[: data.draw(st.integers(0, len(whole) - 1))])


@given(st.lists(records(), max_size=3))
def test_records_stand_back_to_back(given_records: list[StoredRecord]) -> None:
    assert decode_records(b"".join(map(encode_record, given_records))) == given_records


def test_a_damaged_size_leaves_the_rest_as_one_piece() -> None:
    good = bytes.fromhex(RECORDS[0]["hex"])
    assert split_records(good + b"\x00\x00\x00\x05rest") == [good, b"\x00\x00\x00\x05rest"]
    with pytest.raises(FrameError):
        decode_records(good + b"rest")


def test_bad_magic_and_surplus() -> None:
    data = bytes.fromhex(RECORDS[0]["hex"])
    with pytest.raises(FrameError, match="magic"):
        decode_record(data[:4] + b"\xcb\xd4\x31\x94" + data[8:])
    longer = (len(data) + 1).to_bytes(4, "big") + data[4:] + b"x"
    with pytest.raises(FrameError, match="after its properties"):
        decode_record(longer)


def test_a_changed_body_shows_in_the_crc() -> None:
    record = decode_record(bytes.fromhex(RECORDS[0]["hex"]))
    assert not replace(record, body=record.body + b"x").crc_ok


def test_limits_of_parts() -> None:
    record = decode_record(bytes.fromhex(RECORDS[0]["hex"]))
    with pytest.raises(FrameError, match="topic"):
        encode_record(replace(record, topic="t" * 128))
    with pytest.raises(FrameError, match="properties"):
        encode_record(replace(record, raw_properties=bytes(32_768)))


@pytest.mark.parametrize(("sys_flag", "body"), [(0x101, b"x"), (0x301, b"no zlib"), (0x1, zlib.compress(b"abc")[:-2])])
def test_bodies_that_do_not_unfold(sys_flag: int, body: bytes) -> None:
    record = decode_record(bytes.fromhex(RECORDS[0]["hex"]))
    with pytest.raises(FrameError):
        content(replace(record, sys_flag=sys_flag, body=body))


@given(PROPERTIES)
def test_properties_round_trip(properties: dict[str, str]) -> None:
    raw = encode_properties(properties)
    assert decode_properties(raw) == properties
    assert decode_properties(raw + b"\x02") == properties


def test_properties_that_vanish() -> None:
    assert decode_properties(b"a\x011\x02empty\x01\x02three\x01x\x01y\x02alone") == {"a": "1"}
    with pytest.raises(FrameError):
        decode_properties(b"\xff\x01x")


@given(
    st.lists(
        st.builds(
            BatchMember,
            st.binary(max_size=30),
            PROPERTIES.map(encode_properties),
            st.integers(-(2**31), 2**31 - 1),
        ),
        max_size=4,
    )
)
def test_batch_round_trip(members: list[BatchMember]) -> None:
    assert decode_batch(encode_batch(members)) == members


def test_cut_batch() -> None:
    data = encode_batch([BatchMember(b"abc", b"a\x011")])
    for size in range(1, len(data)):
        with pytest.raises(FrameError):
            decode_batch(data[:size])


@pytest.mark.parametrize(
    ("text", "value"),
    [("", 0), ("TagA", 2598919), ("Aa", 2112), ("BB", 2112), ("polygenelubricants", -(2**31)), ("😀", 1772899)],
)
def test_java_hash(text: str, value: int) -> None:
    assert java_hash(text) == value


def test_ids_of_both_address_families() -> None:
    assert offset_message_id(("127.0.0.1", 10971), 0x651) == "7F00000100002ADB0000000000000651"
    assert len(offset_message_id((str(ipaddress.IPv6Address(1)), 1), 1)) == 56
