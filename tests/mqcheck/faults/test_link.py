"""Faults of links: which verb, which effect, what heals; on counted numbers, and on the real Toxiproxy."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator, Mapping
from types import SimpleNamespace
from typing import Any, get_args

import pytest

from mqcheck.clock import RealClock
from mqcheck.errors import LinkError
from mqcheck.faults.base import Ground
from mqcheck.faults.link import (
    Bandwidth,
    Blackhole,
    Down,
    Drop,
    Latency,
    LimitData,
    LinkFault,
    Reset,
    Slice,
    SlowClose,
    partition,
)
from mqcheck.links.base import Counters, Direction
from mqcheck.links.topology import Network
from mqcheck.links.toxiproxy import ToxiproxyServer

LINK = "producer-1->broker-a"
ALL: list[type[LinkFault]] = [Latency, Bandwidth, Blackhole, Drop, Reset, SlowClose, Slice, LimitData, Down]


class FakeNetwork:
    """Remembers calls; counts what it is told to."""

    def __init__(self, before: Counters, after: Counters) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.before, self.after = before, after

    def __getattr__(self, verb: str) -> Any:
        async def call(*arguments: Any, **named: Any) -> Mapping[str, Counters]:
            self.calls.append((verb, *arguments, *named.items()))
            return {LINK: self.after if verb == "heal" else self.before}

        return call


def ground(network: Any) -> Ground:
    return Ground(network, SimpleNamespace(), SimpleNamespace(), RealClock(), random.Random(0))  # type: ignore[arg-type]


def through(fault: LinkFault, before: Counters, after: Counters) -> tuple[FakeNetwork, Mapping[str, Any]]:
    network = FakeNetwork(before, after)

    async def go() -> Mapping[str, Any]:
        await fault.inject(ground(network))
        return await fault.heal(ground(network))

    return network, asyncio.run(go())


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.kind)
def test_without_effect_nothing_is_confirmed(kind: type[LinkFault]) -> None:
    steady = Counters(500, 480, 300, 290, connections=2, accepted=5, closing=1)
    fault = kind(LINK)
    network, effect = through(fault, steady, steady)
    assert set(effect.values()) == {0}
    assert not fault.confirmed(effect)
    assert network.calls[-1] == ("heal", LINK, ("only", fault.verb))
    assert (fault.link, fault.node, fault.direction) == (LINK, None, "both")
    assert fault.needs in {"latency", "partition"}


BEFORE = Counters(up_received=100, up_sent=100, down_received=50, down_sent=50, connections=1, accepted=1)
AFTER = Counters(up_received=170, up_sent=140, down_received=70, down_sent=55, connections=2, accepted=6, closing=1)


@pytest.mark.parametrize(
    ("kind", "both", "up", "down"),
    [
        (Latency, {"bytes_delayed": 90}, {"bytes_delayed": 70}, {"bytes_delayed": 20}),
        (Bandwidth, {"bytes_slowed": 90}, {"bytes_slowed": 70}, {"bytes_slowed": 20}),
        (Slice, {"bytes_sliced": 90}, {"bytes_sliced": 70}, {"bytes_sliced": 20}),
        (Blackhole, {"bytes_held": 45}, {"bytes_held": 30}, {"bytes_held": 15}),
        (
            Drop,
            {"bytes_lost": 45, "connections_closed": 4},
            {"bytes_lost": 30, "connections_closed": 4},
            {"bytes_lost": 15, "connections_closed": 4},
        ),
        (Reset, {"connections_reset": 4}, {"connections_reset": 4}, {"connections_reset": 4}),
        (SlowClose, {"closings_delayed": 5}, {"closings_delayed": 5}, {"closings_delayed": 5}),
        (LimitData, {"connections_cut": 4}, {"connections_cut": 4}, {"connections_cut": 4}),
        (Down, {"connections_closed": 4}, {"connections_closed": 4}, {"connections_closed": 4}),
    ],
    ids=lambda value: getattr(value, "kind", ""),
)
def test_the_effect_is_what_its_direction_counted(
    kind: type[LinkFault], both: Mapping[str, int], up: Mapping[str, int], down: Mapping[str, int]
) -> None:
    for way, expected in (("both", both), ("up", up), ("down", down)):
        fault = kind(LINK, way)  # type: ignore[arg-type]
        _, effect = through(fault, BEFORE, AFTER)
        assert effect == expected
        assert fault.confirmed(effect)


def test_numbers_reach_the_network_and_the_history() -> None:
    wanted: list[tuple[LinkFault, tuple[Any, ...], Mapping[str, Any]]] = [
        (Latency(LINK, "up", 5, 2), ("latency", LINK, 5, 2, "up"), {"ms": 5, "jitter_ms": 2}),
        (Bandwidth(LINK, "up", 7), ("bandwidth", LINK, 7, "up"), {"kb_per_s": 7}),
        (Blackhole(LINK, "down"), ("blackhole", LINK, "down"), {}),
        (Drop(LINK, "up", 9), ("drop", LINK, 9, "up"), {"after_ms": 9}),
        (Reset(LINK, "up", 3), ("reset", LINK, 3, "up"), {"after_ms": 3}),
        (SlowClose(LINK, "up", 4), ("slow_close", LINK, 4, "up"), {"ms": 4}),
        (
            Slice(LINK, "up", 8, 2, 1),
            ("slice_", LINK, 8, 2, 1, "up"),
            {"average_bytes": 8, "variation_bytes": 2, "delay_us": 1},
        ),
        (LimitData(LINK, "up", 6), ("limit_data", LINK, 6, "up"), {"limit_bytes": 6}),
        (Down(LINK), ("down", LINK), {}),
    ]
    for fault, call, parameters in wanted:
        network, _ = through(fault, BEFORE, AFTER)
        assert network.calls[0] == call
        assert fault.parameters() == parameters


def test_kinds_are_those_of_the_history_and_each_says_what_it_reveals() -> None:
    assert [kind.kind for kind in ALL] == [
        "latency", "bandwidth", "blackhole", "drop", "reset", "slow-close", "slice", "limit-data", "down",
    ]  # fmt: skip
    for kind in ALL:
        assert "Reveals" in (kind.__doc__ or "")
    assert set(get_args(Direction)) == {"up", "down", "both"}


def test_a_partition_is_a_blackhole_per_link() -> None:
    cut = partition(["a->b", "c->b"], "up")
    assert [(fault.kind, fault.link, fault.direction) for fault in cut] == [
        ("blackhole", "a->b", "up"),
        ("blackhole", "c->b", "up"),
    ]
    assert str(cut[0]) == "blackhole on a->b"


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(1 << 16):
            writer.write(data)
    except OSError:
        pass
    finally:
        writer.transport.abort()


async def _open(address: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    host, _, port = address.rpartition(":")
    return await asyncio.open_connection(host, int(port))


async def _asks(address: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await _open(address)
    writer.write(b"x")
    assert await asyncio.wait_for(reader.readexactly(1), 10) == b"x"
    return reader, writer


async def _use(address: str, closing: bool) -> None:
    """Ask for what the fault may or may not let through."""
    reader, writer = await _open(address)
    writer.write(b"x" * 2000)
    try:
        await asyncio.wait_for(reader.readexactly(2000), 0.3)
    except (OSError, TimeoutError, asyncio.IncompleteReadError):
        pass
    if closing:
        writer.close()
        await asyncio.sleep(0.1)
    writer.transport.abort()


async def _prove(network: Network, kind: type[LinkFault], address: str) -> None:
    _reader, kept = await _asks(address)
    fault = kind(LINK)
    await fault.inject(ground(network))
    if kind is Down:
        with pytest.raises(ConnectionRefusedError):
            await _use(address, False)
    else:
        await _use(address, kind is SlowClose)
    effect = await fault.heal(ground(network))
    assert fault.confirmed(effect), effect
    kept.transport.abort()
    _reader, again = await _asks(address)
    again.transport.abort()


@pytest.fixture(scope="module")
def server() -> Iterator[ToxiproxyServer]:
    server = ToxiproxyServer.start()
    yield server
    server.stop()


@pytest.mark.e2e
@pytest.mark.slow
@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.kind)
def test_every_fault_proves_its_effect_on_the_real_toxiproxy_and_heals(
    server: ToxiproxyServer, kind: type[LinkFault]
) -> None:
    async def go() -> None:
        network = Network(None, server, prefix="faults")
        broker = await asyncio.start_server(_serve, "127.0.0.1", 0)
        try:
            port = broker.sockets[0].getsockname()[1]
            await network.add_broker("broker-a", "broker-a", 0, f"127.0.0.1:{port}")
            await _prove(network, kind, await network.broker_address("producer-1", "broker-a"))
            with pytest.raises(LinkError, match="no link matches"):
                await kind("nobody*").inject(ground(network))
        finally:
            await network.close()
            broker.close()
            await asyncio.sleep(0.05)

    asyncio.run(asyncio.wait_for(go(), 60))
