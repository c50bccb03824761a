"""Finds traffic that goes round the links: a fault on a link that nobody uses proves nothing.

Compares who is connected to the guarded servers with the links' own connections. Linux.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from mqcheck.links.sockets import SYN_SENT, Socket, owned


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


def leaks(
    table: Iterable[Socket], owners: Mapping[int, int], guarded: Collection[Guarded]
) -> list[tuple[Guarded, Socket]]:
    """Connections to guarded addresses that are no link's; `owners` has at least the proxies' sockets. Pure."""
    by_address = {each.address: each for each in guarded}
    found = []
    for each in table:
        server = by_address.get(each.remote)
        if server is None or each.inode == 0 or not (each.open or each.state == SYN_SENT):
            continue
        if owners.get(each.inode) not in server.pids and each.local not in server.local:
            found.append((server, each))
    return found


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


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()[:120]
    except OSError:
        return "gone"
