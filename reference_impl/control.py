"""The control socket of ``--control FD``: JSON lines that reach a node without its network, so also behind a
blackhole.

Holds reading lines and writing answers; what a line does is a table that ``__main__`` hands in. One line is
answered by one.
"""

from __future__ import annotations

import asyncio
import socket
import stat
from collections.abc import Awaitable, Callable, Mapping
from os import fstat
from typing import Any, Final

from reference_impl.errors import JsonError, SettingsError
from reference_impl.loose_json import dumps, loads_loose

LINE_BYTES_MAX: Final = 64 * 1024
"""Length of a line; ours."""

Deed = Callable[[Mapping[str, Any]], Awaitable[Mapping[str, Any] | None]]
"""Carries out one line and gives what the answer tells beside ``ok``; ValueError when its values make no sense."""


async def open_control(fd: int, deeds: Mapping[str, Deed]) -> asyncio.Task[None]:
    """Serve the inherited socket ``fd``; gives the task that does. SettingsError when it is no socket."""
    try:
        if not stat.S_ISSOCK(fstat(fd).st_mode):
            raise SettingsError(f"--control {fd} is no socket: pass one end of socket.socketpair()")
    except OSError as error:
        raise SettingsError(f"--control {fd} is not open: pass an inherited socket ({error.strerror})") from error
    reader, writer = await asyncio.open_unix_connection(sock=socket.socket(fileno=fd), limit=LINE_BYTES_MAX)
    return asyncio.create_task(_serve(reader, writer, deeds))


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, deeds: Mapping[str, Deed]) -> None:
    try:
        while line := await reader.readline():
            writer.write(dumps(await _answer(line, deeds)) + b"\n")
            await writer.drain()
    except (ValueError, ConnectionError):
        pass  # a line beyond the limit, or the other end is gone: nobody is left to answer
    finally:
        writer.close()


async def _answer(line: bytes, deeds: Mapping[str, Deed]) -> dict[str, Any]:
    try:
        asked = loads_loose(line)
        if not isinstance(asked, dict) or asked.get("do") not in deeds:
            return {"ok": False, "error": f'unknown line; "do" is one of {", ".join(sorted(deeds))}'}
        told = await deeds[asked["do"]](asked)
    except (JsonError, ValueError, OSError) as error:
        return {"ok": False, "error": str(error)}
    return {"ok": True, **(told or {})}
