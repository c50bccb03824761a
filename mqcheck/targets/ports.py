"""Ports of nodes, held from before the first life to after the last.

A node that is down must find its port free when it comes back, however many others look for ports meanwhile. So the
kit binds a node's ports itself, without listening: whoever looks for a free port is refused, and the node, which
binds with SO_REUSEADDR as servers do, is let in.
"""

from __future__ import annotations

import random
import socket
from contextlib import ExitStack
from typing import Final

from mqcheck.errors import NodeError
from mqcheck.links.ports import HOST, PORT_MIN, VIP_DISTANCE, port_max

DRAWS_MAX: Final = 200
"""Ports tried before giving up. Ours."""

HA_DISTANCE: Final = 1
"""RocketMQ's HA port is this far above the broker's listening port."""

_draw = random.SystemRandom()
"""Ports are no part of a run's plan."""


class HeldPorts:
    """One node's port, for a broker with those of its VIP and HA listeners."""

    def __init__(self, *, broker: bool) -> None:
        """Raises NodeError when no port is to be had."""
        around = (0, -VIP_DISTANCE, HA_DISTANCE) if broker else (0,)
        for _ in range(DRAWS_MAX):
            port = _draw.randrange(PORT_MIN + VIP_DISTANCE, port_max())
            with ExitStack() as stack:
                try:
                    for distance in around:
                        stack.enter_context(_hold(port + distance))
                except OSError:
                    continue
                self.port = port
                self._held = stack.pop_all()
                return
        raise NodeError(f"no free port of {HOST} in {DRAWS_MAX} draws: close some programs")

    def close(self) -> None:
        """Give the ports back. Idempotent."""
        self._held.close()


def _hold(port: int) -> socket.socket:
    """A bound socket; the option comes after the bind, so that a port which somebody else holds is refused."""
    holder = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        holder.bind((HOST, port))
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    except OSError:
        holder.close()
        raise
    return holder
