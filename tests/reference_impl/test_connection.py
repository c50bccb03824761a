"""A connection's limits; the way with a server is in ``test_server``."""

from __future__ import annotations

import asyncio
from typing import Any

from reference_impl.connection import JOINED_BYTES_MAX, WRITE_BYTES_MAX, Connection


class _Transport:
    def __init__(self, waiting: int) -> None:
        self.waiting, self.events = waiting, list[str]()

    def __getattr__(self, name: str) -> Any:
        return lambda *given, **named: self.events.append(name)

    def is_closing(self) -> bool:
        return "abort" in self.events

    def get_extra_info(self, name: str) -> None:
        return None

    def get_write_buffer_size(self) -> int:
        return self.waiting


class _Holder:
    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop

    def opened(self, connection: Connection) -> None:
        pass


def test_a_peer_that_reads_nothing_is_cut_off_and_one_that_is_slow_is_not_read() -> None:
    loop = asyncio.new_event_loop()
    connection = Connection(_Holder(loop), 1, None)  # type: ignore[arg-type]
    transport = _Transport(WRITE_BYTES_MAX)
    connection.connection_made(transport)  # type: ignore[arg-type]
    connection.pause_writing()
    connection.resume_writing()
    connection.send(b"x")
    connection.send(b"y")
    assert transport.events[-1] == "resume_reading"
    connection.flush()
    connection.flush()
    assert transport.events[-3:] == ["pause_reading", "resume_reading", "write"]
    transport.waiting += 1
    connection.send(bytes(JOINED_BYTES_MAX + 1))
    assert transport.events[-1] == "abort"
    connection.send(b"x")
    connection.flush()
    assert transport.events[-1] == "abort"
    loop.close()
