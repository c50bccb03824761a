"""The HA layouts: the same reports and frames come out however the bytes are cut."""

from __future__ import annotations

import itertools
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_impl.errors import FrameError
from reference_impl.replication.wire import (
    HA_BODY_BYTES_MAX,
    HaFrame,
    HaFrameReader,
    ReportReader,
    encode_frame,
    encode_report,
)

POSITIONS = st.integers(-(1 << 63), (1 << 63) - 1)


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    at = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[begin:end] for begin, end in itertools.pairwise(at)]


def test_the_layouts_are_rocketmqs() -> None:
    assert encode_report(258) == bytes.fromhex("0000000000000102")
    assert encode_frame(HaFrame(258, b"ab")) == bytes.fromhex("0000000000000102 00000002") + b"ab"
    assert encode_frame(HaFrame(258, b"")) == bytes.fromhex("0000000000000102 00000000")


@given(st.lists(POSITIONS, max_size=20), st.lists(st.integers(0, 1 << 16)))
def test_reports_come_out_of_any_pieces(positions: list[int], cuts: list[int]) -> None:
    reader = ReportReader()
    data = b"".join(map(encode_report, positions))
    assert [found for piece in pieces(data, cuts) for found in reader.feed(piece)] == positions


@given(st.lists(st.tuples(POSITIONS, st.binary(max_size=60)), max_size=12), st.lists(st.integers(0, 1 << 16)))
def test_frames_come_out_of_any_pieces(frames: list[tuple[int, bytes]], cuts: list[int]) -> None:
    reader = HaFrameReader()
    data = b"".join(encode_frame(HaFrame(*frame)) for frame in frames)
    assert [found for piece in pieces(data, cuts) for found in reader.feed(piece)] == frames


@pytest.mark.parametrize("size", [-1, HA_BODY_BYTES_MAX + 1])
def test_a_size_that_no_frame_has_is_refused(size: int) -> None:
    with pytest.raises(FrameError, match=str(size)):
        HaFrameReader().feed(struct.pack(">qi", 0, size))
