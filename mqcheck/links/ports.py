"""Free ports of 127.0.0.1 for proxies: outside the range that the system hands out, in pairs where needed.

A proxy that is taken down gives its port up until it is healed. A port from the system's own range could go to any
outgoing connection meanwhile; one from below it goes only to somebody who asks for it by number.
"""

from __future__ import annotations

import random
import socket
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from mqcheck.errors import LinkError

HOST: Final = "127.0.0.1"
VIP_DISTANCE: Final = 2
"""RocketMQ's VIP port is this far below the broker's listening port."""

PORT_MIN: Final = 12_000
"""Lowest port used for proxies (ours): above most services."""

PORT_MAX_DEFAULT: Final = 32_767
"""Highest port used for proxies where the system's own range is unknown: the last below Linux's default range."""

ATTEMPTS_MAX: Final = 200
"""Draws before giving up (ours)."""

_draw = random.SystemRandom()
"""Ports are no part of a run's plan, and two processes with one seed must not draw the same ones."""


def port_max() -> int:
    """Highest port to use: below the system's range for outgoing connections."""
    try:
        low = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text(encoding="ascii").split()[0])
    except (OSError, ValueError, IndexError):
        return PORT_MAX_DEFAULT
    return low - 1 if low > PORT_MIN + 1000 else PORT_MAX_DEFAULT


def free_port(*, vip: bool = False) -> int:
    """A port nobody listens on; with `vip`, the port VIP_DISTANCE below is free too. Somebody else may take it."""
    highest = port_max()
    for _ in range(ATTEMPTS_MAX):
        port = _draw.randint(PORT_MIN, highest)
        if _all_free((port, port - VIP_DISTANCE) if vip else (port,)):
            return port
    raise LinkError(f"no free port of {HOST} in {ATTEMPTS_MAX} draws from {PORT_MIN}..{highest}: close some programs")


def reserve(port: int) -> socket.socket | None:
    """Keep a port that nobody listens on from others who ask for it; closing the socket gives it back.

    A program that binds with SO_REUSEADDR, as Toxiproxy does, can still listen on it. None if it is taken already.
    """
    holder = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        holder.bind((HOST, port))
    except OSError:
        holder.close()
        return None
    return holder


def _all_free(wanted: tuple[int, ...]) -> bool:
    with ExitStack() as stack:
        for port in wanted:
            probe = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_STREAM))
            try:
                probe.bind((HOST, port))
            except OSError:
                return False
    return True
