"""mqcheck.rocketmq.frame: recorded frames, round trips, damage."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mqcheck.errors import FrameError
from mqcheck.rocketmq import frame
from mqcheck.rocketmq.codes import FRAME_BYTES_MAX, LANGUAGES
from mqcheck.rocketmq.frame import Command, FrameReader, Serialize, encode, loads_loose
from mqcheck.rocketmq.message import decode_batch, decode_properties, decode_records

GOLDEN = Path(__file__).parents[2] / "golden" / "frames.jsonl"
FRAMES = [json.loads(line) for line in GOLDEN.read_text(encoding="utf-8").splitlines()]

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
INT32 = st.integers(-(2**31), 2**31 - 1)
COMMANDS = st.builds(
    Command,
    code=st.integers(-(2**15), 2**15 - 1),
    opaque=INT32,
    flag=st.integers(0, 3),
    fields=st.dictionaries(TEXT, TEXT, max_size=5),
    body=st.binary(max_size=200),
    remark=st.none() | st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20),
    language=st.sampled_from(LANGUAGES),
    version=st.integers(0, 612),
    serialize=st.sampled_from(Serialize),
)


def read_one(data: bytes) -> Command:
    reader = FrameReader()
    (command,) = reader.feed(data)
    assert reader.pending_bytes == 0
    return command


@pytest.mark.parametrize("line", FRAMES, ids=lambda line: line["id"])
def test_recorded_frame(line: dict[str, Any]) -> None:
    data, expect = bytes.fromhex(line["hex"]), line["expect"]
    command = read_one(data)
    assert command.serialize.name == line["serialize"]
    assert command.is_response == (line["direction"] == "response")
    for name in ("code", "language", "version", "opaque", "flag"):
        assert getattr(command, name) == expect[name], name
    assert dict(command.fields) == expect["extFields"]
    assert command.remark == expect.get("remark")
    assert len(command.body) == expect["bodyLength"]
    check_body(command.body, expect)
    again = encode(command)
    if command.serialize is Serialize.ROCKETMQ:
        assert again == data
    else:
        assert read_one(again) == command


def check_body(body: bytes, expect: dict[str, Any]) -> None:
    if "bodyHex" in expect:
        assert body.hex() == expect["bodyHex"]
    if "bodyText" in expect:
        text = expect["bodyText"]
        assert body.decode().startswith(text.removesuffix("..."))
        assert text.endswith("...") or len(body.decode()) == len(text)
        if expect["bodyText"].startswith("{"):
            assert isinstance(loads_loose(body), dict)
    if "bodyJson" in expect:
        assert loads_loose(body) == expect["bodyJson"]
    if "messages" in expect:
        read = decode_records(body)
        assert [r.topic for r in read] == [m["topic"] for m in expect["messages"]]
        assert [r.body.hex() for r in read] == [m["body"] for m in expect["messages"]]
        assert [dict(r.properties) for r in read] == [m["properties"] for m in expect["messages"]]
    if "batch" in expect:
        members = decode_batch(body)
        assert [m.body.hex() for m in members] == [m["body"] for m in expect["batch"]]
        assert [decode_properties(m.raw_properties) for m in members] == [m["properties"] for m in expect["batch"]]


@given(COMMANDS)
def test_what_is_encoded_is_read_again(command: Command) -> None:
    assert read_one(encode(command)) == command


@given(st.lists(COMMANDS, max_size=4), st.data())
def test_a_stream_may_be_cut_anywhere(commands: list[Command], data: st.DataObject) -> None:
    stream = b"".join(map(encode, commands))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    reader = FrameReader()
    read: list[Command] = []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        read += reader.feed(stream[start:end])
    assert read == commands
    assert reader.pending_bytes == 0


@given(COMMANDS, st.data())
def test_a_cut_header_is_refused(command: Command, data: st.DataObject) -> None:
    payload = encode(command)[4:]
    size = int.from_bytes(payload[1:4], "big")
    cut = payload[: data.draw(st.integers(0, 4 + size - 1))]
    with pytest.raises(FrameError):
        frame.decode(cut)


@given(st.binary(max_size=60))
def test_any_bytes_are_a_command_or_refused(data: bytes) -> None:
    try:
        command = frame.decode(data)
    except FrameError:
        return
    assert isinstance(command.code, int)


@pytest.mark.parametrize(
    "payload",
    [
        b"\x00\x00\x00\x02[]",
        b"\x07\x00\x00\x02{}",
        b"\x00\x00\x00\x02{}",
        b"\x00\x00\x00\x09{code:1,}",
        b'\x00\x00\x00\x0b{"code":1}x',
    ],
)
def test_bad_payloads(payload: bytes) -> None:
    with pytest.raises(FrameError):
        frame.decode(payload)


@pytest.mark.parametrize("length", [-1, 0, 3, FRAME_BYTES_MAX - 3, 2**31 - 1])
def test_bad_lengths(length: int) -> None:
    with pytest.raises(FrameError, match=str(length)):
        FrameReader().feed(length.to_bytes(4, "big", signed=True))


def test_too_large_to_send() -> None:
    with pytest.raises(FrameError, match=str(FRAME_BYTES_MAX)):
        encode(Command(code=10, body=bytes(FRAME_BYTES_MAX)))


def test_loosely_typed_header() -> None:
    header = b'{"code":10,"language":1,"extFields":{"queueId":0,"batch":true,"gone":null},"unknown":[1]}\n'
    command = frame.decode(len(header).to_bytes(4, "big") + header)
    assert command.fields == {"queueId": "0", "batch": "true"}
    assert command.language == "CPP"


def test_binary_code_is_a_short() -> None:
    command = read_one(encode(Command(code=200050, serialize=Serialize.ROCKETMQ)))
    assert command.code == 3442
