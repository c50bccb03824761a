"""Links of the simulation: what each verb does to bytes, which bytes are counted, and who goes round them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from mqcheck.errors import LinkError
from mqcheck.history.recorder import Recorder
from mqcheck.links.frame_rules import FrameRule
from mqcheck.links.sim_network import SimNetwork
from mqcheck.rocketmq.connection import split_address
from mqcheck.rocketmq.frame import Command, encode
from mqcheck.targets.sim import SimClock, end_loop, sim_loop

LINK = "client->server"
PORT = 10911


class Line:
    """A client's end of one connection through the link to an echo server."""

    def __init__(self, network: SimNetwork, loop: Any) -> None:
        self.network = network
        self.loop = loop
        self.arrived: list[bytes] = []
        self.reader: asyncio.StreamReader
        self.writer: asyncio.StreamWriter
        self.writers: list[asyncio.StreamWriter] = []

    async def serve(self) -> None:
        async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                while data := await reader.read(1 << 16):
                    self.arrived.append(data)
                    writer.write(data)
            except ConnectionError:
                pass  # a reset is what some of these tests are about
            finally:
                writer.close()

        await asyncio.start_server(echo, port=PORT)

    async def connect(self) -> None:
        host, port = split_address(await self.network.broker_address("client", "server"))
        self.reader, self.writer = await asyncio.open_connection(host, port)
        self.writers.append(self.writer)

    async def say(self, data: bytes, seconds: float = 10.0) -> bytes:
        """Send, and what has come back by then."""
        self.writer.write(data)
        return await self.hear(seconds)

    async def hear(self, seconds: float = 10.0) -> bytes:
        try:
            return await asyncio.wait_for(self.reader.read(1 << 16), seconds)
        except (TimeoutError, ConnectionError):
            return b""


@pytest.fixture
def on_line(tmp_path: Path) -> Callable[[Callable[[Line], Awaitable[None]]], None]:
    """Runs one coroutine on a connected line, in a simulation."""

    def run(use: Callable[[Line], Awaitable[None]]) -> None:
        loop = sim_loop(3)
        recorder = Recorder(tmp_path, run="r", process="kit", number=0, clock=SimClock(loop))
        network = SimNetwork(loop, recorder, 3)
        line = Line(network, loop)

        async def main() -> None:
            address = f"{loop.net.address(loop.net.host('server').name)}:{PORT}"
            await network.add_broker("server", "server", 0, address)
            await loop.net.host("server").create_task(line.serve())
            await line.connect()
            await use(line)
            await network.close()
            await asyncio.sleep(1)
            for writer in line.writers:
                writer.close()
            await asyncio.sleep(1)

        loop.run_until_complete(main())
        end_loop(loop)
        recorder.close()

    return run


def test_bytes_pass_and_are_counted_both_ways(on_line: Any) -> None:
    async def use(line: Line) -> None:
        assert await line.say(b"hello") == b"hello"
        counters = await line.network.counters(LINK)
        assert (counters.up_received, counters.up_sent, counters.down_received, counters.down_sent) == (5, 5, 5, 5)
        assert (counters.connections, counters.accepted) == (1, 1)
        line.writer.close()
        await asyncio.sleep(1)
        assert (await line.network.connections()) == {LINK: 0}

    on_line(use)


def test_latency_delays_each_direction(on_line: Any) -> None:
    async def use(line: Line) -> None:
        await line.network.latency(LINK, 200, 0, "both")
        began = line.loop.time()
        assert await line.say(b"slow") == b"slow"
        assert line.loop.time() - began == pytest.approx(0.4, abs=0.01)
        await line.network.heal(LINK)
        began = line.loop.time()
        assert await line.say(b"fast") == b"fast"
        assert line.loop.time() - began < 0.01

    on_line(use)


@pytest.mark.parametrize(("direction", "arrives"), [("up", False), ("down", True), ("both", False)])
def test_a_blackhole_holds_its_direction_and_gives_it_back(direction: Any, arrives: bool, on_line: Any) -> None:
    async def use(line: Line) -> None:
        await line.network.blackhole(LINK, direction)
        assert await line.say(b"late") == b""
        assert bool(line.arrived) is arrives
        held = await line.network.counters(LINK)
        assert (held.up_held, held.down_held) == ((0, 4) if arrives else (4, 0))
        await line.network.heal(LINK, only="blackhole")
        assert await line.hear() == b"late"
        assert (await line.network.counters(LINK)).down_held == 0

    on_line(use)


def test_a_close_inside_a_blackhole_arrives_after_it(on_line: Any) -> None:
    async def use(line: Line) -> None:
        await line.network.blackhole(LINK)
        line.writer.write(b"last words")
        line.writer.close()
        await asyncio.sleep(5)
        assert line.arrived == []
        assert (await line.network.connections()) == {LINK: 1}
        await line.network.heal_all()
        await asyncio.sleep(1)
        assert line.arrived == [b"last words"]
        assert (await line.network.connections()) == {LINK: 0}

    on_line(use)


def test_down_closes_and_refuses_until_up(on_line: Any) -> None:
    async def use(line: Line) -> None:
        await line.network.down(LINK)
        assert await line.hear() == b""
        await asyncio.sleep(0.1)
        assert (await line.network.counters(LINK)).closed == 1
        with pytest.raises(ConnectionRefusedError):
            await line.connect()
        await line.network.up(LINK)
        await line.connect()
        assert await line.say(b"again") == b"again"

    on_line(use)


@pytest.mark.parametrize(("direction", "arrives"), [("up", []), ("down", [b"once"])])
def test_a_reset_loses_the_request_or_the_answer(direction: Any, arrives: list[bytes], on_line: Any) -> None:
    async def use(line: Line) -> None:
        await line.network.reset(LINK, 0, direction)
        assert await line.say(b"once") == b""
        assert line.arrived == arrives
        assert (await line.network.counters(LINK)).connections == 0

    on_line(use)


def test_a_drop_leaves_a_hole_and_closes_when_healed(on_line: Any) -> None:
    async def use(line: Line) -> None:
        await line.network.drop(LINK, 0, "up")
        assert await line.say(b"gone") == b""
        assert (await line.network.connections()) == {LINK: 1}
        await line.network.heal(LINK)
        await asyncio.sleep(1)
        assert line.arrived == []
        assert (await line.network.connections()) == {LINK: 0}

    on_line(use)


def test_limited_data_is_cut_in_the_middle(on_line: Any) -> None:
    async def use(line: Line) -> None:
        await line.network.limit_data(LINK, 6, "up")
        await line.say(b"0123456789")
        await asyncio.sleep(1)
        assert b"".join(line.arrived) == b"012345"
        assert (await line.network.connections()) == {LINK: 0}

    on_line(use)


def test_bandwidth_slices_and_slow_closes(on_line: Any) -> None:
    async def use(line: Line) -> None:
        await line.network.slice_(LINK, 2, 0, 1_000, "up")
        assert await line.say(b"abcdef", 0.01)
        await asyncio.sleep(1)
        assert line.arrived == [b"ab", b"cd", b"ef"]
        await line.network.heal_all()
        await line.network.bandwidth(LINK, 1, "up")
        began = line.loop.time()
        await line.hear(0.1)
        await line.say(bytes(3_000))
        assert line.loop.time() - began >= 3.0
        await line.network.heal_all()
        await line.network.slow_close(LINK, 5_000, "up")
        line.writer.close()
        await asyncio.sleep(4)
        assert (await line.network.counters(LINK)).closing == 1
        await asyncio.sleep(2)
        assert (await line.network.connections()) == {LINK: 0}

    on_line(use)


def test_a_verb_on_nothing_is_an_error_and_later_links_suffer_too(on_line: Any) -> None:
    async def use(line: Line) -> None:
        with pytest.raises(LinkError, match="no link matches"):
            await line.network.blackhole("nobody-*->server")
        await line.network.blackhole("*->server")
        await line.network.broker_address("late", "server")
        host, port = split_address(await line.network.broker_address("late", "server"))
        line.reader, line.writer = await asyncio.open_connection(host, port)
        line.writers.append(line.writer)
        assert await line.say(b"held") == b""
        assert (await line.network.counters("late->server")).up_held == 4
        with pytest.raises(LinkError, match="no node of this network"):
            await line.network.broker_address("client", "elsewhere")

    on_line(use)


def test_traffic_round_the_links_is_found(on_line: Any) -> None:
    async def use(line: Line) -> None:
        seen = {"client~server": None}
        line.network.guard("server", seen)
        await line.network.leak_check()
        seen["driver"] = None
        with pytest.raises(LinkError, match="driver reached server round its links"):
            await line.network.leak_check()
        await line.network.leak_check(allow=["driver:1"])

    on_line(use)


def test_single_frames_are_lost_doubled_and_held_until_healed(on_line: Any) -> None:
    async def use(line: Line) -> None:
        first, second = (encode(Command(10, opaque, 0)) for opaque in (1, 2))
        lost = FrameRule("drop", "request", frozenset({10}), times=1)
        with pytest.raises(LinkError, match="nobody sees single frames of client->server"):
            await line.network.frames(LINK, lost)
        line.network.see_frames(("peer->*",))
        host, port = split_address(await line.network.broker_address("peer", "server"))
        line.reader, line.writer = await asyncio.open_connection(host, port)
        line.writers.append(line.writer)
        await line.network.frames("peer->server", lost)
        assert await line.say(first + second) == second
        assert (await line.network.heal_frames("peer->server", lost)).acted == 1
        late = FrameRule("delay", "request", frozenset({10}), times=1, delay_ms=200)
        await line.network.frames("*->server", late)
        assert await line.say(first + second) == second
        assert await line.hear() == first
        held = FrameRule("hold", "request", frozenset({10}))
        await line.network.heal_frames("*->server", late)
        await line.network.frames("peer->*", held)
        assert await line.say(first, seconds=3) == b""
        await line.network.heal_all()
        assert await line.hear() == first
        assert await line.say(b"\xff\xff\xff\xffno frame") == b"\xff\xff\xff\xffno frame"

    on_line(use)
