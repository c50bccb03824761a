"""What has passed each link: the kernel's counts of the proxies' sockets, kept beyond the sockets' lives.

Fed with samples of the socket table; a socket that is gone keeps the last count seen. Pure: who takes the samples, and
when, is `topology`'s business. Exact for live connections; what a connection passed after its last sample comes from
the proxy's own count of ended connections, which is less exact: it leaves out what was sent before a failing write.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from mqcheck.links.base import Counters
from mqcheck.links.sockets import CLOSE_WAIT, Socket

BYTES: Final = ("up_received", "up_sent", "down_received", "down_sent")
"""The fields of `Counters` that count bytes."""


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
        self._live: dict[int, int] = {}

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
        self._live = {}
        for each in table:
            if each.inode == 0:
                continue
            self._live[each.inode] = each.state
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

    def connections(self, link: str) -> int:
        """Open connections of one link as of the last sample."""
        return self._open.get(link, 0)

    def counters(self, link: str, accepted: int = 0, ended: Mapping[str, int] | None = None) -> Counters:
        """Totals of one link as of the last sample.

        `accepted` and `ended` are the proxies' own counts, read before the sample: of connections, and of the bytes
        of ended ones, by the names of `Counters`. They add what an ended connection passed after its last sample.
        """
        totals = dict.fromkeys(BYTES, 0)
        gone = dict.fromkeys(BYTES, 0)
        for inode, seen in self._seen.items():
            if seen.link != link:
                continue
            received, sent = ("down_received", "up_sent") if seen.to_server else ("up_received", "down_sent")
            totals[received] += seen.received
            totals[sent] += seen.acked
            if inode not in self._live:
                gone[sent] += seen.acked
            # A proxy counts what it has read once the other side has closed, be the socket still there or not.
            if inode not in self._live or self._live[inode] == CLOSE_WAIT:
                gone[received] += seen.received
        for key, count in (ended or {}).items():
            totals[key] += max(0, count - gone[key])
        return Counters(
            **totals,
            connections=self.connections(link),
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
