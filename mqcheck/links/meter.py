"""What has passed each link: the kernel's counts of the proxies' sockets, kept beyond the sockets' lives.

Fed with samples of the socket table; a socket that is gone keeps the last count seen. Pure: who takes the samples, and
when, is `topology`'s business. Exact for live connections; the bytes that a connection passed after its last sample
are missing, so samples are also taken now and then while something is wrong with a link.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from mqcheck.links.base import Counters
from mqcheck.links.sockets import CLOSE_WAIT, Socket


@dataclass(frozen=True, slots=True)
class Path:
    """Where one proxy stands: what its sockets are recognised by."""

    link: str
    """The link it belongs to."""
    listen: str
    """Where peers connect: the local address of its sockets towards the peer."""
    upstream: str
    """Where it leads: the remote address of its sockets towards the server."""
    pid: int
    """The process it runs in."""


@dataclass(slots=True)
class _Seen:
    link: str
    to_server: bool
    received: int
    acked: int


class Meter:
    """Counts per link; one event loop only."""

    def __init__(self) -> None:
        self._seen: dict[int, _Seen] = {}
        self._owners: dict[int, int] = {}
        self._foreign: set[int] = set()
        self._open: dict[str, int] = {}
        self._closing: dict[str, int] = {}

    def unknown(self, table: Iterable[Socket], paths: Collection[Path]) -> bool:
        """True if some socket towards a server has an owner still to be looked up."""
        upstreams = {path.upstream for path in paths}
        return any(
            each.remote in upstreams
            and each.inode
            and each.inode not in self._owners
            and each.inode not in self._foreign
            for each in table
        )

    def sample(self, table: Iterable[Socket], paths: Collection[Path], owners: Mapping[int, int] | None) -> None:
        """Take a table in; `owners` (inode to process) is needed when `unknown` said so."""
        by_listen = {path.listen: path for path in paths}
        by_upstream = {(path.upstream, path.pid): path for path in paths}
        upstreams = {path.upstream for path in paths}
        self._open = {}
        self._closing = {}
        for each in table:
            if each.inode == 0:
                continue
            path = by_listen.get(each.local)
            if path is not None:
                self._count(each, path.link, to_server=False)
                if each.open:
                    self._open[path.link] = self._open.get(path.link, 0) + 1
                if each.state == CLOSE_WAIT:
                    self._closing[path.link] = self._closing.get(path.link, 0) + 1
            elif each.remote in upstreams:
                owner = self._owner(each.inode, owners)
                path = None if owner is None else by_upstream.get((each.remote, owner))
                if path is not None:
                    self._count(each, path.link, to_server=True)
                    if each.state == CLOSE_WAIT:
                        self._closing[path.link] = self._closing.get(path.link, 0) + 1

    def counters(self, link: str, accepted: int = 0) -> Counters:
        """Totals of one link as of the last sample; `accepted` is taken from the proxies' own count."""
        up_received = up_sent = down_received = down_sent = 0
        for seen in self._seen.values():
            if seen.link == link:
                if seen.to_server:
                    up_sent += seen.acked
                    down_received += seen.received
                else:
                    up_received += seen.received
                    down_sent += seen.acked
        return Counters(
            up_received,
            up_sent,
            down_received,
            down_sent,
            connections=self._open.get(link, 0),
            accepted=accepted,
            closing=self._closing.get(link, 0),
        )

    def _owner(self, inode: int, owners: Mapping[int, int] | None) -> int | None:
        known = self._owners.get(inode)
        if known is None and owners is not None:
            known = owners.get(inode)
            if known is None:
                self._foreign.add(inode)
            else:
                self._owners[inode] = known
        return known

    def _count(self, each: Socket, link: str, *, to_server: bool) -> None:
        # Towards the server the proxy is the one that connected: its SYN was acknowledged as a byte.
        acked = max(0, each.acked - 1) if to_server else each.acked
        seen = self._seen.get(each.inode)
        if seen is None:
            self._seen[each.inode] = _Seen(link, to_server, each.received, acked)
        else:
            seen.received = max(seen.received, each.received)
            seen.acked = max(seen.acked, acked)
