"""Asks a node whether it is ready: by a request over the protocol, never by what its log says.

Straight to the node, round every link, on a connection of its own that is closed again.
"""

from __future__ import annotations

import asyncio
import contextlib

from mqcheck.errors import FrameError
from mqcheck.rocketmq.codes import DEFAULT_TOPIC
from mqcheck.rocketmq.frame import Command, FrameReader, encode

ANSWER_BYTES_MAX = 65_536
"""Read at a time. Ours."""


async def ask(address: str, code: int, seconds: float) -> int | None:
    """The response code to one request; None when nobody answers in time, or in another language.

    The request names the default topic, for which some codes ask and others do not care.
    """
    host, _, port = address.rpartition(":")
    with contextlib.suppress(OSError, TimeoutError, FrameError):
        async with asyncio.timeout(seconds):
            reader, writer = await asyncio.open_connection(host, int(port))
            try:
                writer.write(encode(Command(code, opaque=1, fields={"topic": DEFAULT_TOPIC})))
                frames = FrameReader()
                while data := await reader.read(ANSWER_BYTES_MAX):
                    for command in frames.feed(data):
                        if command.is_response:
                            return command.code
            finally:
                writer.transport.abort()
    return None
