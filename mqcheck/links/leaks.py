"""Finds traffic that goes round the links: a fault on a link that nobody uses proves nothing.

Compares who is connected to the guarded servers with the links' own connections. Linux.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mqcheck.links.address import as_kernel
from mqcheck.links.frame_proxy import FrameProxy
from mqcheck.links.sockets import ESTABLISHED, SYN_SENT, Socket, owned

CLIENT_MODULE: Final = b"mqcheck.workloads"
"""What client processes run (``python -m``)."""


@dataclass(frozen=True, slots=True)
class Guarded:
    """A server's address, and how the links' own connections to it are known."""

    name: str
    """The node, for the message."""
    address: str
    """The address connected to."""
    pids: frozenset[int] = frozenset()
    """Processes of proxies: all their connections are links."""
    local: frozenset[str] = frozenset()
    """Own addresses of connections made by a proxy inside this process."""
    only: frozenset[int] | None = None
    """Processes whose connections are looked at; None: everybody's, for a server that nobody else may talk to."""


def leaks(
    table: Iterable[Socket], owners: Mapping[int, int], guarded: Collection[Guarded]
) -> list[tuple[Guarded, Socket]]:
    """Connections to guarded addresses that are no link's; `owners` has at least the proxies' sockets. Pure.

    Only those that have both ends: what another server has left half closed, whose port the guarded one was given
    later, is no traffic.
    """
    by_address = {each.address: each for each in guarded}
    found = []
    for each in table:
        server = by_address.get(each.remote)
        if server is None or each.inode == 0 or each.state not in (ESTABLISHED, SYN_SENT):
            continue
        owner = owners.get(each.inode)
        if server.only is not None and owner not in server.only:
            continue
        if owner not in server.pids and each.local not in server.local:
            found.append((server, each))
    return found


def guarded_servers(
    nameservers: Mapping[str, str],
    brokers: Mapping[str, str],
    frames: Collection[FrameProxy],
    pids: frozenset[int],
    only: frozenset[int] | None,
) -> list[Guarded]:
    """What nobody may talk to but the links: servers by name, with their addresses; `pids` are the proxies' processes.

    `only`: where the servers are shared, the processes that are looked at.
    """
    local = frozenset().union(*(frame.upstream_locals for frame in frames))
    found = [Guarded(name, as_kernel(real), local=local, only=only) for name, real in nameservers.items()]
    found += [Guarded(f"the frame proxy of {frame.upstream}", frame.address, pids) for frame in frames]
    return found + [Guarded(name, as_kernel(real), pids, local, only) for name, real in brokers.items()]


def own_processes() -> frozenset[int]:
    """This process and the clients that it has started: the only ones with whom a shared server has to do with us."""
    own = os.getpid()
    found = {own}
    for name in os.listdir("/proc"):
        if not name.isdigit() or CLIENT_MODULE not in _words(int(name)):
            continue
        try:
            status = Path(f"/proc/{name}/stat").read_text(encoding="ascii", errors="replace")
        except OSError:
            continue
        if int(status.rpartition(")")[2].split()[1]) == own:
            found.add(int(name))
    return frozenset(found)


def describe(found: Iterable[tuple[Guarded, Socket]]) -> str:
    """One line per connection, with the program that holds it as far as the system tells."""
    wanted = {each.inode: (server, each) for server, each in found}
    pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]
    owners = owned(pids)
    lines = []
    for inode, (server, each) in wanted.items():
        pid = owners.get(inode)
        program = "an unknown process" if pid is None else f"process {pid} ({_command(pid)})"
        lines.append(f"{each.local} -> {server.name} at {each.remote}, held by {program}")
    return "; ".join(lines)


def _words(pid: int) -> list[bytes]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return []


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()[:120]
    except OSError:
        return "gone"
