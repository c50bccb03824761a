"""Frames: the recorded bytes, round trips, every truncation, and garbage."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_impl.commands import FRAME_BYTES_MAX
from reference_impl.errors import FrameError
from reference_impl.frame import LANGUAGES, Command, FrameReader, Serialize, decode, encode

INT32 = st.integers(-(2**31), 2**31 - 1)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
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


def test_every_recorded_frame_decodes_to_what_was_meant(golden_frames: list[dict[str, Any]]) -> None:
    for line in golden_frames:
        (command,) = FrameReader().feed(bytes.fromhex(line["hex"]))
        expect = line["expect"]
        found = {
            "code": command.code,
            "language": command.language,
            "version": command.version,
            "opaque": command.opaque,
            "flag": command.flag,
            "extFields": dict(command.fields),
            "bodyLength": len(command.body),
        }
        assert found == {name: expect[name] for name in found}, line["id"]
        assert command.remark == expect.get("remark"), line["id"]
        assert command.serialize.name == line["serialize"], line["id"]
        assert command.is_response == (line["direction"] == "response"), line["id"]
        if "bodyHex" in expect:
            assert command.body.hex() == expect["bodyHex"], line["id"]


def test_every_recorded_frame_is_written_back(golden_frames: list[dict[str, Any]]) -> None:
    binary = 0
    for line in golden_frames:
        data = bytes.fromhex(line["hex"])
        (command,) = FrameReader().feed(data)
        if command.serialize == Serialize.ROCKETMQ:
            binary += 1
            assert encode(command) == data, line["id"]
        assert FrameReader().feed(encode(command)) == [command], line["id"]
    assert binary == 22


@given(COMMANDS)
def test_what_is_written_is_read(command: Command) -> None:
    assert FrameReader().feed(encode(command)) == [command]


@given(st.lists(COMMANDS, max_size=4), st.integers(1, 40))
def test_pieces_of_any_size_give_the_same_commands(commands: list[Command], step: int) -> None:
    data = b"".join(encode(command) for command in commands)
    reader = FrameReader()
    found = [command for at in range(0, len(data), step) for command in reader.feed(data[at : at + step])]
    assert found == commands
    assert reader.waiting_bytes == 0


@given(COMMANDS, st.data())
def test_a_truncated_frame_waits(command: Command, data: st.DataObject) -> None:
    whole = encode(command)
    cut = data.draw(st.integers(0, len(whole) - 1))
    reader = FrameReader()
    assert reader.feed(whole[:cut]) == []
    assert reader.feed(whole[cut:]) == [command]


@given(COMMANDS, st.data())
def test_a_truncated_inside_is_read_or_refused(command: Command, data: st.DataObject) -> None:
    inside = encode(command)[4:]
    cut = data.draw(st.integers(0, len(inside) - 1))
    try:
        found = decode(inside[:cut])
    except FrameError:
        return
    assert command.body.startswith(found.body)


@given(st.binary(max_size=300))
def test_garbage_waits_or_is_refused(data: bytes) -> None:
    reader = FrameReader()
    try:
        found = reader.feed(data)
    except FrameError:
        return
    assert found or reader.waiting_bytes == len(data)


@given(st.binary(max_size=60), st.sampled_from(Serialize))
def test_garbage_in_a_header_is_read_or_refused(header: bytes, kind: Serialize) -> None:
    frame = (kind << 24 | len(header)).to_bytes(4, "big") + header
    try:
        command = decode(frame)
    except FrameError:
        return
    assert command.serialize == kind


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\xff\xff\xff\xff", "-1"),
        ((FRAME_BYTES_MAX - 3).to_bytes(4, "big"), str(FRAME_BYTES_MAX - 4)),
        (b"\0\0\0\0", "0 B"),
        (b"\0\0\0\4\0\0\0\0", "header"),
        (b"\0\0\0\5\0\0\0\2{", "a header of 2 B"),
        (b"\0\0\0\6\7\0\0\2{}", "serialize type 7"),
        (b"\0\0\0\6\0\0\0\2[]", "not an object"),
        (b"GET / HTTP/1.1\r\n\r\n", "at most"),
    ],
)
def test_what_real_brokers_close_for_is_refused(data: bytes, reason: str) -> None:
    with pytest.raises(FrameError) as caught:
        FrameReader().feed(data + bytes(64))
    assert reason in str(caught.value)


def test_the_longest_announced_frame_is_waited_for() -> None:
    assert FrameReader().feed((FRAME_BYTES_MAX - 4).to_bytes(4, "big") + b"\0\0\0\2") == []


def test_good_commands_before_a_bad_frame_are_kept() -> None:
    with pytest.raises(FrameError) as caught:
        FrameReader().feed(encode(Command(34, opaque=7)) + b"\xff\xff\xff\xff")
    assert [command.opaque for command in caught.value.decoded] == [7]


def _json_frame(header: str) -> bytes:
    data = header.encode()
    return len(data).to_bytes(4, "big") + data


@pytest.mark.parametrize(
    ("header", "fields"),
    [
        (
            '{"code":10,"extFields":{"queueId":0,"batch":true,"x":1.5,"none":null}}\n',
            {"queueId": "0", "batch": "true", "x": "1.5"},
        ),
        ("{code:10,extFields:{queueId:0,'a':'b'},}", {"queueId": "0", "a": "b"}),
        ('{"code":10,"extFields":{"a":{"b":1}}}', {"a": '{"b":1}'}),
        ('{"code":"10"}', {}),
    ],
)
def test_a_loosely_typed_header_is_understood(header: str, fields: dict[str, str]) -> None:
    command = decode(_json_frame(header))
    assert command.code == 10
    assert command.fields == fields
    assert command.language == "JAVA"


@pytest.mark.parametrize(
    "header", ['{"code":"x"}', '{"code":1,"extFields":3}', '{"code":9999999999}', "{", '{"code":[]}']
)
def test_a_header_that_makes_no_sense_is_refused(header: str) -> None:
    with pytest.raises(FrameError):
        decode(_json_frame(header))


def test_an_answer_carries_opaque_and_serialization_back() -> None:
    request = Command(105, opaque=-4, flag=2, serialize=Serialize.ROCKETMQ)
    answer = request.reply(17, remark="no")
    assert (answer.opaque, answer.serialize, answer.is_response, answer.is_oneway) == (
        -4,
        Serialize.ROCKETMQ,
        True,
        False,
    )
    assert request.is_oneway


def test_a_pop_code_loses_its_upper_bits_in_a_binary_header() -> None:
    (command,) = FrameReader().feed(encode(Command(200050, serialize=Serialize.ROCKETMQ)))
    assert command.code == 3442


def test_an_unknown_language_is_other_in_a_binary_header() -> None:
    (command,) = FrameReader().feed(encode(Command(34, language="COBOL", serialize=Serialize.ROCKETMQ)))
    assert command.language == "OTHER"


def test_a_frame_longer_than_anybody_reads_is_not_written() -> None:
    with pytest.raises(FrameError, match="send less"):
        encode(Command(0, body=bytes(FRAME_BYTES_MAX)))
