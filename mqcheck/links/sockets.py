"""The kernel's table of TCP sockets: who is connected to whom, what passed each socket, and whose it is. Linux.

The table and its byte counts come from the kernel's socket monitor (``sock_diag(7)``, no privileges needed): one dump
per address family. The owner of a socket is found by its inode in ``/proc/<pid>/fd``. What a connection means to the
test is not known here.

A dump's answer, per socket (host byte order but for ports and addresses)::

    header    16  length 4, type 2, flags 2, sequence 4, port 4
    family     1
    state      1  1 established, 8 half closed by the other side, …
    timers     2
    ports      4  local 2, remote 2 (network order)
    addresses 32  local 16, remote 16 (the first 4 bytes for IPv4)
    interface 12
    queues     8  expires 4 precedes: receive queue 4, send queue 4
    owner      8  user 4, inode 4
    attributes    length 2, type 2, data: type 2 is tcp_info, bytes_acked at 120 and bytes_received at 128
"""

from __future__ import annotations

import ipaddress
import os
import socket
import struct
import sys
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

from mqcheck.errors import LinkError

ESTABLISHED: Final = 1
SYN_SENT: Final = 2
CLOSE_WAIT: Final = 8

DUMP_BYTES_MAX: Final = 1 << 18
"""Largest single answer read from the kernel (ours); the kernel splits what is longer."""

DUMP_SECONDS_MAX: Final = 5.0
"""Limit of one dump (ours): it takes a millisecond."""

HOSTS_MAX: Final = 64
"""Addresses remembered as text (ours): a test's connections have few."""

_NETLINK_SOCK_DIAG: Final = 4
_DIAG_BY_FAMILY: Final = 20
_REQUEST_DUMP: Final = 0x301
_ERROR: Final = 2
_DONE: Final = 3
_ATTRIBUTE_INFO: Final = 2
_STATES: Final = sum(1 << state for state in (1, 2, 4, 5, 7, 8, 9, 11))
"""All but listeners, half-made connections and those whose process has let go long ago, of which there may be many."""

_HEADER: Final = struct.Struct("=IHHII")
_MESSAGE: Final = struct.Struct("=BBBBHH16s16s12sIIIII")
_PORTS: Final = struct.Struct("!HH")
_PORTS_AT: Final = 20
_ATTRIBUTE: Final = struct.Struct("=HH")
_BYTES: Final = struct.Struct("=QQ")
_BYTES_AT: Final = 120
_PEER_SENT_FIN: Final = frozenset({7, 8, 9, 11})
"""CLOSE, CLOSE_WAIT, LAST_ACK, CLOSING: the other side's FIN was counted as a byte."""


@dataclass(frozen=True, slots=True)
class Socket:
    """One TCP socket of this network namespace."""

    local: str
    """``host:port``; an IPv4 address in IPv6 clothes is written as IPv4."""
    remote: str
    """``host:port``."""
    state: int
    """The kernel's number of the TCP state."""
    inode: int
    """Identity: equal to the number in ``/proc/<pid>/fd``; 0 when no process holds it any more."""
    received: int
    """Bytes the remote side has sent and the kernel has acknowledged, read by the process or not."""
    acked: int
    """Bytes sent from here that the remote side's kernel has acknowledged."""

    @property
    def open(self) -> bool:
        """True while data can still come or go."""
        return self.state in (ESTABLISHED, CLOSE_WAIT, 4, 5)


def supported() -> bool:
    """True where the kernel answers; else links work, and no fault on them can prove an effect."""
    if not sys.platform.startswith("linux"):
        return False
    try:
        table()
    except LinkError:
        return False
    return True


def table(local: Collection[int] | None = None, remote: Collection[int] = ()) -> list[Socket]:
    """Every connection's sockets in this network namespace, IPv4 and IPv6; no listeners, none in TIME_WAIT.

    With `local`, only those whose own port is in `local` or whose other end's is in `remote`: a run's many scenarios
    share one table, and reading an entry costs ten times as much as leaving it out. Raises LinkError when the kernel
    does not answer.
    """
    wanted = None if local is None else (frozenset(local), frozenset(remote))
    found: list[Socket] = []
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            found += _dump(family, wanted)
        except (OSError, AttributeError, struct.error) as error:
            raise LinkError(f"the kernel's socket table cannot be read (sock_diag): {error}; run on Linux") from error
    return found


def owned(pids: Iterable[int]) -> dict[int, int]:
    """Inodes of the sockets that these processes hold, each with the process; processes that are gone hold none."""
    inodes: dict[int, int] = {}
    for pid in pids:
        folder = Path("/proc") / str(pid) / "fd"
        try:
            names = os.listdir(folder)
        except OSError:
            continue
        for name in names:
            try:
                target = os.readlink(folder / name)
            except OSError:
                continue
            if target.startswith("socket:["):
                inodes[int(target[8:-1])] = pid
    return inodes


def _dump(family: int, wanted: tuple[frozenset[int], frozenset[int]] | None = None) -> list[Socket]:
    message = struct.pack("=BBBBI", family, socket.IPPROTO_TCP, 1 << (_ATTRIBUTE_INFO - 1), 0, _STATES) + bytes(48)
    request = _HEADER.pack(_HEADER.size + len(message), _DIAG_BY_FAMILY, _REQUEST_DUMP, 1, 0) + message
    found: list[Socket] = []
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_SOCK_DIAG) as kernel:
        kernel.settimeout(DUMP_SECONDS_MAX)
        kernel.send(request)
        while True:
            answer = kernel.recv(DUMP_BYTES_MAX)
            at = 0
            while at < len(answer):
                size, kind, *_ = _HEADER.unpack_from(answer, at)
                if kind == _DONE:
                    return found
                if kind == _ERROR or size < _HEADER.size:
                    raise OSError(-struct.unpack_from("=i", answer, at + _HEADER.size)[0], "the kernel refused")
                here, there = _PORTS.unpack_from(answer, at + _PORTS_AT)
                if wanted is None or here in wanted[0] or there in wanted[1]:
                    found.append(_parse(answer[at + _HEADER.size : at + size]))
                at += size + 3 & ~3


def _parse(message: bytes) -> Socket:
    family, state, _, _, _, _, local, remote, _, _, _, _, _, inode = _MESSAGE.unpack_from(message)
    local_port, remote_port = _PORTS.unpack_from(message, _PORTS_AT - _HEADER.size)
    acked, received = _counts(message)
    # The kernel counts a SYN it sent and a FIN it got as a byte each.
    return Socket(
        f"{_host(family, local)}:{local_port}",
        f"{_host(family, remote)}:{remote_port}",
        state,
        inode,
        max(0, received - (state in _PEER_SENT_FIN)),
        acked,
    )


def _counts(message: bytes) -> tuple[int, int]:
    at = _MESSAGE.size
    while at + _ATTRIBUTE.size <= len(message):
        size, kind = _ATTRIBUTE.unpack_from(message, at)
        if kind == _ATTRIBUTE_INFO and size >= _ATTRIBUTE.size + _BYTES_AT + _BYTES.size:
            acked, received = _BYTES.unpack_from(message, at + _ATTRIBUTE.size + _BYTES_AT)
            return acked, received
        at += max(size, _ATTRIBUTE.size) + 3 & ~3
    return 0, 0


@lru_cache(maxsize=HOSTS_MAX)
def _host(family: int, address: bytes) -> str:
    if family == socket.AF_INET:
        return socket.inet_ntoa(address[:4])
    wide = ipaddress.IPv6Address(address)
    return str(wide.ipv4_mapped or wide)
