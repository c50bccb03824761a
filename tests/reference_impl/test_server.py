"""The shell over real sockets: frames, garbage, effects, outgoing calls, flushes, idle closing, stopping."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from reference_impl.calls import Calls
from reference_impl.connection import Listener
from reference_impl.effects import Call, Close, Effect, NeedFlush, Push, Reply
from reference_impl.errors import ReferenceBugError
from reference_impl.frame import Command, FrameReader, encode
from reference_impl.server import Server
from reference_impl.vip import refuse_on_vip


class EchoCore:
    """Answers with what came, and does what the field ``do`` asks for; remembers everything it was told."""

    def __init__(self) -> None:
        self.told: list[tuple[Any, ...]] = []
        self.arrivals: list[tuple[int, int]] = []
        self.served_ms: list[int] = []
        self.deadline: int | None = None
        self.on_start: list[Effect] = []
        self.on_stop: list[Effect] = []
        self.waiting: list[Effect] = []
        self.others: list[asyncio.AbstractServer] = []

    def start(self, now_ms: int) -> list[Effect]:
        return self.on_start

    def arrived(self, now_ms: int, count: int) -> None:
        self.arrivals.append((now_ms, count))

    def request(self, now_ms: int, conn: int, peer: tuple[str, int], command: Command) -> list[Effect]:
        self.told.append(("request", conn, command.code))
        self.served_ms.append(now_ms)
        match command.fields.get("do"):
            case "close":
                return [Close(conn)]
            case "push":
                return [Push(conn, Command(40, flag=2)), Reply(conn, command.reply(0))]
            case "break":
                raise RuntimeError("planted")
            case "flush":
                self.waiting.append(Reply(conn, command.reply(0)))
                return [NeedFlush(True)]
            case "huge":
                return [Reply(conn, command.reply(0, body=bytes(17 << 20))), Reply(conn, command.reply(1))]
            case "tick":
                self.deadline = now_ms + 20
                self.waiting.append(Reply(conn, command.reply(0)))
                return []
        return [Reply(conn, command.reply(0, body=command.body))]

    def closed(self, now_ms: int, conn: int) -> list[Effect]:
        self.told.append(("closed", conn))
        return []

    def tick(self, now_ms: int) -> list[Effect]:
        if self.deadline is None or now_ms < self.deadline:
            return []
        self.deadline = None
        return self._release()

    def next_deadline_ms(self) -> int | None:
        return self.deadline

    def response(self, now_ms: int, token: str, command: Command | None) -> list[Effect]:
        self.told.append(("response", token, None if command is None else command.code))
        return []

    def flushed(self, now_ms: int, position: int) -> list[Effect]:
        self.told.append(("flushed", position))
        return self._release()

    def stop(self, now_ms: int) -> list[Effect]:
        return self.on_stop

    def _release(self) -> list[Effect]:
        effects, self.waiting = self.waiting, []
        return effects


class Log:
    """A store that counts its syncs and can be held or made to fail."""

    def __init__(self) -> None:
        self.appended_position = 10
        self.synced_position = 0
        self.syncs = 0
        self.failures = 0
        self.gate = threading.Event()
        self.gate.set()

    def sync(self) -> int:
        position = self.appended_position
        self.gate.wait()
        self.syncs += 1
        if self.failures:
            self.failures -= 1
            raise OSError("no")
        self.synced_position = position
        return position


class Client:
    """A raw connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.frames = FrameReader()
        self.got: list[Command] = []

    async def ask(self, command: Command) -> Command:
        self.writer.write(encode(command))
        return await self.next()

    async def close(self) -> None:
        self.writer.close()
        with contextlib.suppress(OSError):
            await self.writer.wait_closed()

    async def next(self) -> Command:
        while not self.got:
            data = await self.reader.read(65536)
            if not data:
                raise EOFError
            self.got += self.frames.feed(data)
        return self.got.pop(0)


Body = Callable[[EchoCore, Server, Callable[[], Awaitable[Client]]], Awaitable[None]]


def serve(body: Body, *, core: EchoCore | None = None, **options: Any) -> list[str]:
    """Run ``body`` against a server on a free port; gives what was logged."""
    lines: list[str] = []
    core = core or EchoCore()

    async def run() -> None:
        settings = {"clock_ms": lambda: time.time_ns() // 1_000_000, "idle_close_ms": 60_000, "log": lines.append}
        server = Server(core, **(settings | options))
        await server.start([Listener("127.0.0.1", 0)])
        port = server.addresses[0][1]
        clients: list[Client] = []

        async def connect() -> Client:
            clients.append(Client(*await asyncio.open_connection("127.0.0.1", port)))
            return clients[-1]

        await asyncio.wait_for(body(core, server, connect), 20)
        await server.stop()
        for other in core.others:
            other.close()
        for client in clients:
            await client.close()
        handlers = asyncio.all_tasks() - {asyncio.current_task()}
        if handlers:
            await asyncio.wait(handlers, timeout=5)

    asyncio.run(run())
    return lines


def test_many_requests_on_one_connection_are_answered_by_opaque() -> None:
    async def body(core: EchoCore, server: Server, connect: Any) -> None:
        client = await connect()
        for opaque in range(20):
            client.writer.write(encode(Command(1, opaque, body=b"x" * opaque)))
        answers = [await client.next() for _ in range(20)]
        assert [(answer.opaque, len(answer.body)) for answer in answers] == [(number, number) for number in range(20)]

    assert serve(body) == []


def test_the_core_is_told_since_when_the_bytes_were_there_and_when_each_has_its_turn() -> None:
    clock = iter(range(1000, 100_000, 100))

    async def body(core: EchoCore, server: Server, connect: Any) -> None:
        one, other = await connect(), await connect()
        assert [(await client.ask(Command(1, 1))).opaque for client in (one, other)] == [1, 1]
        core.arrivals.clear()
        core.served_ms.clear()
        connections = list(server._connections.values())
        for connection, count in zip(connections, (3, 2), strict=True):
            connection.data_received(b"".join(encode(Command(1, opaque)) for opaque in range(count)))
        assert [(await one.next()).opaque for _ in range(3)] == [0, 1, 2]
        assert [(await other.next()).opaque for _ in range(2)] == [0, 1]
        (first_ms, _), (second_ms, _) = core.arrivals
        assert sorted(count for _, count in core.arrivals) == [2, 3]
        assert first_ms == second_ms, "found by one look"
        assert core.served_ms == sorted(core.served_ms)
        assert first_ms < core.served_ms[0] < core.served_ms[-1], "each has its own turn"
        await one.ask(Command(1, 9))
        assert core.arrivals[-1][0] > core.served_ms[-2], "the next look finds newer bytes"

    serve(body, clock_ms=lambda: next(clock))


@pytest.mark.parametrize("garbage", [b"\xff" * 8, b"GET / HTTP/1.1\r\n\r\n", b"\0\0\0\6\7\0\0\2{}"])
def test_garbage_closes_its_connection_alone(garbage: bytes) -> None:
    async def body(core: EchoCore, server: Server, connect: Any) -> None:
        good, bad = await connect(), await connect()
        assert (await good.ask(Command(1, 1))).opaque == 1
        bad.writer.write(encode(Command(1, 5)) + garbage)
        assert (await bad.next()).opaque == 5
        with pytest.raises(EOFError):
            await bad.next()
        assert (await good.ask(Command(1, 2))).opaque == 2
        assert core.told.count(("closed", 2)) == 1

    serve(body)


def test_effects_are_carried_out_in_order() -> None:
    async def body(core: EchoCore, server: Server, connect: Any) -> None:
        client = await connect()
        pushed = await client.ask(Command(1, 3, fields={"do": "push"}))
        assert (pushed.code, pushed.is_oneway) == (40, True)
        assert (await client.next()).opaque == 3
        assert (await client.ask(Command(1, 4, fields={"do": "tick"}))).opaque == 4
        client.writer.write(encode(Command(1, 5, fields={"do": "close"})))
        with pytest.raises(EOFError):
            await client.next()

    serve(body)


def test_a_core_that_breaks_loses_the_connection_and_goes_on() -> None:
    async def body(core: EchoCore, server: Server, connect: Any) -> None:
        client = await connect()
        client.writer.write(encode(Command(1, 5, fields={"do": "break"})))
        with pytest.raises(EOFError):
            await client.next()
        other = await connect()
        assert (await other.ask(Command(1, 6))).opaque == 6

    (line,) = serve(body)
    assert "RuntimeError: planted" in line


def test_an_answer_too_long_for_a_frame_is_dropped_and_logged() -> None:
    async def body(core: EchoCore, server: Server, connect: Any) -> None:
        client = await connect()
        assert (await client.ask(Command(1, 5, fields={"do": "huge"}))).code == 1

    (line,) = serve(body)
    assert "send less" in line


def test_a_silent_connection_is_closed_and_a_busy_one_is_not() -> None:
    async def body(core: EchoCore, server: Server, connect: Any) -> None:
        silent, busy = await connect(), await connect()

        async def chat() -> None:
            while True:
                await busy.ask(Command(1))
                await asyncio.sleep(0.02)

        task = asyncio.ensure_future(chat())
        with pytest.raises(EOFError):
            await silent.next()
        assert not task.done()
        task.cancel()

    serve(body, idle_close_ms=300)


def test_one_sync_answers_all_that_waited_and_a_failed_one_is_tried_again() -> None:
    log = Log()

    async def body(core: EchoCore, server: Server, connect: Any) -> None:
        client = await connect()
        log.gate.clear()
        for opaque in range(10):
            client.writer.write(encode(Command(1, opaque, fields={"do": "flush"})))
        while len(core.waiting) < 10:
            await asyncio.sleep(0.01)
        log.gate.set()
        assert sorted([(await client.next()).opaque for _ in range(10)]) == list(range(10))
        assert log.syncs <= 3
        log.failures = 1
        log.appended_position = 20
        assert (await client.ask(Command(1, 77, fields={"do": "flush"}))).opaque == 77
        assert ("flushed", 20) in core.told

    (line,) = serve(body, store=log, flush_interval_ms=60_000)
    assert "tried again" in line


def test_the_period_and_the_stop_sync_too() -> None:
    log = Log()

    async def body(core: EchoCore, server: Server, connect: Any) -> None:
        while ("flushed", 10) not in core.told:
            await asyncio.sleep(0.01)
        assert log.syncs == 1
        log.appended_position = 30

    serve(body, store=log, flush_interval_ms=200)
    assert log.synced_position == 30


def test_what_came_together_is_answered_in_order_before_a_bad_frame_ends_it() -> None:
    async def body(core: EchoCore, server: Server, connect: Any) -> None:
        client = await connect()
        good = b"".join(encode(Command(1, opaque, body=bytes(100_000))) for opaque in range(8))
        client.writer.write(good + b"\xff\xff\xff\xff")
        assert [(await client.next()).opaque for _ in range(8)] == list(range(8))
        with pytest.raises(EOFError):
            await client.next()

    serve(body)


def test_a_port_may_refuse() -> None:
    async def run() -> None:
        server = Server(EchoCore(), clock_ms=lambda: 0, idle_close_ms=60_000)
        await server.start([Listener("127.0.0.1", 0, refuse=refuse_on_vip)])
        client = Client(*await asyncio.open_connection(*server.addresses[0]))
        refused = await client.ask(Command(11, 1))
        assert (refused.code, refused.remark) == (3, " request type 11 not supported")
        assert (await client.ask(Command(10, 2))).code == 0
        await client.close()
        await server.stop()

    asyncio.run(run())


def test_calls_are_answered_and_a_broken_connection_is_opened_again() -> None:
    async def body(core: EchoCore, server: Server, connect: Any) -> None:
        address = f"127.0.0.1:{server.addresses[0][1]}"
        server.carry([Call(address, Command(1), "first", 5000), Call(address, Command(2, flag=2), "oneway", 5000)])
        assert await server.settled(5000)
        assert ("response", "first", 0) in core.told
        server.carry([Call(address, Command(3, fields={"do": "close"}), "broken", 5000)])
        assert await server.settled(5000)
        assert ("response", "broken", None) in core.told
        server.carry([Call(address, Command(4), "again", 5000)])
        assert await server.settled(5000)
        assert ("response", "again", 0) in core.told
        assert [told for told in core.told if told[0] == "request"] == [
            ("request", 1, 1), ("request", 1, 2), ("request", 1, 3), ("request", 2, 4),
        ]  # fmt: skip

    serve(body)


def test_a_call_without_an_answer_fails_in_time_and_the_next_takes_a_fresh_connection() -> None:
    async def body(core: EchoCore, server: Server, connect: Any) -> None:
        connections = []

        async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            connections.append(writer)
            await reader.read()
            writer.close()

        other = await asyncio.start_server(silent, "127.0.0.1", 0)
        address = f"127.0.0.1:{other.sockets[0].getsockname()[1]}"
        for token in ("late", "later"):
            server.carry([Call(address, Command(1), token, 100)])
            assert not await server.settled(10)
            assert await server.settled(5000)
        assert [told for told in core.told if told[0] == "response"] == [
            ("response", "late", None),
            ("response", "later", None),
        ]
        assert len(connections) == 2
        for writer in connections:
            with contextlib.suppress(OSError):
                await writer.wait_closed()
        other.close()

    assert len(serve(body)) == 2


def test_a_call_to_nobody_fails() -> None:
    async def body(core: EchoCore, server: Server, connect: Any) -> None:
        server.carry([Call("127.0.0.1:1", Command(1), "nobody", 5000)])
        assert await server.settled(5000)
        assert ("response", "nobody", None) in core.told

    (line,) = serve(body)
    assert "no connection to 127.0.0.1:1" in line


def test_a_call_made_while_stopping_is_sent() -> None:
    core = EchoCore()
    seen: list[int] = []

    async def body(core: EchoCore, server: Server, connect: Any) -> None:
        async def other(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            for command in FrameReader().feed(await reader.read(65536)):
                seen.append(command.code)
                writer.write(encode(command.reply(0)))
            await reader.read()
            writer.close()

        listening = await asyncio.start_server(other, "127.0.0.1", 0)
        address = f"127.0.0.1:{listening.sockets[0].getsockname()[1]}"
        core.on_stop = [Call(address, Command(104), "bye", 1000)]
        core.others.append(listening)

    serve(body, core=core)
    assert seen == [104]


def test_an_address_without_a_port_is_a_bug_here() -> None:
    async def run() -> None:
        calls = Calls(asyncio.get_running_loop(), lambda token, command: None, lambda line: None)
        with pytest.raises(ReferenceBugError, match="host:port"):
            calls.call(Call("nowhere", Command(1), "t", 10))

    asyncio.run(run())
