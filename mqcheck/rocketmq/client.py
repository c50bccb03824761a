"""One client instance: its connections, NameServer list, routes, heartbeats and timers. (Signatures; bodies follow.)"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

from mqcheck.clock import Clock
from mqcheck.history.recorder import Recorder
from mqcheck.rocketmq.models import ClientSettings


class Client:
    """One client instance; producers and consumers share it. ``client_id`` is ``<name>@<number>``."""

    def __init__(
        self,
        name: str,
        nameservers: Sequence[str],
        recorder: Recorder,
        settings: ClientSettings,
        clock: Clock,
        rng: random.Random,
        *,
        nameserver_names: Sequence[str] | None = None,
    ) -> None:
        """``nameservers`` are "host:port"; the history calls them nameserver-1, nameserver-2, … unless named."""
        raise NotImplementedError

    name: str
    client_id: str
    settings: ClientSettings

    async def start(self) -> None:
        """Start heartbeats and route polling."""
        raise NotImplementedError

    async def close(self) -> None:
        """Close consumers and producers, unregister everywhere, close every connection."""
        raise NotImplementedError

    async def abandon(self) -> None:
        """Drop everything as a crash would: no unregister, no last commit, no unlock."""
        raise NotImplementedError

    async def silence(self) -> None:
        """No more heartbeats and pulls, on connections that stay open and not idle."""
        raise NotImplementedError

    def nodes(self) -> Mapping[str, str]:
        """Node name → address as the routes told (proxied addresses when the client runs through links)."""
        raise NotImplementedError
