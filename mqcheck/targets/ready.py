"""Asks a node whether it is ready: by a request over the protocol, never by what its log says.

Straight to the node, round every link, on a connection of its own that is closed again.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping

from mqcheck.errors import FrameError
from mqcheck.links.address import host_and_port
from mqcheck.rocketmq.codes import DEFAULT_TOPIC, RequestCode
from mqcheck.rocketmq.frame import Command, FrameReader, encode

ANSWER_BYTES_MAX = 65_536
"""Read at a time. Ours."""


async def ask(address: str, code: int, seconds: float, fields: Mapping[str, str] | None = None) -> Command | None:
    """The answer to one request; None when nobody answers in time, or in another language.

    Without `fields` the request names the default topic, for which some codes ask and others do not care.
    """
    host, port = host_and_port(address)
    with contextlib.suppress(OSError, TimeoutError, FrameError):
        async with asyncio.timeout(seconds):
            reader, writer = await asyncio.open_connection(host, port)
            try:
                writer.write(
                    encode(Command(code, opaque=1, fields={"topic": DEFAULT_TOPIC} if fields is None else fields))
                )
                frames = FrameReader()
                while data := await reader.read(ANSWER_BYTES_MAX):
                    for command in frames.feed(data):
                        if command.is_response:
                            return command
            finally:
                writer.transport.abort()
    return None


async def lists(nameserver: str, broker: str, seconds: float) -> bool:
    """Whether a NameServer's cluster names the broker at this address."""
    answer = await ask(nameserver, RequestCode.GET_BROKER_CLUSTER_INFO, seconds)
    return answer is not None and f'"{broker}"'.encode() in answer.body
