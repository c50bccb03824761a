"""Binding ports: a wanted one, or a free one, or a broker's free block of P - 2 (VIP), P, and P + 1 (HA).

Holds real sockets and is used by ``__main__`` alone; a simulation names its ports itself. Free blocks are sought
below the range from which Linux takes ports of outgoing connections, so that a broker that was killed finds its
port free again.
"""

from __future__ import annotations

import random
import socket
from typing import Final

from msgspec import Struct

from reference_impl.errors import SettingsError

FREE_FIRST: Final = 12_000
FREE_LAST: Final = 32_000
"""Free ports are sought in this range; net.ipv4.ip_local_port_range begins at 32768."""
TRIES_MAX: Final = 200
"""Blocks tried before giving up; ours."""
BACKLOG: Final = 512
"""Connections that may wait to be accepted; RocketMQ's serverSocketBacklog is 1024, Linux cuts it to somaxconn."""


class Block(Struct, frozen=True):
    """Bound sockets of one server."""

    main: socket.socket
    vip: socket.socket | None = None
    ha: socket.socket | None = None

    @property
    def port(self) -> int:
        """The main port."""
        return int(self.main.getsockname()[1])


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With its protocol named, asyncio turns Nagle's delays off on what is accepted.
    sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, port))
    except OSError:
        sock.close()
        raise
    return sock


def _bind_block(host: str, port: int, broker: bool, ha_port: int) -> Block:
    """Bind all or nothing. The main port listens at once: SO_REUSEADDR lets two sockets bind, but only one listen."""
    bound: list[socket.socket] = []
    try:
        for number in (port, port - 2, ha_port or port + 1) if broker else (port,):
            bound.append(_bind(host, number))
            bound[-1].listen(BACKLOG)
    except OSError:
        for sock in bound:
            sock.close()
        raise
    return Block(*bound)


def bind(host: str, port: int, *, broker: bool, rng: random.Random, ha_port: int = 0) -> Block:
    """Bind ``port``, or a free one when it is 0; with ``broker`` also its VIP and HA ports, the latter ``ha_port``
    where that is not 0.

    SettingsError when the wanted port, or no block at all, is to be had.
    """
    if port:
        try:
            return _bind_block(host, port, broker, ha_port)
        except OSError as error:
            raise SettingsError(
                f"listenPort {port} on {host}: {error.strerror}; use another, or 0 for a free one"
            ) from error
    for _ in range(TRIES_MAX):
        try:
            return _bind_block(host, rng.randrange(FREE_FIRST, FREE_LAST), broker, ha_port)
        except OSError:
            continue
    raise SettingsError(
        f"no free ports on {host} in {TRIES_MAX} tries between {FREE_FIRST} and {FREE_LAST}: set listenPort"
    )
