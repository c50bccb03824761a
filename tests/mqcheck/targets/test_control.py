"""The control channel: one answer each, refusals and silence are errors."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable

import pytest

from mqcheck.errors import FaultError
from mqcheck.targets.control import ControlChannel


def conversation(
    answer: Callable[[dict[str, object]], bytes], *questions: dict[str, object]
) -> list[dict[str, object]]:
    """Ask through a channel whose other end answers as told."""

    async def go() -> list[dict[str, object]]:
        channel = ControlChannel()
        reader, writer = await asyncio.open_connection(sock=_socket(os.dup(channel.their_fd)))
        channel.started()

        async def serve() -> None:
            while line := await reader.readline():
                writer.write(answer(json.loads(line)))

        serving = asyncio.create_task(serve())
        try:
            return [await channel.ask(0.2, **question) for question in questions]
        finally:
            channel.close()
            channel.close()
            await serving
            writer.close()

    return asyncio.run(go())


def _socket(fd: int) -> object:
    import socket

    return socket.socket(fileno=fd)


def test_each_question_gets_its_answer() -> None:
    echo = lambda asked: json.dumps({"ok": True, "asked": asked["do"]}).encode() + b"\n"  # noqa: E731
    assert [answer["asked"] for answer in conversation(echo, {"do": "ping"}, {"do": "empty"})] == ["ping", "empty"]


def test_a_refusal_is_shown() -> None:
    with pytest.raises(FaultError, match=r"refused \{'do': 'disk'\}.*it is a NameServer"):
        conversation(lambda asked: b'{"ok": false, "error": "it is a NameServer"}\n', {"do": "disk"})


@pytest.mark.parametrize("answer", [b"", b"nonsense\n"])
def test_silence_and_nonsense_are_errors(answer: bytes) -> None:
    with pytest.raises(FaultError, match="no answer to"):
        conversation(lambda asked: answer, {"do": "ping"})
