"""Faults of links: what is slow, held, lost, cut or closed between a peer and a server.

Each is one verb of the network on one link or pattern of links, with the effect counted at the proxies' sockets. How a
verb is done is `mqcheck.links`'s business. `partition` makes the faults that cut a set of links, one per link, so that
each has its own row and its own proof.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from mqcheck.faults.base import Fault, Ground
from mqcheck.links.base import Counters, Direction, NetworkLike


@dataclass(slots=True, eq=False)
class LinkFault(Fault):
    """A fault of the links that match a pattern; healed by taking its own verb away, verified by the network."""

    pattern: str
    """A link (``producer-1->broker-a``) or a glob over links."""
    way: Direction = "both"
    """`up`: what the peer sends; `down`: what the server sends."""
    _before: Mapping[str, Counters] = field(default_factory=dict, init=False, repr=False)

    verb: ClassVar[str]
    """The network's name for it."""

    @property
    def link(self) -> str:
        """The link or pattern."""
        return self.pattern

    @property
    def direction(self) -> Direction:
        """Which bytes it is about."""
        return self.way

    async def inject(self, ground: Ground) -> None:
        """Put it on every matching link; raises LinkError when there is none."""
        self._before = await self._begin(ground.network)

    async def heal(self, ground: Ground) -> Mapping[str, Any]:
        """Take it off and verify; the effect, summed up over the links."""
        after = await ground.network.heal(self.pattern, only=self.verb)
        return self.effect(sum(self._before.values(), Counters()), sum(after.values(), Counters()))

    @abstractmethod
    async def _begin(self, network: NetworkLike) -> Mapping[str, Counters]:
        """Call the verb."""

    @abstractmethod
    def effect(self, before: Counters, after: Counters) -> Mapping[str, int]:
        """What it did, between the counts before it and those before healing; zero means that nothing is proved."""

    def _passed(self, before: Counters, after: Counters) -> int:
        up = after.up_received - before.up_received if self.way != "down" else 0
        down = after.down_received - before.down_received if self.way != "up" else 0
        return max(0, up) + max(0, down)

    def _held(self, before: Counters, after: Counters) -> int:
        up = after.up_held - before.up_held if self.way != "down" else 0
        down = after.down_held - before.down_held if self.way != "up" else 0
        return max(0, up) + max(0, down)


@dataclass(slots=True, eq=False)
class Latency(LinkFault):
    """Delays what passes by a fixed time, give or take; order is kept, as on a long line.

    Reveals time-outs that are too short, and clients that wait for one answer before the next request.
    """

    ms: int = 100
    jitter_ms: int = 0

    kind: ClassVar[str] = "latency"
    needs: ClassVar[str] = "latency"
    verb: ClassVar[str] = "latency"

    def parameters(self) -> Mapping[str, Any]:
        """Delay and jitter, per direction."""
        return {"ms": self.ms, "jitter_ms": self.jitter_ms}

    async def _begin(self, network: NetworkLike) -> Mapping[str, Counters]:
        return await network.latency(self.pattern, self.ms, self.jitter_ms, self.way)

    def effect(self, before: Counters, after: Counters) -> Mapping[str, int]:
        """Bytes that were delayed."""
        return {"bytes_delayed": self._passed(before, after)}


@dataclass(slots=True, eq=False)
class Bandwidth(LinkFault):
    """Lets only so many kilobytes through per second, as a crowded line does.

    Reveals senders without back-pressure and flow control by count where it should be by size.
    """

    kb_per_s: int = 64

    kind: ClassVar[str] = "bandwidth"
    needs: ClassVar[str] = "latency"
    verb: ClassVar[str] = "bandwidth"

    def parameters(self) -> Mapping[str, Any]:
        """The rate, per direction."""
        return {"kb_per_s": self.kb_per_s}

    async def _begin(self, network: NetworkLike) -> Mapping[str, Counters]:
        return await network.bandwidth(self.pattern, self.kb_per_s, self.way)

    def effect(self, before: Counters, after: Counters) -> Mapping[str, int]:
        """Bytes that went through at that rate."""
        return {"bytes_slowed": self._passed(before, after)}


@dataclass(slots=True, eq=False)
class Blackhole(LinkFault):
    """Holds every byte while connections live and new ones are accepted; healing delivers, as after a real partition.

    Unlike one, connecting still succeeds. Reveals requests without a time-out, and late effects taken for none.
    """

    kind: ClassVar[str] = "blackhole"
    needs: ClassVar[str] = "partition"
    verb: ClassVar[str] = "blackhole"

    async def _begin(self, network: NetworkLike) -> Mapping[str, Counters]:
        return await network.blackhole(self.pattern, self.way)

    def effect(self, before: Counters, after: Counters) -> Mapping[str, int]:
        """Bytes sent into it that had not come out when it was healed."""
        return {"bytes_held": self._held(before, after)}


@dataclass(slots=True, eq=False)
class Drop(LinkFault):
    """Loses every byte, then closes: after a time, or when healed, since the stream has a hole.

    Reveals answers that are lost after the work was done.
    """

    after_ms: int = 0

    kind: ClassVar[str] = "drop"
    needs: ClassVar[str] = "partition"
    verb: ClassVar[str] = "drop"

    def parameters(self) -> Mapping[str, Any]:
        """When connections are closed; 0: at the heal."""
        return {"after_ms": self.after_ms}

    async def _begin(self, network: NetworkLike) -> Mapping[str, Counters]:
        return await network.drop(self.pattern, self.after_ms, self.way)

    def effect(self, before: Counters, after: Counters) -> Mapping[str, int]:
        """Bytes lost, and connections it closed before the heal."""
        return {
            "bytes_lost": self._held(before, after),
            "connections_closed": max(0, after.closed - before.closed),
        }


@dataclass(slots=True, eq=False)
class Reset(LinkFault):
    """Resets each connection with the next byte it carries: `up` before the request arrives, `down` after the work.

    Connections opened while it holds get a RST; with Toxiproxy 2.5 one that was there before gets a FIN. Reveals
    retries that are missing, or that repeat what was done.
    """

    after_ms: int = 0

    kind: ClassVar[str] = "reset"
    needs: ClassVar[str] = "partition"
    verb: ClassVar[str] = "reset"

    def parameters(self) -> Mapping[str, Any]:
        """How long after that byte."""
        return {"after_ms": self.after_ms}

    async def _begin(self, network: NetworkLike) -> Mapping[str, Counters]:
        return await network.reset(self.pattern, self.after_ms, self.way)

    def effect(self, before: Counters, after: Counters) -> Mapping[str, int]:
        """Connections that ended."""
        return {"connections_reset": max(0, after.closed - before.closed)}


@dataclass(slots=True, eq=False)
class SlowClose(LinkFault):
    """Delays the closing of connections. Reveals servers that trust a close to arrive at once."""

    ms: int = 1000

    kind: ClassVar[str] = "slow-close"
    needs: ClassVar[str] = "latency"
    verb: ClassVar[str] = "slow_close"

    def parameters(self) -> Mapping[str, Any]:
        """The delay."""
        return {"ms": self.ms}

    async def _begin(self, network: NetworkLike) -> Mapping[str, Counters]:
        return await network.slow_close(self.pattern, self.ms, self.way)

    def effect(self, before: Counters, after: Counters) -> Mapping[str, int]:
        """Closings that were or are delayed."""
        ended = max(0, after.closed - before.closed)
        return {"closings_delayed": ended + max(0, after.closing - before.closing)}


@dataclass(slots=True, eq=False)
class Slice(LinkFault):
    """Cuts what passes into small pieces. Reveals readers that take one read for one frame."""

    average_bytes: int = 64
    variation_bytes: int = 32
    delay_us: int = 0

    kind: ClassVar[str] = "slice"
    needs: ClassVar[str] = "latency"
    verb: ClassVar[str] = "slice"

    def parameters(self) -> Mapping[str, Any]:
        """Sizes, and the pause between pieces."""
        return {
            "average_bytes": self.average_bytes,
            "variation_bytes": self.variation_bytes,
            "delay_us": self.delay_us,
        }

    async def _begin(self, network: NetworkLike) -> Mapping[str, Counters]:
        return await network.slice_(self.pattern, self.average_bytes, self.variation_bytes, self.delay_us, self.way)

    def effect(self, before: Counters, after: Counters) -> Mapping[str, int]:
        """Bytes that were cut up."""
        return {"bytes_sliced": self._passed(before, after)}


@dataclass(slots=True, eq=False)
class LimitData(LinkFault):
    """Closes each connection once so many bytes have passed, in the middle of a frame if it comes so.

    Reveals torn frames taken for whole ones, and messages half stored.
    """

    limit_bytes: int = 1000

    kind: ClassVar[str] = "limit-data"
    needs: ClassVar[str] = "partition"
    verb: ClassVar[str] = "limit_data"

    def parameters(self) -> Mapping[str, Any]:
        """The limit, per connection and direction."""
        return {"limit_bytes": self.limit_bytes}

    async def _begin(self, network: NetworkLike) -> Mapping[str, Counters]:
        return await network.limit_data(self.pattern, self.limit_bytes, self.way)

    def effect(self, before: Counters, after: Counters) -> Mapping[str, int]:
        """Connections that were cut."""
        return {"connections_cut": max(0, after.closed - before.closed)}


@dataclass(slots=True, eq=False)
class Down(LinkFault):
    """Closes every connection and refuses new ones, as when the server's host is there and its port is not.

    Reveals clients that do not look for another server, and servers that miss a close.
    """

    kind: ClassVar[str] = "down"
    needs: ClassVar[str] = "partition"
    verb: ClassVar[str] = "down"

    async def _begin(self, network: NetworkLike) -> Mapping[str, Counters]:
        return await network.down(self.pattern)

    def effect(self, before: Counters, after: Counters) -> Mapping[str, int]:
        """Connections it closed."""
        return {"connections_closed": max(0, after.closed - before.closed)}


def partition(links: Iterable[str], way: Direction = "both") -> tuple[Blackhole, ...]:
    """The faults that cut these links (names, as `NetworkLike.links` gives them), one per link."""
    return tuple(Blackhole(link, way) for link in links)
