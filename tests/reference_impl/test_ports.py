"""Port blocks: free ones are whole, wanted ones are kept, taken ones are refused."""

from __future__ import annotations

import asyncio
import random
import socket

import pytest

from reference_impl.errors import SettingsError
from reference_impl.ports import FREE_FIRST, FREE_LAST, bind


def _close(*socks: socket.socket | None) -> None:
    for sock in socks:
        if sock is not None:
            sock.close()


def test_a_free_block_is_whole_and_below_outgoing_ports() -> None:
    block = bind("127.0.0.1", 0, broker=True, rng=random.Random())
    assert block.vip is not None
    assert block.ha is not None
    assert FREE_FIRST <= block.port < FREE_LAST
    assert block.vip.getsockname()[1] == block.port - 2
    assert block.ha.getsockname()[1] == block.port + 1
    _close(block.main, block.vip, block.ha)


def test_the_ha_port_may_be_anywhere() -> None:
    free = bind("127.0.0.1", 0, broker=False, rng=random.Random())
    port = free.port
    free.main.close()
    block = bind("127.0.0.1", 0, broker=True, rng=random.Random(), ha_port=port)
    assert block.ha is not None
    assert block.ha.getsockname()[1] == port
    _close(block.main, block.vip, block.ha)


def test_blocks_do_not_overlap_even_with_the_same_numbers_drawn() -> None:
    blocks = [bind("127.0.0.1", 0, broker=True, rng=random.Random(5)) for _ in range(3)]
    assert len({block.port for block in blocks}) == 3
    for block in blocks:
        _close(block.main, block.vip, block.ha)


def test_a_taken_port_is_refused_with_a_way_out() -> None:
    first = bind("127.0.0.1", 0, broker=False, rng=random.Random())
    with pytest.raises(SettingsError, match="use another, or 0"):
        bind("127.0.0.1", first.port, broker=False, rng=random.Random())
    with pytest.raises(SettingsError, match=str(first.port + 2)):
        bind("127.0.0.1", first.port + 2, broker=True, rng=random.Random())
    port = first.port
    first.main.close()
    again = bind("127.0.0.1", port, broker=False, rng=random.Random())
    assert again.port == port
    again.main.close()


def test_no_address_means_no_block() -> None:
    with pytest.raises(SettingsError, match="set listenPort"):
        bind("203.0.113.1", 0, broker=False, rng=random.Random())


def test_what_is_accepted_is_answered_without_nagles_delay() -> None:
    async def run() -> int:
        block = bind("127.0.0.1", 0, broker=False, rng=random.Random())
        accepted: asyncio.Future[int] = asyncio.get_running_loop().create_future()

        class Noting(asyncio.Protocol):
            def connection_made(self, transport: asyncio.BaseTransport) -> None:
                sock = transport.get_extra_info("socket")
                accepted.set_result(sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
                transport.close()

        server = await asyncio.get_running_loop().create_server(Noting, sock=block.main)
        with socket.create_connection(("127.0.0.1", block.port)):
            found = await asyncio.wait_for(accepted, 10)
        server.close()
        await server.wait_closed()
        return found

    assert asyncio.run(run())
