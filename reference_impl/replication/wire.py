"""The two layouts of the HA protocol, written and read; no meaning.

::

    slave → master   position 8          end of the slave's log; the first one asks where to begin
    master → slave   position 8, size 4, size bytes of the commit log from that position; size 0 is a heartbeat

Bytes come in any pieces. Source: RocketMQ HAConnection, HAService.HAClient.
"""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

from reference_impl.errors import FrameError

HA_BODY_BYTES_MAX: Final = 16 << 20
"""Log bytes of one frame; ours, five hundred times RocketMQ's default haTransferBatchSize."""

_REPORT: Final = struct.Struct(">q")
_HEAD: Final = struct.Struct(">qi")


class HaFrame(NamedTuple):
    """What a master sends."""

    position: int
    """Where ``body`` begins in the log."""
    body: bytes


def encode_report(position: int) -> bytes:
    """Write what a slave reports."""
    return _REPORT.pack(position)


def encode_frame(frame: HaFrame) -> bytes:
    """Write what a master sends."""
    return _HEAD.pack(frame.position, len(frame.body)) + frame.body


class ReportReader:
    """Puts the reports of one slave together; holds fewer than 8 bytes."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[int]:
        """Whole reports, in order."""
        data = self._rest + data
        whole = len(data) // _REPORT.size * _REPORT.size
        self._rest = data[whole:]
        return [position for (position,) in _REPORT.iter_unpack(data[:whole])]


class HaFrameReader:
    """Puts the frames of a master together; holds at most one frame that is not whole."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, data: bytes) -> list[HaFrame]:
        """Whole frames, in order. FrameError: a size that no frame has; the connection is to be closed."""
        rest = self._rest
        rest += data
        frames: list[HaFrame] = []
        at = 0
        while len(rest) - at >= _HEAD.size:
            position, size = _HEAD.unpack_from(rest, at)
            if not 0 <= size <= HA_BODY_BYTES_MAX:
                raise FrameError(f"an HA frame of {size} B; 0 to {HA_BODY_BYTES_MAX} are read")
            end = at + _HEAD.size + size
            if end > len(rest):
                break
            frames.append(HaFrame(position, bytes(rest[at + _HEAD.size : end])))
            at = end
        del rest[:at]
        return frames
