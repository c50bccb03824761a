"""The control channel of a reference node: JSON lines on an inherited socket pair, so no black hole reaches it.

One question at a time, one answer each. What can be asked is the reference's to say (its README).
"""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import msgspec

from mqcheck.errors import FaultError


class ControlChannel:
    """The kit's end of a node's control channel."""

    def __init__(self) -> None:
        self._ours, self._theirs = socket.socketpair()
        self._ours.setblocking(False)
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._turn = asyncio.Lock()

    @property
    def their_fd(self) -> int:
        """The descriptor that the child inherits."""
        return self._theirs.fileno()

    def started(self) -> None:
        """The child has its end: close ours of it, so that its death ends the channel."""
        self._theirs.close()

    async def ask(self, seconds: float, **question: Any) -> dict[str, Any]:
        """Ask and wait for the answer; raises FaultError when it says no, or says nothing in time."""
        async with self._turn:
            try:
                line = await asyncio.wait_for(self._exchange(question), seconds)
                answer: dict[str, Any] = msgspec.json.decode(line)
            except (TimeoutError, OSError, msgspec.DecodeError) as error:
                raise FaultError(
                    f"no answer to {question} on the control channel within {seconds} s ({error!r}); "
                    f"is the node paused or gone?"
                ) from error
        if not answer.get("ok"):
            raise FaultError(f"the node refused {question}: {answer}")
        return answer

    async def _exchange(self, question: dict[str, Any]) -> bytes:
        if self._streams is None:
            self._streams = await asyncio.open_connection(sock=self._ours)
        reader, writer = self._streams
        writer.write(msgspec.json.encode(question) + b"\n")
        await writer.drain()
        return await reader.readline()

    def close(self) -> None:
        """Close both ends that are ours. Idempotent."""
        if self._streams is not None:
            self._streams[1].close()
        self._ours.close()
        self._theirs.close()
