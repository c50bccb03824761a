"""What the rest of the kit sees of the network: link names, verbs that hurt a link, and what they did.

A **link** is one direction-aware path from a peer (client or broker) to a server (NameServer or broker), named
``peer->server``. `Network` in `topology` lays real ones through Toxiproxy; the simulation has its own. Nothing here
opens a socket, and nothing here knows Toxiproxy.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from mqcheck.links.frame_rules import FrameCounts, FrameRule

Direction = Literal["up", "down", "both"]
"""`up`: bytes from the peer to the server. `down`: bytes from the server to the peer."""


@dataclass(frozen=True, slots=True)
class Counters:
    """What passed a link since it was laid, in both directions; bytes unless said otherwise."""

    up_received: int = 0
    """Taken from the peer."""
    up_sent: int = 0
    """Handed to the server."""
    down_received: int = 0
    """Taken from the server."""
    down_sent: int = 0
    """Handed to the peer."""
    connections: int = 0
    """Connections of the peer open now."""
    accepted: int = 0
    """Connections of the peer since the link was laid."""
    closing: int = 0
    """Sockets whose other side has closed and that are still held open now."""

    @property
    def up_held(self) -> int:
        """Bytes on their way to the server: taken, not handed on (for a link that lost some: those too)."""
        return max(0, self.up_received - self.up_sent)

    @property
    def closed(self) -> int:
        """Connections that have ended since the link was laid."""
        return max(0, self.accepted - self.connections)

    @property
    def down_held(self) -> int:
        """Bytes on their way to the peer."""
        return max(0, self.down_received - self.down_sent)

    def __add__(self, other: Counters) -> Counters:
        """Sum of two links."""
        return Counters(*(getattr(self, field.name) + getattr(other, field.name) for field in fields(self)))


class NetworkLike(Protocol):
    """The network of one scenario. `pattern` is a link name or a glob over link names (``producer-*->broker-a``).

    A verb that matches no link raises LinkError: a fault on nothing is a mistake in the scenario. Every verb returns
    what the links had passed just before it took hold, by link: the caller tells its effect from later `counters`.
    Different verbs add up; a verb used again on a link replaces its own earlier setting. A link laid while a verb is in
    force on a matching pattern suffers it too. A pattern without wildcards lays its link if that is not there yet.
    """

    async def add_nameserver(self, name: str, address: str) -> None:
        """Make a NameServer reachable under `name`; `address` is its real one. Called by the target."""
        ...

    async def add_broker(
        self, name: str, broker_name: str, broker_id: int, address: str, ha_address: str | None = None
    ) -> None:
        """Make a broker node reachable; real addresses. Its VIP port (port - 2) is covered too. Called by the target.

        A node whose group is not called `broker_name` is shown to clients under its node's name.

        A node that comes back at another address is added again under the same name: its links keep their own
        addresses and lead to the new one.
        """
        ...

    def share_servers(self) -> None:
        """The servers are somebody else's: others may talk to them, round every link. Called by the target.

        From then on `leak_check` looks at connections of the kit's own processes on this host alone.
        """
        ...

    def see_frames(self, patterns: tuple[str, ...]) -> None:
        """Lay links to brokers that match so that `frames` can be used on them; those to NameServers always are.

        Called by the runner before anything is laid: every frame of such a link is looked at.
        """
        ...

    async def nameserver_addresses(self, peer: str) -> tuple[str, ...]:
        """What `peer` (a client or a broker node) is to be given as its list of NameServers; lays the links."""
        ...

    async def broker_address(self, peer: str, node: str) -> str:
        """Where `peer` finds broker `node`: the address that rewritten routes show it; lays the link."""
        ...

    async def vip_address(self, peer: str, node: str) -> str:
        """Where `peer` finds the VIP port of broker `node`, by the same link; lays what is missing.

        Whether the broker listens there is not known: a connection to where it does not is accepted and closed.
        """
        ...

    def links(self, pattern: str = "*") -> list[str]:
        """Names of the links laid so far that match, in order of laying."""
        ...

    async def latency(
        self, pattern: str, ms: int, jitter_ms: int = 0, direction: Direction = "both"
    ) -> Mapping[str, Counters]:
        """Delay each chunk by `ms` ± `jitter_ms`, order kept; `both` adds it twice to a round trip."""
        ...

    async def bandwidth(self, pattern: str, kb_per_s: int, direction: Direction = "both") -> Mapping[str, Counters]:
        """Let at most `kb_per_s` kilobytes through per second; more waits."""
        ...

    async def blackhole(self, pattern: str, direction: Direction = "both") -> Mapping[str, Counters]:
        """Hold every byte: connections live and new ones are accepted; healing delivers, as after a real partition."""
        ...

    async def drop(self, pattern: str, after_ms: int = 0, direction: Direction = "both") -> Mapping[str, Counters]:
        """Lose every byte; connections are closed after `after_ms` (0: when healed)."""
        ...

    async def reset(self, pattern: str, after_ms: int = 0, direction: Direction = "both") -> Mapping[str, Counters]:
        """Reset every connection (RST) `after_ms` after it carried its first byte."""
        ...

    async def slow_close(self, pattern: str, ms: int, direction: Direction = "both") -> Mapping[str, Counters]:
        """Delay the closing of connections by `ms`."""
        ...

    async def slice_(
        self,
        pattern: str,
        average_bytes: int,
        variation_bytes: int = 0,
        delay_us: int = 0,
        direction: Direction = "both",
    ) -> Mapping[str, Counters]:
        """Cut what passes into small pieces, `delay_us` microseconds apart."""
        ...

    async def limit_data(self, pattern: str, limit_bytes: int, direction: Direction = "both") -> Mapping[str, Counters]:
        """Close each connection once `limit_bytes` have passed it, in the middle of a frame if it comes so."""
        ...

    async def down(self, pattern: str) -> Mapping[str, Counters]:
        """Close every connection and refuse new ones."""
        ...

    async def up(self, pattern: str) -> Mapping[str, Counters]:
        """Undo `down`."""
        ...

    async def frames(self, pattern: str, rule: FrameRule) -> None:
        """Do to single frames what the rule says, on links laid later too; LinkError where nobody sees frames."""
        ...

    async def heal_frames(self, pattern: str, rule: FrameRule) -> FrameCounts:
        """Undo `frames`: what is held is handed on; what the rule has done."""
        ...

    async def heal(self, pattern: str, *, only: str | None = None) -> Mapping[str, Counters]:
        """Remove what these links suffer (with `only`: of that verb), and verify; LinkError if it is still there.

        The counters returned were read just before: what is held then is what healing delivers.
        """
        ...

    async def heal_all(self) -> None:
        """`heal` for every link, and `heal_frames` for every rule."""
        ...

    async def counters(self, link: str) -> Counters:
        """What has passed the links matching `link`, summed up."""
        ...

    async def connections(self, pattern: str = "*") -> Mapping[str, int]:
        """Connections that are open now on the links that match, by link; much cheaper than `counters`."""
        ...

    async def leak_check(self, allow: Collection[str] = ()) -> None:
        """Raises LinkError naming every connection to a server that does not come from its links.

        `allow`: own addresses (``host:port``) of connections that are meant to be direct, such as the final reader's.
        Also raises what a link could not do since the last check.
        """
        ...

    async def close(self) -> None:
        """Take every link away. Idempotent; the servers and clients are left alone."""
        ...
