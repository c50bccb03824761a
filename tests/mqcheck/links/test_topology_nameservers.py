"""Links to NameServers and to masters: routes lead through the peer's own links, registrations are tapped."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from mqcheck.clock import RealClock
from mqcheck.errors import LinkError
from mqcheck.history.recorder import Recorder
from mqcheck.links.topology import Network
from mqcheck.links.toxiproxy import ToxiproxyServer
from mqcheck.rocketmq.frame import Command, FrameReader, encode

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


class NameServer:
    """Remembers who registered, answers slaves with their master, gives everybody's real address in routes."""

    def __init__(self) -> None:
        self.brokers: dict[str, dict[str, str]] = {}
        self.unregistered: list[str] = []
        self.server: asyncio.Server | None = None
        self.address = ""
        self.writers: list[asyncio.StreamWriter] = []

    async def start(self, port: int = 0) -> str:
        self.server = await asyncio.start_server(self._serve, "127.0.0.1", port)
        self.address = f"127.0.0.1:{self.server.sockets[0].getsockname()[1]}"
        return self.address

    def kill(self) -> None:
        assert self.server is not None
        self.server.close()
        for writer in self.writers:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.append(writer)
        frames = FrameReader()
        try:
            while data := await reader.read(1 << 16):
                for command in frames.feed(data):
                    writer.write(encode(self._answer(command)))
        except OSError:
            pass
        writer.transport.abort()

    def _answer(self, command: Command) -> Command:
        fields, body = {}, b""
        if command.code == 103:
            self.brokers[command.fields["brokerAddr"]] = dict(command.fields)
            for each in self.brokers.values():
                if command.fields["brokerId"] != "0" and each["brokerId"] == "0":
                    fields = {"masterAddr": each["brokerAddr"], "haServerAddr": each["haServerAddr"]}
        elif command.code == 104:
            self.unregistered.append(command.fields["brokerAddr"])
        else:
            addresses = {each["brokerId"]: each["brokerAddr"] for each in self.brokers.values()}
            body = json.dumps({"brokerDatas": [{"brokerName": "broker-a", "brokerAddrs": addresses}]}).encode()
        return Command(0, command.opaque, 1, fields, body)


class Caller:
    """Asks one frame at a time."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def to(cls, address: str) -> Caller:
        host, _, port = address.rpartition(":")
        return cls(*await asyncio.open_connection(host, int(port)))

    async def ask(self, code: int, **fields: str) -> Command:
        self.writer.write(encode(Command(code, 5, 0, fields)))
        frames = FrameReader()
        while True:
            data = await asyncio.wait_for(self.reader.read(1 << 16), 10)
            assert data, "closed"
            for command in frames.feed(data):
                return command

    async def register(self, address: str, broker_id: int = 0) -> Command:
        host, _, port = address.rpartition(":")
        return await self.ask(
            103,
            brokerAddr=address,
            brokerName="broker-a",
            brokerId=str(broker_id),
            haServerAddr=f"{host}:{int(port) + 1}",
        )

    def close(self) -> None:
        self.writer.transport.abort()


def rows(path: Path, table: str) -> list[dict[str, Any]]:
    merged: dict[int, dict[str, Any]] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        entry = json.loads(line)
        if entry["e"] == table:
            merged.setdefault(entry["op"], {}).update(entry)
    return list(merged.values())


def run(toxiproxy: ToxiproxyServer, tmp_path: Path, test: Any) -> Path:
    recorder = Recorder(tmp_path, run="r", process="kit", number=0, clock=RealClock())

    async def go() -> None:
        network, nameserver = Network(recorder, toxiproxy, prefix="test-ns"), NameServer()
        await network.add_nameserver("nameserver-1", await nameserver.start())
        try:
            await test(network, nameserver)
        finally:
            await network.close()
            nameserver.kill()
            await asyncio.sleep(0.01)

    asyncio.run(asyncio.wait_for(go(), 60))
    recorder.close()
    return recorder.path


def test_a_client_finds_brokers_at_its_own_links(
    toxiproxy: ToxiproxyServer, tmp_path: Path, echo: Any, peer: Any, until: Any
) -> None:
    async def test(network: Network, nameserver: NameServer) -> None:
        async with echo() as real:
            broker = await Caller.to((await network.nameserver_addresses("broker-a"))[0])
            answer = await broker.register(real)
            assert answer.code == 0
            assert list(nameserver.brokers) == [real]
            seen = set()
            for name in ("producer-1", "consumer-1"):
                (address,) = await network.nameserver_addresses(name)
                client = await Caller.to(address)
                route = json.loads((await client.ask(105, topic="T")).body)
                found = route["brokerDatas"][0]["brokerAddrs"]["0"]
                assert found == await network.broker_address(name, "broker-a") != real
                async with peer(found) as connected:
                    await connected.ask()
                seen.add(found)
                client.close()
            assert len(seen) == 2
            assert network.links("*->broker-a") == ["producer-1->broker-a", "consumer-1->broker-a"]
            await network.leak_check()
            await broker.ask(104, brokerAddr=real, brokerName="broker-a", brokerId="0")
            broker.close()
            await until(lambda: any(row.get("closed") for row in rows(network._recorder.path, "connections")))

    path = run(toxiproxy, tmp_path, test)
    registrations = rows(path, "registrations")
    assert [(row["kind"], row["outcome"], row["code"]) for row in registrations] == [
        ("register", "ok", 0),
        ("unregister", "ok", 0),
    ]
    assert {(row["node"], row["broker"], row["broker_id"], row["nameserver"]) for row in registrations} == {
        ("broker-a", "broker-a", 0, "nameserver-1")
    }
    (connection,) = rows(path, "connections")
    assert (connection["link"], connection["node"], connection["closed_by"]) == (
        "broker-a->nameserver-1",
        "nameserver-1",
        "peer",
    )
    assert connection["opened"] < connection["closed"]


def test_a_slave_is_sent_to_its_masters_through_links_of_its_own(
    toxiproxy: ToxiproxyServer, tmp_path: Path, echo: Any, peer: Any
) -> None:
    async def test(network: Network, nameserver: NameServer) -> None:
        async with echo() as real, echo() as ha:
            await network.add_broker("broker-a", "broker-a", 0, real, ha)
            master = await Caller.to((await network.nameserver_addresses("broker-a"))[0])
            await master.ask(103, brokerAddr=real, brokerName="broker-a", brokerId="0", haServerAddr=ha)
            slave = await Caller.to((await network.nameserver_addresses("broker-a-slave"))[0])
            answer = await slave.register("127.0.0.1:9", 1)
            assert answer.fields["masterAddr"] == await network.broker_address("broker-a-slave", "broker-a") != real
            assert answer.fields["haServerAddr"] not in (ha, real, answer.fields["masterAddr"])
            async with peer(answer.fields["haServerAddr"]) as replication:
                await replication.ask()
                await network.blackhole("broker-a-slave->broker-a", "up")
                replication.send(500)
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(replication.reader.read(1), 0.2)
                await network.heal_all()
                await replication.hear(500)
                await network.leak_check()
                async with peer(ha):
                    with pytest.raises(LinkError, match=r"broker-a \(ha\)"):
                        await network.leak_check()
            master_again = await master.ask(105)
            assert real.encode() in master_again.body, "a broker sees its own address as it is"
            master.close()
            slave.close()

    path = run(toxiproxy, tmp_path, test)
    slaves = [row for row in rows(path, "registrations") if row["node"] == "broker-a-slave"]
    assert [(row["broker"], row["broker_id"]) for row in slaves] == [("broker-a", 1)]
    assert slaves[0]["master_address"] != slaves[0]["ha_address"]


def test_a_killed_nameserver_looks_killed_and_one_that_comes_back_is_found(
    toxiproxy: ToxiproxyServer, tmp_path: Path
) -> None:
    async def test(network: Network, nameserver: NameServer) -> None:
        (address,) = await network.nameserver_addresses("broker-a")
        broker = await Caller.to(address)
        await broker.register("127.0.0.1:9")
        nameserver.kill()
        try:
            assert await asyncio.wait_for(broker.reader.read(), 5) == b""
        except ConnectionError:
            pass
        broker.close()
        refused = await Caller.to(address)
        try:
            assert await asyncio.wait_for(refused.reader.read(), 5) == b""
        except ConnectionError:
            pass
        refused.close()
        again = NameServer()
        await network.add_nameserver("nameserver-1", await again.start())
        broker = await Caller.to(address)
        await broker.register("127.0.0.1:9")
        assert list(again.brokers) == ["127.0.0.1:9"]
        broker.close()
        again.kill()

    path = run(toxiproxy, tmp_path, test)
    assert rows(path, "connections")[0].get("closed_by") == "server"


def test_a_registration_held_in_a_blackhole_is_recorded_when_it_arrives(
    toxiproxy: ToxiproxyServer, tmp_path: Path
) -> None:
    async def test(network: Network, nameserver: NameServer) -> None:
        (address,) = await network.nameserver_addresses("broker-a")
        broker = await Caller.to(address)
        await broker.register("127.0.0.1:9")
        await network.blackhole("broker-a->nameserver-1", "up")
        late = asyncio.ensure_future(broker.register("127.0.0.1:9"))
        await asyncio.sleep(0.1)
        assert len(rows(network._recorder.path, "registrations")) == 1, "a tap sees only what arrives"
        held = (await network.heal("broker-a->nameserver-1"))["broker-a->nameserver-1"]
        assert held.up_held > 100
        assert (await late).code == 0
        assert len(rows(network._recorder.path, "registrations")) == 2
        broker.close()

    run(toxiproxy, tmp_path, test)


def test_a_client_that_registers_a_ghost_is_no_node(toxiproxy: ToxiproxyServer, tmp_path: Path) -> None:
    async def test(network: Network, nameserver: NameServer) -> None:
        (address,) = await network.nameserver_addresses("probe-1")
        probe = await Caller.to(address)
        await probe.register("127.0.0.1:9")
        assert b"127.0.0.1:9" in (await probe.ask(105)).body
        assert network.links() == ["probe-1->nameserver-1"]
        probe.close()

    run(toxiproxy, tmp_path, test)
