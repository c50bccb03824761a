"""Readiness: the answer of a node, and silence in its many forms."""

from __future__ import annotations

import asyncio

import pytest

from mqcheck.rocketmq.frame import Command, FrameReader, encode
from mqcheck.targets.ready import ask, lists


async def answered(reply: bytes | None) -> tuple[Command | None, list[Command]]:
    """What `ask` makes of this reply (None: none at all), and what it sent."""
    seen: list[Command] = []
    ended = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.extend(FrameReader().feed(await reader.read(4096)))
        if reply is not None:
            writer.write(reply)
            writer.close()
        await reader.read()
        writer.close()
        await writer.wait_closed()
        ended.set()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        host, port = server.sockets[0].getsockname()
        answer = await ask(f"{host}:{port}", 105, 0.3)
        await ended.wait()
        return answer, seen


def test_the_code_of_the_answer_is_told_and_the_default_topic_asked_for() -> None:
    answer, seen = asyncio.run(answered(encode(Command(17, opaque=1, flag=1))))
    assert answer is not None
    assert answer.code == 17
    assert [(command.code, command.fields["topic"]) for command in seen] == [(105, "TBW102")]


@pytest.mark.parametrize("reply", [None, b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", encode(Command(40, flag=2))])
def test_anything_else_is_no_answer(reply: bytes | None) -> None:
    assert asyncio.run(answered(reply))[0] is None


def test_nobody_listening_is_no_answer() -> None:
    assert asyncio.run(ask("127.0.0.1:1", 105, 1)) is None


@pytest.mark.parametrize(("body", "listed"), [(b'{"0":"127.0.0.1:5"}', True), (b'{"0":"127.0.0.1:55"}', False)])
def test_a_nameserver_lists_a_broker_by_its_whole_address(body: bytes, listed: bool) -> None:
    async def go() -> bool:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            assert FrameReader().feed(await reader.read(4096))[0].code == 106
            writer.write(encode(Command(0, opaque=1, flag=1, body=body)))
            await reader.read()
            writer.close()
            ended.set()

        ended = asyncio.Event()
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        async with server:
            host, port = server.sockets[0].getsockname()
            found = await lists(f"{host}:{port}", "127.0.0.1:5", 5)
            await ended.wait()
            return found

    assert asyncio.run(go()) is listed
