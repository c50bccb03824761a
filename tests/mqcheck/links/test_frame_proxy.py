"""The frame proxy between a peer and a scripted NameServer: addresses change, all else passes, ends look like ends."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import pytest

from mqcheck.errors import LinkError
from mqcheck.links import frame_proxy
from mqcheck.links.frame_proxy import FrameProxy
from mqcheck.links.frame_rules import FrameRule, FrameRules
from mqcheck.rocketmq.frame import Command, FrameReader, Serialize, encode

REAL = "127.0.0.1:10911"
PROXIED = "127.0.0.1:20001"
ROUTE = b'{"brokerDatas":[{"brokerAddrs":{0:"127.0.0.1:10911"}}]}'


async def to_peer(found: frozenset[str]) -> Mapping[str, str]:
    return {REAL: PROXIED} if REAL in found else {}


async def to_server(found: frozenset[str]) -> Mapping[str, str]:
    return {PROXIED: REAL} if PROXIED in found else {}


class Watcher:
    def __init__(self) -> None:
        self.seen: list[str] = []

    def request(self, command: Command) -> None:
        self.seen.append(f"request {command.code} {command.fields.get('brokerAddr')}")

    def answer(self, command: Command) -> None:
        self.seen.append(f"answer {command.code}")

    def closed(self, by: str) -> None:
        self.seen.append(f"closed by {by}")


class Server:
    """A NameServer that records what it gets; `say` answers."""

    def __init__(self) -> None:
        self.got = b""
        self.ended = False
        self.writers: list[asyncio.StreamWriter] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.append(writer)
        try:
            while data := await reader.read(1 << 16):
                self.got += data
        except OSError:
            pass
        self.ended = True

    def say(self, data: bytes) -> None:
        self.writers[-1].write(data)


@asynccontextmanager
async def between(**options: Any) -> AsyncIterator[tuple[FrameProxy, Server, Any, Any]]:
    """A proxy, its NameServer, and the reader and writer of a connected peer."""
    server = Server()
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    upstream = f"127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    proxy = FrameProxy(upstream, **{"to_peer": to_peer, "to_server": to_server, **options})
    host, _, port = (await proxy.start()).rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        yield proxy, server, reader, writer
    finally:
        writer.transport.abort()
        await proxy.stop()
        await proxy.stop()
        listening.close()
        for each in server.writers:
            each.transport.abort()
        await asyncio.sleep(0.01)


def run(test: Any) -> None:
    asyncio.run(asyncio.wait_for(test, 30))


async def commands(reader: asyncio.StreamReader, count: int) -> list[Command]:
    frames, found = FrameReader(), []
    while len(found) < count:
        data = await asyncio.wait_for(reader.read(1 << 16), 10)
        assert data, "the stream ended early"
        found += frames.feed(data)
    return found


@pytest.mark.parametrize("serialize", list(Serialize))
@pytest.mark.parametrize("code", [105, 106, 901])
def test_routes_name_the_peers_own_proxies(until: Any, code: int, serialize: Serialize) -> None:
    async def test() -> None:
        async with between() as (_, server, reader, writer):
            asked = encode(Command(code, 9, 0, {"topic": "T"}, serialize=serialize))
            writer.write(asked[:10])
            await asyncio.sleep(0)
            writer.write(asked[10:])
            await until(lambda: server.got == asked)
            server.say(encode(Command(0, 9, 1, {"haServerAddr": REAL}, ROUTE, serialize=serialize)))
            (answer,) = await commands(reader, 1)
            assert answer.body == ROUTE.replace(REAL.encode(), PROXIED.encode())
            assert answer.fields["haServerAddr"] == PROXIED

    run(test())


def test_other_bodies_and_requests_upwards_keep_what_is_not_an_address_field(until: Any) -> None:
    async def test() -> None:
        async with between() as (_, server, reader, writer):
            body = b'{"t":"127.0.0.1:20001"}'
            writer.write(encode(Command(103, 1, 0, {"brokerAddr": PROXIED, "brokerName": "b"}, body)))
            expected = encode(Command(103, 1, 0, {"brokerAddr": REAL, "brokerName": "b"}, body))
            await until(lambda: server.got == expected)
            answer = encode(Command(0, 1, 1, {}, b'{"table":{"x":"127.0.0.1:10911"}}'))
            server.say(answer)
            assert await asyncio.wait_for(reader.readexactly(len(answer)), 10) == answer

    run(test())


def test_a_push_of_the_nameserver_is_rewritten_in_its_header(until: Any) -> None:
    async def test() -> None:
        async with between() as (_, server, reader, _):
            await until(lambda: bool(server.writers))
            server.say(encode(Command(905, 3, 2, {"minBrokerAddr": REAL})))
            (push,) = await commands(reader, 1)
            assert push.fields["minBrokerAddr"] == PROXIED

    run(test())


@pytest.mark.parametrize(
    "bad", [b"\xff\xff\xff\xffGET / HTTP/1.1\r\n", b"\0\0\0\x05\7\0\0\0x", b"\0\0\0\x08\0\0\0\4nope"]
)
def test_after_a_bad_frame_everything_passes_untouched(until: Any, bad: bytes) -> None:
    async def test() -> None:
        async with between() as (_, server, reader, writer):
            good = encode(Command(105, 1, 0, {"brokerAddr": PROXIED}))
            writer.write(good + bad + good)
            changed = encode(Command(105, 1, 0, {"brokerAddr": REAL}))
            await until(lambda: len(server.got) == len(changed + bad + good))
            assert server.got == changed + bad + good
            writer.write(good)
            await until(lambda: server.got.endswith(good + good))
            server.say(encode(Command(0, 1, 1, {}, ROUTE)))
            (answer,) = await commands(reader, 1)
            assert PROXIED.encode() in answer.body, "the other direction is still understood"

    run(test())


def test_a_torn_frame_arrives_torn_and_a_half_closed_peer_is_answered(until: Any) -> None:
    async def test() -> None:
        watcher = Watcher()
        async with between(watch=lambda: watcher) as (_, server, reader, writer):
            frame = encode(Command(105, 1, 0, {"topic": "T"}))
            writer.write(frame + frame[:11])
            writer.write_eof()
            await until(lambda: server.ended)
            assert server.got == frame + frame[:11]
            assert watcher.seen == ["request 105 None", "closed by peer"]
            server.say(encode(Command(0, 1, 1, {}, ROUTE)))
            (answer,) = await commands(reader, 1)
            assert PROXIED.encode() in answer.body
            assert watcher.seen[2:] == ["answer 0"]
            server.writers[-1].close()
            assert await asyncio.wait_for(reader.read(), 10) == b""

    run(test())


@pytest.mark.parametrize("how", ["close", "abort"])
def test_a_nameserver_that_closes_closes_the_peer_after_its_last_words(until: Any, how: str) -> None:
    async def test() -> None:
        watcher = Watcher()
        async with between(watch=lambda: watcher) as (_, server, reader, _):
            await until(lambda: bool(server.writers))
            if how == "close":
                server.say(b"\0\0\0\4\0\0")
                server.writers[-1].close()
            else:
                server.writers[-1].transport.abort()
            try:
                last = await asyncio.wait_for(reader.read(), 10)
            except ConnectionError:
                last = b""
            assert last == (b"\0\0\0\4\0\0" if how == "close" else b"")
            await until(lambda: watcher.seen == ["closed by server"])

    run(test())


def test_a_nameserver_that_is_not_there_closes_the_peer_at_once() -> None:
    async def test() -> None:
        async with between() as (proxy, _, _, _):
            idle = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
            proxy.upstream = f"127.0.0.1:{idle.sockets[0].getsockname()[1]}"
            idle.close()
            await idle.wait_closed()
            host, _, port = proxy.address.rpartition(":")
            reader, writer = await asyncio.open_connection(host, int(port))
            try:
                assert await asyncio.wait_for(reader.read(), 5) == b""
            except ConnectionError:
                pass
            writer.transport.abort()

    run(test())


def test_a_peer_that_goes_is_gone_at_the_nameserver_too(until: Any) -> None:
    async def test() -> None:
        watcher = Watcher()
        async with between(watch=lambda: watcher) as (proxy, server, _, writer):
            await until(lambda: bool(server.writers))
            assert proxy.upstream_locals == {"{}:{}".format(*server.writers[-1].get_extra_info("peername"))}
            writer.write(encode(Command(103, 4, 0, {"brokerAddr": REAL})))
            await until(lambda: bool(server.got))
            writer.transport.abort()
            await until(lambda: server.ended)
            assert watcher.seen == [f"request 103 {REAL}", "closed by peer"], "told before the NameServer can know"
            server.writers[-1].close()
            await until(lambda: not proxy.upstream_locals)

    run(test())


def test_stopping_ends_connections_by_us(until: Any) -> None:
    async def test() -> None:
        watcher = Watcher()
        async with between(watch=lambda: watcher) as (proxy, server, reader, _):
            await until(lambda: bool(server.writers))
            await proxy.stop()
            assert watcher.seen == ["closed by us"]
            try:
                assert await asyncio.wait_for(reader.read(), 5) == b""
            except ConnectionError:
                pass

    run(test())


def test_stopping_ends_a_connection_that_is_just_being_made(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test() -> None:
        proxy = FrameProxy("127.0.0.1:9", to_peer=to_peer, to_server=to_server)
        stopping: list[asyncio.Task[None]] = []
        made, end = socket.socketpair()
        reader, writer = await asyncio.open_connection(sock=made)

        async def connect(*_: object) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
            loop = asyncio.get_running_loop()
            loop.call_soon(lambda: stopping.append(loop.create_task(proxy.stop())))
            return reader, writer

        address, really_connect = await proxy.start(), asyncio.open_connection
        monkeypatch.setattr(asyncio, "open_connection", connect)
        _, peer = await really_connect(*address.split(":"))
        while not stopping:
            await asyncio.sleep(0.001)
        await asyncio.wait_for(stopping[0], 5)
        for each in (writer, peer):
            each.transport.abort()
        end.close()

    run(test())


def test_a_link_that_cannot_be_laid_is_reported_and_ends_the_connection(until: Any) -> None:
    async def test() -> None:
        async def broken(found: frozenset[str]) -> Mapping[str, str]:
            raise LinkError(f"no link for {sorted(found)}")

        failures: list[Exception] = []
        async with between(to_peer=broken, failed=failures.append) as (_, server, reader, writer):
            writer.write(encode(Command(105, 1)))
            await until(lambda: bool(server.got))
            server.say(encode(Command(0, 1, 1, {}, ROUTE)))
            try:
                assert await asyncio.wait_for(reader.read(), 5) == b""
            except ConnectionError:
                pass
            await until(lambda: [str(error) for error in failures] == ["no link for ['127.0.0.1:10911']"])

    run(test())


def test_limits_on_pending_requests_and_connections(until: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frame_proxy, "PENDING_MAX", 2)
    monkeypatch.setattr(frame_proxy, "CONNECTIONS_MAX", 1)

    async def test() -> None:
        async with between() as (proxy, server, reader, writer):
            asked = b"".join(encode(Command(105, opaque)) for opaque in range(3))
            writer.write(asked)
            await until(lambda: server.got == asked)
            server.say(encode(Command(0, 0, 1, {}, ROUTE)) + encode(Command(0, 2, 1, {}, ROUTE)))
            oldest, newest = await commands(reader, 2)
            assert oldest.body == ROUTE
            assert newest.body != ROUTE
            host, _, port = proxy.address.rpartition(":")
            second, other = await asyncio.open_connection(host, int(port))
            try:
                assert await asyncio.wait_for(second.read(), 5) == b""
            except ConnectionError:
                pass
            other.transport.abort()

    run(test())


def test_a_large_frame_passes(until: Callable[..., Any]) -> None:
    async def test() -> None:
        async with between() as (_, server, _, writer):
            frame = encode(Command(103, 1, 0, {"brokerAddr": REAL}, bytes(3_000_000)))
            writer.write(frame)
            await until(lambda: len(server.got) == len(frame))
            assert server.got == frame

    run(test())


def test_single_frames_are_lost_doubled_and_held_until_healed(until: Any) -> None:
    async def test() -> None:
        rules = FrameRules()
        options = {"to_peer": None, "to_server": None}
        line = partial(rules.line, "peer->server", asyncio.get_running_loop().call_later)
        async with between(line=line, **options) as (_, server, reader, writer):
            lost = FrameRule("drop", "request", frozenset({10}), times=1)
            rules.begin("*", lost)
            twice = FrameRule("duplicate", "request", frozenset({10}))
            rules.begin("*", twice)
            asked = [encode(Command(10, opaque, 0, {"brokerAddr": PROXIED})) for opaque in (1, 2)]
            writer.write(b"".join(asked))
            await until(lambda: server.got == asked[1] * 2)  # as it came: nothing is rewritten before a broker
            held = FrameRule("hold", "response", frozenset({10}))
            rules.begin("*", held)
            server.say(encode(Command(0, 2, 1)) + encode(Command(0, 2, 1)))
            (second,) = await commands(reader, 1)  # of the two answers the first is held
            assert second.opaque == 2
            assert rules.heal("*", held).released == 1
            (first,) = await commands(reader, 1)
            assert first.opaque == 2
            rules.begin("*", held)
            writer.write(encode(Command(10, 3, 0)))
            await until(lambda: len(server.got) > len(asked[1]) * 2)
            server.say(encode(Command(0, 3, 1)))
            server.writers[-1].close()
            assert await asyncio.wait_for(reader.read(), 10) == b""
            assert rules.heal("*", held).released == 0  # nobody is there any more

    run(test())
