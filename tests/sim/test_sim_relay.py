"""A relay whose server is not there, or dies: the peer learns of it, and nothing stays open."""

from __future__ import annotations

import asyncio
import random

from mqcheck.links.sim_relay import Relay
from mqcheck.rocketmq.connection import split_address
from mqcheck.targets.sim import end_loop, sim_loop


def test_a_server_that_refuses_closes_the_peer() -> None:
    loop = sim_loop(1)
    loop.net.host("server")

    async def main() -> None:
        relay = Relay(loop, random.Random(1), "peer->server", lambda distance: f"server:{100 - distance}", (0, 2), None)
        assert [split_address(relay.address(distance))[1] for distance in (0, 2)] == [100, 98]
        await asyncio.sleep(0.1)
        for distance in (0, 2):
            reader, writer = await asyncio.open_connection(*split_address(relay.address(distance)))
            writer.write(b"anybody?")
            assert await reader.read() == b""
            writer.close()
        await asyncio.sleep(0.1)
        assert relay.counters.connections == 0
        assert relay.counters.accepted == 2
        relay.close()
        await asyncio.sleep(1)

    loop.run_until_complete(main())
    end_loop(loop)


def test_what_was_sent_before_a_quick_close_still_arrives() -> None:
    loop = sim_loop(2)
    loop.net.set_defaults(latency=(0.01, 0.02))
    heard: list[bytes] = []

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.read())
        writer.close()

    async def main() -> None:
        await loop.net.host("server").create_task(asyncio.start_server(listen, port=100))
        relay = Relay(loop, random.Random(1), "peer->server", lambda distance: "server:100", (0,), None)
        await asyncio.sleep(0.1)
        _, writer = await asyncio.open_connection(*split_address(relay.address()))
        writer.write(b"goodbye")
        writer.close()
        await asyncio.sleep(1)
        assert heard == [b"goodbye"]
        assert relay.counters.connections == 0

    loop.run_until_complete(main())
    end_loop(loop)
