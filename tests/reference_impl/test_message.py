"""Records: the recorded bytes, round trips, every truncation, batches, ids, hashes."""

from __future__ import annotations

import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_impl.errors import RecordError
from reference_impl.frame import FrameReader
from reference_impl.message import (
    MAGIC_BLANK,
    MAGIC_V2,
    BatchItem,
    Message,
    Record,
    body_crc,
    decode_batch,
    decode_offset_message_id,
    decode_properties,
    decode_record,
    encode_batch,
    encode_blank,
    encode_properties,
    encode_record,
    java_hash,
    offset_message_id,
    pack_host,
    peek_record,
    record_size,
)

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x01\x02"), min_size=1, max_size=20)
HOSTS = st.tuples(st.sampled_from(["127.0.0.1", "10.1.2.3", "::1", "2001:db8::7"]), st.integers(0, 65535))
MESSAGES = st.builds(
    Message,
    topic=st.text("abc%_-é", min_size=1, max_size=150),
    queue_id=st.integers(0, 1000),
    body=st.binary(max_size=100),
    properties=st.dictionaries(TEXT, TEXT, max_size=4),
    flag=st.integers(-(2**31), 2**31 - 1),
    sys_flag=st.sampled_from([0, 1, 8, 0x301]),
    born_time_ms=st.integers(0, 2**62),
    born_host=HOSTS,
    reconsume_times=st.integers(0, 20),
    prepared_offset=st.integers(0, 2**62),
)


def _encode(message: Message, **changes: Any) -> bytes:
    given_ = {"queue_offset": 3, "physical_offset": 4096, "store_time_ms": 17, "store_host": ("127.0.0.1", 10911)}
    return encode_record(message, **(given_ | changes))


def _host(host: tuple[str, int]) -> str:
    return f"{host[0]}:{host[1]}"


def _shown(record: Record) -> dict[str, Any]:
    return {
        "totalSize": record.size,
        "magicCode": f"0x{record.magic:08X}",
        "bodyCRC": record.crc,
        "queueId": record.queue_id,
        "flag": record.flag,
        "queueOffset": record.queue_offset,
        "physicalOffset": record.physical_offset,
        "sysFlag": record.sys_flag,
        "bornTimestamp": record.born_time_ms,
        "bornHost": _host(record.born_host),
        "storeTimestamp": record.store_time_ms,
        "storeHost": _host(record.store_host),
        "reconsumeTimes": record.reconsume_times,
        "preparedTransactionOffset": record.prepared_offset,
        "topic": record.topic,
        "properties": record.properties,
        "body": record.body.hex(),
        "rawProperties": record.raw_properties.decode(),
        "offsetMsgId": record.offset_message_id,
    }


def test_every_recorded_record_decodes_to_what_was_meant(golden_messages: list[dict[str, Any]]) -> None:
    for line in golden_messages:
        record = decode_record(bytes.fromhex(line["hex"]))
        shown = _shown(record)
        assert shown == {name: line["expect"][name] for name in shown}, line["id"]
        assert record.properties.get("UNIQ_KEY") == line["expect"]["uniqKey"], line["id"]
        if "uncompressedBody" in line["expect"]:
            assert record.sys_flag & 1
            plain = zlib.decompress(record.body)
            shown = {"length": len(plain), "crc32": zlib.crc32(plain), "firstByte": plain[0]}
            assert shown == line["expect"]["uncompressedBody"], line["id"]


def test_every_recorded_record_is_written_back_byte_for_byte(golden_messages: list[dict[str, Any]]) -> None:
    for line in golden_messages:
        data = bytes.fromhex(line["hex"])
        record = decode_record(data)
        again = encode_record(
            record,
            queue_offset=record.queue_offset,
            physical_offset=record.physical_offset,
            store_time_ms=record.store_time_ms,
            store_host=record.store_host,
            properties=record.raw_properties,
        )
        assert again == data, line["id"]


def test_records_in_recorded_frames_stand_back_to_back(golden_frames: list[dict[str, Any]]) -> None:
    seen = 0
    for line in golden_frames:
        for at_expected in [line["expect"]] if "messages" in line["expect"] and line["direction"] == "response" else []:
            body = FrameReader().feed(bytes.fromhex(line["hex"]))[0].body
            at = 0
            for expected in at_expected["messages"]:
                record = decode_record(body, at)
                at += record.size
                seen += 1
                assert record.topic == expected["topic"], line["id"]
                assert record.queue_offset == expected["queueOffset"], line["id"]
            assert at == len(body), line["id"]
    assert seen > 10


def test_recorded_batches_decode(golden_frames: list[dict[str, Any]]) -> None:
    batches = [line for line in golden_frames if "batch" in line["expect"]]
    for line in batches:
        body = FrameReader().feed(bytes.fromhex(line["hex"]))[0].body
        items = decode_batch(body)
        assert len(items) == len(line["expect"]["batch"]), line["id"]
        for item, expected in zip(items, line["expect"]["batch"], strict=True):
            assert item.flag == expected["flag"]
            assert item.body.hex() == expected["body"]
            assert item.properties == expected["properties"]
    assert len(batches) == 2


@given(MESSAGES, HOSTS)
def test_what_is_written_is_read(message: Message, store_host: tuple[str, int]) -> None:
    data = _encode(message, store_host=store_host)
    record = decode_record(data)
    for name in ("topic", "queue_id", "body", "properties", "flag", "born_time_ms", "born_host", "reconsume_times"):
        assert getattr(record, name) == getattr(message, name)
    assert record.store_host == store_host
    assert record.sys_flag & ~0x30 == message.sys_flag
    assert record.size == len(data) == record_size(message, encode_properties(message.properties).encode(), store_host)


@given(MESSAGES, st.data())
def test_a_truncated_record_is_refused(message: Message, data: st.DataObject) -> None:
    whole = _encode(message)
    with pytest.raises(RecordError):
        decode_record(whole[: data.draw(st.integers(0, len(whole) - 1))])


@given(MESSAGES, st.data())
def test_a_changed_byte_is_refused_or_read_without_harm(message: Message, data: st.DataObject) -> None:
    whole = bytearray(_encode(message))
    at = data.draw(st.integers(0, len(whole) - 1))
    whole[at] ^= data.draw(st.integers(1, 255))
    try:
        record = decode_record(bytes(whole))
    except RecordError:
        return
    assert record.body == message.body


@given(st.binary(max_size=200))
def test_garbage_is_refused(data: bytes) -> None:
    with pytest.raises(RecordError):
        decode_record(b"\0\0\0\xc8\xda\xa3\x20\xa7" + data[8:])


def test_a_changed_body_is_seen_unless_told_not_to() -> None:
    data = _encode(Message("T", 0, b"body", {}, 0, 0, 1, ("127.0.0.1", 1)))
    broken = data.replace(b"body", b"bodz")
    with pytest.raises(RecordError, match="checksum"):
        decode_record(broken)
    assert decode_record(broken, check_crc=False).body == b"bodz"


def test_a_topic_beyond_127_bytes_takes_the_second_magic() -> None:
    record = decode_record(_encode(Message("t" * 128, 0, b"", {}, 0, 0, 1, ("127.0.0.1", 1))))
    assert (record.magic, record.topic) == (MAGIC_V2, "t" * 128)


@pytest.mark.parametrize(("topic", "properties"), [("t", {"k": "v" * 32767}), ("t" * 32768, {})])
def test_what_a_length_field_cannot_say_is_refused(topic: str, properties: dict[str, str]) -> None:
    with pytest.raises(RecordError, match="at most 32767 B"):
        _encode(Message(topic, 0, b"", properties, 0, 0, 1, ("127.0.0.1", 1)))


def test_a_blank_is_told_from_a_record() -> None:
    assert peek_record(encode_blank(20)) == (20, MAGIC_BLANK)
    assert encode_blank(5) == bytes(5)
    assert peek_record(encode_blank(5)) == (0, 0)
    with pytest.raises(RecordError, match="no record"):
        decode_record(encode_blank(20))


@pytest.mark.parametrize(
    ("raw", "found"),
    [
        (b"", {}),
        (b"a\x01b", {"a": "b"}),
        ("ключ\x01Wert\x02", {"ключ": "Wert"}),
        (b"a\x01\x02c\x01d\x02", {"c": "d"}),
        (b"a\x01b\x01c\x02d\x01e", {"d": "e"}),
        (b"nothing", {}),
    ],
)
def test_properties_as_4_9_reads_them(raw: bytes | str, found: dict[str, str]) -> None:
    assert decode_properties(raw) == found


@given(
    st.lists(st.builds(BatchItem, st.integers(0, 9), st.binary(max_size=30), st.dictionaries(TEXT, TEXT, max_size=3)))
)
def test_batches_round_trip(items: list[BatchItem]) -> None:
    assert decode_batch(encode_batch(items)) == items


@given(st.binary(min_size=1, max_size=100))
def test_a_garbage_batch_is_refused_or_read(body: bytes) -> None:
    try:
        items = decode_batch(body)
    except RecordError:
        return
    assert items


def test_a_batch_cut_short_is_refused() -> None:
    body = encode_batch([BatchItem(0, b"abc", {"k": "v"})])
    for cut in range(1, len(body)):
        with pytest.raises(RecordError):
            decode_batch(body[:cut])


@pytest.mark.parametrize(
    ("text", "value"), [("", 0), ("A", 65), ("Hello", 69609650), ("polygenelubricants", -(2**31)), ("😀", 1772899)]
)
def test_hash_of_a_tag_is_javas(text: str, value: int) -> None:
    assert java_hash(text) == value


@given(HOSTS, st.integers(0, 2**63 - 1))
def test_ids_of_records_round_trip(host: tuple[str, int], offset: int) -> None:
    text = offset_message_id(host, offset)
    assert text == text.upper()
    assert decode_offset_message_id(text) == (host, offset)


@pytest.mark.parametrize("text", ["", "zz", "00", "00" * 13])
def test_what_is_no_id_is_refused(text: str) -> None:
    with pytest.raises(RecordError, match="32 or 56"):
        decode_offset_message_id(text)


def test_a_simulated_node_has_an_address_no_real_host_has() -> None:
    assert pack_host("broker-a")[0] >= 240
    assert pack_host("broker-a") != pack_host("broker-b")


def test_checksum_has_no_sign() -> None:
    assert body_crc(b"a" * 9) == zlib.crc32(b"a" * 9) & 0x7FFFFFFF
