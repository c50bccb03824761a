"""Registration bodies: round trip, the recorded ones, and bytes that make no sense."""

from __future__ import annotations

import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_impl.errors import JsonError
from reference_impl.frame import FrameReader
from reference_impl.register_body import DataVersion, Registration, TopicEntry, decode_body, encode_body

NUMBERS = st.integers(0, 2**31 - 1)
NAMES = st.text("abcT%_-", min_size=1, max_size=10)
ENTRIES = st.builds(TopicEntry, NAMES, NUMBERS, NUMBERS, st.integers(0, 7), st.integers(0, 3), st.booleans())
REGISTRATIONS = st.builds(
    Registration,
    st.builds(DataVersion, NUMBERS, NUMBERS),
    st.lists(ENTRIES, max_size=4).map(lambda entries: {entry.name: entry for entry in entries}),
    st.lists(NAMES, max_size=2).map(tuple),
)


@given(REGISTRATIONS)
def test_what_is_written_is_read(registration: Registration) -> None:
    assert decode_body(encode_body(registration), version=407, compressed=False) == registration


def test_no_body_is_no_topics() -> None:
    assert decode_body(b"", version=407, compressed=False) == Registration(DataVersion(), {})


def test_recorded_bodies_say_what_was_meant(golden_frames: list[dict[str, Any]]) -> None:
    seen = 0
    for line in golden_frames:
        if line["code"] != 103 or line["direction"] != "request" or "topicNames" not in line["expect"]:
            continue
        (command,) = FrameReader().feed(bytes.fromhex(line["hex"]))
        found = decode_body(command.body, version=command.version, compressed=False)
        assert sorted(found.topics) == sorted(line["expect"]["topicNames"]), line["id"]
        assert found.version.timestamp == line["expect"]["dataVersion"]["timestamp"], line["id"]
        assert found.version.counter == line["expect"]["dataVersion"]["counter"], line["id"]
        seen += 1
    assert seen >= 5


@pytest.mark.parametrize(
    "body",
    [
        b"[]",
        b'{"topicConfigSerializeWrapper":[]}',
        b'{"topicConfigSerializeWrapper":{"topicConfigTable":[]}}',
        b'{"topicConfigSerializeWrapper":{"topicConfigTable":{"T":1}}}',
        b'{"topicConfigSerializeWrapper":{"topicConfigTable":{"T":{"perm":"x"}}}}',
        b'{"topicConfigSerializeWrapper":{"topicConfigTable":{"T":{"perm":true}}}}',
        b'{"topicConfigSerializeWrapper":{"dataVersion":7}}',
    ],
)
def test_another_shape_is_refused(body: bytes) -> None:
    with pytest.raises(JsonError):
        decode_body(body, version=407, compressed=False)


@given(st.binary(max_size=60), st.booleans())
def test_garbage_in_a_compressed_body_is_refused(data: bytes, packed: bool) -> None:
    with pytest.raises(JsonError):
        decode_body(zlib.compress(data) if packed else data, version=407, compressed=True)
