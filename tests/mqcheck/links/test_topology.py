"""Links over the real Toxiproxy: felt, measured, healed, gone."""

from __future__ import annotations

import asyncio
import statistics
from typing import Any

import pytest

from mqcheck.errors import LinkError
from mqcheck.links.base import Counters
from mqcheck.links.frame_rules import FrameRule
from mqcheck.links.topology import Network
from mqcheck.links.toxiproxy import ToxiproxyServer
from mqcheck.rocketmq.frame import Command, encode

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

LINK = "producer-1->broker-a"


def names(server: ToxiproxyServer) -> set[str]:
    return {name for lane in server._lanes for name in lane._call("get", "/proxies").json()}


class World:
    """One network with one echoing broker, and a peer connected to it."""

    def __init__(self, network: Network, peer: Any, address: str) -> None:
        self.network = network
        self.peer = peer
        self.address = address


def run(toxiproxy: ToxiproxyServer, echo: Any, peer: Any, test: Any) -> None:
    async def go() -> None:
        network = Network(None, toxiproxy, prefix="test topology")
        try:
            async with echo() as address:
                await network.add_broker("broker-a", "broker-a", 0, address)
                async with peer(await network.broker_address("producer-1", "broker-a")) as connected:
                    await connected.ask()
                    await test(World(network, connected, address))
        finally:
            await network.close()
        assert names(toxiproxy) == set()

    asyncio.run(asyncio.wait_for(go(), 60))


def test_200_ms_of_latency_are_felt(toxiproxy: ToxiproxyServer, echo: Any, peer: Any) -> None:
    async def test(world: World) -> None:
        free = statistics.median([await world.peer.ask() for _ in range(9)])
        await world.network.latency(LINK, 200, direction="up")
        slow = [await world.peer.ask() for _ in range(5)]
        assert min(slow) >= 0.2
        before = await world.network.counters(LINK)
        assert before.up_received >= 1500
        await world.network.heal(LINK)
        assert min([await world.peer.ask() for _ in range(3)]) < 0.2
        assert free < 0.2

    run(toxiproxy, echo, peer, test)


@pytest.mark.parametrize("direction", ["up", "down"])
def test_a_one_way_blackhole_holds_bytes_and_delivers_them_when_healed(
    toxiproxy: ToxiproxyServer, echo: Any, peer: Any, direction: Any
) -> None:
    async def test(world: World) -> None:
        before = (await world.network.blackhole(LINK, direction))[LINK]
        world.peer.send(50_000)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(world.peer.reader.read(1), 0.3)
        during = await world.network.counters(LINK)
        held = {"up": during.up_held, "down": during.down_held}
        assert held.pop(direction) - (before.up_held if direction == "up" else before.down_held) == 50_000
        if direction == "down":
            assert during.up_sent - before.up_received >= 50_000, "the other way still flows"
        await world.network.heal(LINK)
        await world.peer.hear(50_000)
        assert (await world.network.counters(LINK)).connections == 1

    run(toxiproxy, echo, peer, test)


def test_new_connections_enter_a_blackhole_too(toxiproxy: ToxiproxyServer, echo: Any, peer: Any) -> None:
    async def test(world: World) -> None:
        await world.network.blackhole("producer-*->broker-?")
        late = await world.network.broker_address("producer-2", "broker-a")
        async with peer(late) as other:
            other.send(10)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(other.reader.read(1), 0.2)
            await world.network.heal_all()
            await other.hear(10)

    run(toxiproxy, echo, peer, test)


def test_healing_does_not_hang_on_a_peer_that_has_gone(toxiproxy: ToxiproxyServer, echo: Any, peer: Any) -> None:
    async def test(world: World) -> None:
        await world.network.blackhole(LINK, "down")
        for _ in range(40):
            world.peer.send(32_768)
            await asyncio.sleep(0.002)
        await asyncio.sleep(0.2)
        world.peer.close()
        await asyncio.wait_for(world.network.heal_all(), 10)
        async with peer(await world.network.broker_address("producer-1", "broker-a")) as again:
            await again.ask()

    run(toxiproxy, echo, peer, test)


@pytest.mark.parametrize("verb", ["reset", "drop", "limit_data", "down"])
def test_connections_are_cut_and_counted_and_come_back(
    toxiproxy: ToxiproxyServer, echo: Any, peer: Any, verb: str
) -> None:
    calls: dict[str, Any] = {
        "reset": lambda network: network.reset(LINK),
        "drop": lambda network: network.drop(LINK, 50),
        "limit_data": lambda network: network.limit_data(LINK, 10, "up"),
        "down": lambda network: network.down(LINK),
    }

    async def test(world: World) -> None:
        before = (await calls[verb](world.network))[LINK]
        assert (before.connections, before.accepted) == (1, 1)
        if verb != "down":
            world.peer.send(100)
        try:
            await asyncio.wait_for(world.peer.reader.read(), 20)
        except ConnectionError:
            pass
        address = await world.network.broker_address("producer-1", "broker-a")
        if verb == "down":
            with pytest.raises(ConnectionRefusedError):
                async with peer(address):
                    pass
        after = (await world.network.heal(LINK))[LINK]
        assert after.closed - before.closed == 1
        async with peer(address) as again:
            await again.ask()

    run(toxiproxy, echo, peer, test)


def test_a_new_connection_is_really_reset(toxiproxy: ToxiproxyServer, echo: Any, peer: Any) -> None:
    async def test(world: World) -> None:
        await world.network.reset(LINK, direction="up")
        async with peer(await world.network.broker_address("producer-1", "broker-a")) as other:
            other.send(10)
            with pytest.raises(ConnectionResetError):
                await asyncio.wait_for(other.reader.read(), 20)

    run(toxiproxy, echo, peer, test)


def test_verbs_add_up_and_heal_one_by_one(toxiproxy: ToxiproxyServer, echo: Any, peer: Any) -> None:
    async def test(world: World) -> None:
        network = world.network
        await network.latency(LINK, 60, direction="up")
        await network.bandwidth(LINK, 10_000)
        await network.slow_close(LINK, 10)
        await network.slice_(LINK, 20, 5, 10)
        await network.latency(LINK, 80, direction="down")
        proxy = network._links[LINK].proxies["main"]
        assert {toxic.name for toxic in proxy.lane.proxy(proxy.name).toxics} == {
            "latency_downstream",
            *(
                f"{verb}_{stream}"
                for verb in ("bandwidth", "slow_close", "slice")
                for stream in ("upstream", "downstream")
            ),
        }
        assert await world.peer.ask(500) >= 0.08
        await network.heal(LINK, only="latency")
        assert await world.peer.ask(500) < 0.08
        await network.heal(LINK)
        assert proxy.lane.proxy(proxy.name).toxics == ()

    run(toxiproxy, echo, peer, test)


def test_a_broker_that_moves_keeps_its_links(toxiproxy: ToxiproxyServer, echo: Any, peer: Any) -> None:
    async def test(world: World) -> None:
        async with echo() as elsewhere:
            address = await world.network.broker_address("producer-1", "broker-a")
            await world.network.add_broker("broker-a", "broker-a", 0, elsewhere)
            assert await world.peer.ended()
            assert await world.network.broker_address("producer-1", "broker-a") == address
            async with peer(address) as again:
                await again.ask()

    run(toxiproxy, echo, peer, test)


def test_bytes_are_told_apart_by_link(toxiproxy: ToxiproxyServer, echo: Any, peer: Any) -> None:
    async def test(world: World) -> None:
        async with peer(await world.network.broker_address("consumer-1", "broker-a")) as other:
            await other.ask(7000)
            await world.peer.ask(300)
            counters = await world.network.counters("consumer-1->broker-a")
            assert (counters.up_received, counters.down_received) == (7000, 7000)
            assert (await world.network.counters(LINK)).up_received == 400
            assert (await world.network.counters("*")).accepted == 2
            assert await world.network.connections() == {LINK: 1, "consumer-1->broker-a": 1}
            assert await world.network.connections("consumer-*") == {"consumer-1->broker-a": 1}

    run(toxiproxy, echo, peer, test)


def test_leak_check_names_a_direct_connection_and_passes_a_clean_one(
    toxiproxy: ToxiproxyServer, echo: Any, peer: Any
) -> None:
    async def test(world: World) -> None:
        await world.network.leak_check()
        async with peer(world.address) as direct:
            await direct.ask()
            host, port = direct.writer.get_extra_info("sockname")
            with pytest.raises(LinkError, match=rf"{host}:{port} -> broker-a \(main\).*python.*nameserver_addresses"):
                await world.network.leak_check()
            await world.network.leak_check(allow={f"{host}:{port}"})
        await world.network.leak_check()

    run(toxiproxy, echo, peer, test)


def test_a_connection_that_is_gone_at_the_next_look_is_no_leak(
    toxiproxy: ToxiproxyServer, echo: Any, peer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test(world: World) -> None:
        suspects, seen = world.network._suspects, []
        async with peer(world.address) as direct:
            await direct.ask()

            async def look(allow: Any) -> Any:
                found = await suspects(allow)
                seen.append(len(found))
                if len(seen) == 2:
                    direct.writer.transport.abort()
                    await asyncio.sleep(0)
                return found

            monkeypatch.setattr(world.network, "_suspects", look)
            await world.network.leak_check()
        assert seen == [1, 1, 0]

    run(toxiproxy, echo, peer, test)


def test_a_fault_on_nothing_is_a_mistake(toxiproxy: ToxiproxyServer, echo: Any, peer: Any) -> None:
    async def test(world: World) -> None:
        with pytest.raises(LinkError, match=r"no link matches 'nobody-\*'; laid so far: producer-1->broker-a"):
            await world.network.down("nobody-*")
        with pytest.raises(LinkError, match="broker-z is no node of this network; known: broker-a"):
            await world.network.down("producer-1->broker-z")
        with pytest.raises(LinkError, match="none was added"):
            await world.network.nameserver_addresses("producer-1")
        assert await world.network.counters("nobody") == Counters()

    run(toxiproxy, echo, peer, test)


def test_vip_port_stands_two_below_and_leads_to_the_vip_port(toxiproxy: ToxiproxyServer, echo: Any, peer: Any) -> None:
    async def test(world: World) -> None:
        proxies = world.network._links[LINK].proxies
        main, vip = (int(proxies[role].listen.rpartition(":")[2]) for role in ("main", "vip"))
        assert main - vip == 2
        real = int(world.address.rpartition(":")[2])
        assert proxies["vip"].upstream == f"127.0.0.1:{real - 2}"
        assert "ha" not in proxies

    run(toxiproxy, echo, peer, test)


def test_a_network_without_vip_lays_it_for_slaves_alone(toxiproxy: ToxiproxyServer) -> None:
    async def go() -> None:
        network = Network(None, toxiproxy, prefix="no vip", vip=False)
        try:
            await network.add_broker("broker-a", "broker-a", 0, "127.0.0.1:20000")
            await network.broker_address("producer-1", "broker-a")
            assert set(network._links[LINK].proxies) == {"main"}
            assert await network.connections() == {LINK: 0}
            await network.add_broker("broker-a-slave", "broker-a", 1, "127.0.0.1:20004")
            await network.broker_address("broker-a-slave", "broker-a")
            assert set(network._links["broker-a-slave->broker-a"].proxies) == {"main", "vip"}
            asked = await asyncio.gather(*(network.vip_address("producer-1", "broker-a") for _ in range(2)))
            vip = network._links[LINK].proxies["vip"]
            assert set(asked) == {vip.listen}
            assert vip.upstream == "127.0.0.1:19998"
            await network.down("producer-2->broker-a")
            host, _, port = (await network.vip_address("producer-2", "broker-a")).rpartition(":")
            with pytest.raises(ConnectionRefusedError):
                await asyncio.open_connection(host, int(port))
            await network.add_nameserver("nameserver-1", "127.0.0.1:20008")
            with pytest.raises(LinkError, match="producer-1->nameserver-1: nameserver-1 is no broker"):
                await network.vip_address("producer-1", "nameserver-1")
        finally:
            await network.close()

    asyncio.run(asyncio.wait_for(go(), 60))


def test_close_is_idempotent_and_final(toxiproxy: ToxiproxyServer, echo: Any, peer: Any) -> None:
    async def test(world: World) -> None:
        await world.network.close()
        await world.network.close()
        with pytest.raises(LinkError, match="closed"):
            await world.network.broker_address("producer-1", "broker-a")

    run(toxiproxy, echo, peer, test)


def test_single_frames_of_a_link_that_was_asked_for_are_hurt_and_healed(
    toxiproxy: ToxiproxyServer, echo: Any, peer: Any
) -> None:
    lost = FrameRule("drop", "request", frozenset({10}), times=2)

    async def go() -> None:
        network = Network(None, toxiproxy, prefix="test frames")
        network.see_frames(("producer-*->*",))
        try:
            async with echo() as address:
                await network.add_broker("broker-a", "broker-a", 0, address)
                await network.broker_address("search-1", "broker-a")
                with pytest.raises(LinkError, match="nobody sees single frames of search-1->broker-a"):
                    await network.frames("search-1->broker-a", lost)
                await network.frames(LINK, lost)
                async with peer(await network.broker_address("producer-1", "broker-a")) as connected:
                    frames = [encode(Command(10, opaque, 0)) for opaque in range(4)]
                    connected.writer.write(b"".join(frames))
                    assert await connected.reader.readexactly(len(frames[0]) * 2) == frames[2] + frames[3]
                    await network.leak_check()
                    counted = await network.counters(LINK)
                    assert (counted.up_received, counted.down_sent) == (len(frames[0]) * 4, len(frames[0]) * 2)
                    assert (await network.heal_frames(LINK, lost)).acted == 2
                    connected.writer.write(b"".join(frames))
                    assert await connected.reader.readexactly(len(frames[0]) * 4) == b"".join(frames)
                async with echo() as moved:
                    await network.add_broker("broker-a", "broker-a", 0, moved)
                    async with peer(await network.broker_address("producer-1", "broker-a")) as connected:
                        await network.frames(LINK, lost)
                        connected.writer.write(frames[0] * 2 + frames[1])
                        assert await connected.reader.readexactly(len(frames[1])) == frames[1]
                        await network.heal_all()
                        connected.writer.write(frames[0] * 2)
                        assert await connected.reader.readexactly(len(frames[0]) * 2) == frames[0] * 2
        finally:
            await network.close()
        assert names(toxiproxy) == set()

    asyncio.run(asyncio.wait_for(go(), 60))
