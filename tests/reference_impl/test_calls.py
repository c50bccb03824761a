"""Outgoing calls alone: bad addresses, bad frames and limits; the way with a server is in ``test_server``."""

from __future__ import annotations

import asyncio

import pytest

from reference_impl.calls import CALLS_MAX, Calls
from reference_impl.effects import Call
from reference_impl.errors import ReferenceBugError
from reference_impl.frame import Command


@pytest.mark.parametrize("address", ["nowhere", "host:", ":x"])
def test_an_address_without_a_port_is_a_bug_here(address: str) -> None:
    async def run() -> None:
        calls = Calls(asyncio.get_running_loop(), lambda token, command: None, lambda line: None)
        with pytest.raises(ReferenceBugError, match="host:port"):
            calls.call(Call(address, Command(1), "t", 10))

    asyncio.run(run())


def test_a_bad_frame_fails_what_is_pending_and_more_calls_than_the_limit_fail_at_once() -> None:
    told: list[tuple[str, Command | None]] = []
    lines: list[str] = []

    async def garbage(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"\xff" * 8)
        await reader.read()
        writer.close()

    async def run() -> None:
        calls = Calls(asyncio.get_running_loop(), lambda token, command: told.append((token, command)), lines.append)
        server = await asyncio.start_server(garbage, "127.0.0.1", 0)
        address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        for number in range(CALLS_MAX + 1):
            calls.call(Call(address, Command(1), str(number), 5000))
        assert await calls.settled(5000)
        calls.close()
        server.close()
        handlers = asyncio.all_tasks() - {asyncio.current_task()}
        await asyncio.wait(handlers, timeout=5)

    asyncio.run(run())
    assert told[0] == (str(CALLS_MAX), None)
    assert {command for _, command in told} == {None}
    assert len(told) == CALLS_MAX + 1
    assert "bad frame" in lines[0]
