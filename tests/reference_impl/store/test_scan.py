from __future__ import annotations

import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_impl.message import Message, decode_record, encode_blank, encode_record, java_hash
from reference_impl.store.index import hashes_of
from reference_impl.store.scan import HEAD_BYTES, Scanned, Scanner, store_time

HOSTS = st.sampled_from([("127.0.0.1", 10911), ("::1", 10911)])
TAGS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x01\x02"), min_size=1, max_size=9)


def encoded(message: Message, offset: int = 3, position: int = 500, host: tuple[str, int] = ("127.0.0.1", 1)) -> bytes:
    return encode_record(message, queue_offset=offset, physical_offset=position, store_time_ms=777, store_host=host)


@given(
    body=st.binary(max_size=50),
    topic=st.text("abcÄ漢", min_size=1, max_size=150),
    tags=st.none() | TAGS,
    more=st.dictionaries(st.sampled_from(["A", "KEYS", "MYTAGS", "TAGS2"]), st.text("xyz", min_size=1)),
    born=HOSTS,
    store=HOSTS,
)
def test_finds_in_a_record_what_was_put_into_it(
    body: bytes, topic: str, tags: str | None, more: dict[str, str], born: tuple[str, int], store: tuple[str, int]
) -> None:
    properties = more | ({} if tags is None else {"TAGS": tags}) | {"Z": "1"}
    data = encoded(Message(topic, 6, body, properties, 0, 0, 9, born), host=store)
    found = Scanner().record_at(memoryview(b"junk" + data + b"junk"), 4, 500)
    hashes = tuple(hashes_of(topic, properties))
    assert found == Scanned(topic, 6, 3, 500, len(data), 0 if tags is None else java_hash(tags), hashes)
    assert store_time(data[:HEAD_BYTES]) == 777


def test_every_cut_of_a_record_is_refused() -> None:
    data = encoded(Message("t", 0, b"body", {"TAGS": "x"}, 0, 0, 9, ("127.0.0.1", 1)))
    assert Scanner().record_at(memoryview(data), 0, 500) is not None
    for size in range(len(data)):
        assert Scanner().record_at(memoryview(data[:size]), 0, 500) is None


def test_a_record_whose_end_is_zero_is_refused_up_to_its_properties() -> None:
    data = encoded(Message("t", 0, b"body", {"TAGS": "x"}, 0, 0, 9, ("127.0.0.1", 1)))
    for size in range(len(data) - len("TAGS=x")):
        assert Scanner().record_at(memoryview(data[:size].ljust(len(data), b"\0")), 0, 500) is None


@pytest.mark.parametrize(
    ("at", "value"),
    [(4, 0x12345678), (8, 1), (0, 90), (0, 2**31), (84, -1), (84, 2**30), (36, 0x30)],
    ids=["magic", "checksum", "too short", "too long", "negative body", "huge body", "hosts"],
)
def test_a_record_that_contradicts_itself_is_refused(at: int, value: int) -> None:
    data = bytearray(encoded(Message("t", 0, b"body", {}, 0, 0, 9, ("127.0.0.1", 1))))
    struct.pack_into(">I", data, at, value & 0xFFFFFFFF)
    assert Scanner().record_at(memoryview(bytes(data)), 0, 500) is None


@pytest.mark.parametrize("at", [12, 20], ids=["queue id", "queue offset"])
def test_negative_numbers_are_refused(at: int) -> None:
    data = bytearray(encoded(Message("t", 0, b"body", {}, 0, 0, 9, ("127.0.0.1", 1))))
    data[at] = 0x80
    assert Scanner().record_at(memoryview(bytes(data)), 0, 500) is None


def test_a_topic_that_is_not_text_is_refused() -> None:
    data = encoded(Message("topic", 0, b"", {}, 0, 0, 9, ("127.0.0.1", 1))).replace(b"topic", b"t\xff\xfe\xfdc")
    assert Scanner().record_at(memoryview(data), 0, 500) is None


def test_a_record_left_over_from_another_position_is_refused() -> None:
    data = encoded(Message("t", 0, b"body", {}, 0, 0, 9, ("127.0.0.1", 1)))
    assert Scanner().record_at(memoryview(data), 0, 501) is None


def test_a_blank_is_to_be_skipped_whole() -> None:
    assert Scanner().record_at(memoryview(encode_blank(30)), 0, 9) == Scanned("", 0, 0, 9, 30, 0)
    assert Scanner().record_at(memoryview(encode_blank(30)[:29]), 0, 9) is None
    assert Scanner().record_at(memoryview(struct.pack(">II", 7, 0xCBD43194)), 0, 9) is None


def test_many_different_tags_do_not_fill_the_memory() -> None:
    scanner = Scanner()
    for number in range(5000):
        data = encoded(Message("t", 0, b"", {"TAGS": f"tag{number}"}, 0, 0, 9, ("127.0.0.1", 1)))
        found = scanner.record_at(memoryview(data), 0, 500)
        assert found is not None
        assert found.tags_code == java_hash(f"tag{number}")
    assert len(scanner._hashes) <= 4096


def test_records_of_real_brokers_are_understood(golden_messages: list[dict[str, Any]]) -> None:
    assert len(golden_messages) > 40
    for line in golden_messages:
        data = bytes.fromhex(line["hex"])
        known = decode_record(data)
        found = Scanner().record_at(memoryview(data), 0, known.physical_offset)
        code = java_hash(known.properties.get("TAGS", ""))
        where = known.queue_offset, known.physical_offset
        hashes = tuple(hashes_of(known.topic, known.properties))
        assert found == Scanned(known.topic, known.queue_id, *where, len(data), code, hashes)
        assert store_time(data) == known.store_time_ms
