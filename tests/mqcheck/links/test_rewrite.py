"""Address rewriting on recorded frames and on made ones: only addresses change, lengths stay true."""

from __future__ import annotations

import json
import re
import struct
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mqcheck.errors import FrameError
from mqcheck.links.rewrite import FrameCutter, addresses, rename, rewrite
from mqcheck.rocketmq.codes import FRAME_BYTES_MAX
from mqcheck.rocketmq.frame import Command, Serialize, decode, encode

GOLDEN = {
    entry["id"]: bytes.fromhex(entry["hex"])
    for entry in map(
        json.loads,
        (Path(__file__).parents[2] / "golden" / "frames.jsonl").read_text(encoding="utf-8").splitlines(),
    )
}
ROUTES = sorted(name for name in GOLDEN if re.search(r"(routeinfo|cluster_info).*resp", name))
NEW = "127.0.0.1:23456"


@pytest.mark.parametrize("name", ROUTES)
def test_recorded_routes_strict_loose_and_binary_get_new_addresses_and_nothing_else(name: str) -> None:
    frame = GOLDEN[name]
    found = addresses(frame, body=True)
    if not found:
        assert decode(frame[4:]).code == 17
        return
    changed = rewrite(frame, dict.fromkeys(found, NEW), body=True)
    before, after = decode(frame[4:]), decode(changed[4:])
    assert int.from_bytes(changed[:4], "big") == len(changed) - 4
    assert (after.code, after.opaque, after.flag, after.fields, after.serialize) == (
        before.code,
        before.opaque,
        before.flag,
        before.fields,
        before.serialize,
    )
    expected = before.body
    for address in found:
        expected = expected.replace(b'"' + address.encode() + b'"', b'"' + NEW.encode() + b'"')
    assert after.body == expected != before.body
    assert addresses(changed, body=True) == {NEW}


def test_the_recorded_routes_cover_strict_loose_and_binary() -> None:
    bodies = [decode(GOLDEN[name][4:]) for name in ROUTES]
    assert any(b'{"0":"' in each.body for each in bodies)
    assert any(b"{0:" in each.body for each in bodies)
    assert any(each.serialize is Serialize.ROCKETMQ for each in bodies)


def test_a_recorded_answer_to_a_slave_gets_the_masters_proxies() -> None:
    frame = GOLDEN["4.9.7-register_broker-resp-2"]
    fields = decode(frame[4:]).fields
    wanted = {fields["masterAddr"]: "127.0.0.1:1", fields["haServerAddr"]: NEW}
    after = decode(rewrite(frame, wanted, body=False)[4:])
    assert after.fields == {"masterAddr": "127.0.0.1:1", "haServerAddr": NEW}
    assert after.body == decode(frame[4:]).body


@pytest.mark.parametrize("name", sorted(GOLDEN))
def test_every_recorded_frame_passes_untouched_when_nothing_is_known(name: str) -> None:
    frame = GOLDEN[name]
    try:
        assert rewrite(frame, {"10.9.8.7:1": NEW}, body=True) is frame
    except FrameError:
        with pytest.raises(FrameError):
            decode(frame[4:])


@pytest.mark.parametrize("serialize", list(Serialize))
def test_header_fields_in_both_encodings(serialize: Serialize) -> None:
    fields = {"masterAddr": "127.0.0.1:10911", "haServerAddr": "127.0.0.1:10912", "brokerName": "127.0.0.1"}
    frame = encode(
        Command(0, 7, 1, fields, b'{"0":"127.0.0.1:10911"}', remark="to 127.0.0.1:10911", serialize=serialize)
    )
    assert addresses(frame, body=False) == {"127.0.0.1:10911", "127.0.0.1:10912"}
    after = decode(rewrite(frame, {"127.0.0.1:10911": "127.0.0.1:5", "127.0.0.1:10912": NEW}, body=False)[4:])
    assert after.fields == {"masterAddr": "127.0.0.1:5", "haServerAddr": NEW, "brokerName": "127.0.0.1"}
    assert after.body == b'{"0":"127.0.0.1:10911"}', "the body was not asked for"
    assert after.remark == "to 127.0.0.1:10911"


texts = st.text(max_size=20)


@given(
    st.dictionaries(st.text(min_size=1, max_size=10), texts, max_size=5),
    st.binary(max_size=200),
    st.sampled_from(list(Serialize)),
)
def test_there_and_back_is_the_frame_itself(fields: dict[str, str], body: bytes, serialize: Serialize) -> None:
    fields["brokerAddr"] = "127.0.0.1:10911"
    frame = encode(Command(103, 1, 0, fields, body, serialize=serialize))
    there = rewrite(frame, {"127.0.0.1:10911": NEW}, body=False)
    assert decode(there[4:]).fields["brokerAddr"] == NEW
    if NEW not in fields.values():
        assert rewrite(there, {NEW: "127.0.0.1:10911"}, body=False) == frame


@given(st.binary(max_size=120))
def test_garbage_is_refused_by_name_or_returned_whole(payload: bytes) -> None:
    frame = struct.pack(">I", len(payload)) + payload
    for call in (lambda: addresses(frame, body=True), lambda: rewrite(frame, {"a:1": "b:2"}, body=True)):
        try:
            call()
        except FrameError:
            pass


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (b"\0\0\0\2ab", "no header length"),
        (b"\0\0\0\4\7\0\0\0", "serialize type 7"),
        (b"\0\0\0\4\0\0\0\x09", "header length 9"),
        (b"\0\0\0\6\1\0\0\2ab", "ends before a length"),
        (b"\0\0\0\x19\1\0\0\x15" + bytes(13) + b"\0\0\0\0\0\0\0\5", "is beyond its"),
        (b"\0\0\0\x1a\1\0\0\x16" + bytes(13) + b"\0\0\0\0\0\0\0\0x", "its fields end at"),
    ],
)
def test_bad_frames_say_what_is_wrong(frame: bytes, message: str) -> None:
    with pytest.raises(FrameError, match=message):
        rewrite(frame, {"a:1": "b:2"}, body=False)


@given(st.lists(st.binary(max_size=50), max_size=6), st.data())
def test_the_cutter_gives_the_frames_however_the_stream_is_cut(payloads: list[bytes], data: Any) -> None:
    frames = [struct.pack(">I", 4 + len(payload)) + bytes(4) + payload for payload in payloads]
    stream = b"".join(frames)
    cutter, found = FrameCutter(), []
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        found += cutter.feed(stream[:size])
        stream = stream[size:]
    assert found == frames
    assert (cutter.broken, cutter.rest()) == (False, b"")


@pytest.mark.parametrize("length", [0, 3, -1, FRAME_BYTES_MAX])
def test_after_a_bad_length_bytes_are_only_passed_on(length: int) -> None:
    good = struct.pack(">I", 4) + bytes(4)
    bad = struct.pack(">i", length) + b"rubbish"
    cutter = FrameCutter()
    assert cutter.feed(good + bad) == [good]
    assert cutter.broken
    assert cutter.rest() == bad
    assert cutter.feed(good) == []
    assert cutter.rest() == good


@pytest.mark.parametrize("encoding", [Serialize.JSON, Serialize.ROCKETMQ])
def test_brokers_are_called_otherwise_where_a_route_names_them(encoding: Serialize) -> None:
    brokers = b'"brokerDatas":[{"brokerName":"b\xc3\xa4","cluster":"b"}]'
    body = b"{" + brokers + b',"queueDatas":[{"brokerName" : "b"},{"brokerName":"a"}]}'
    frame = encode(Command(0, opaque=7, flag=1, body=body, serialize=encoding))
    changed = decode(rename(frame, {"b": "a", "a": "broker-long"})[4:])
    assert changed.body == body.replace(b'"brokerName":"a"', b'"brokerName":"broker-long"').replace(
        b'"brokerName" : "b"', b'"brokerName" : "a"'
    )
    assert (changed.opaque, changed.serialize) == (7, encoding)
    assert rename(frame, {"nobody": "x"}) is frame
