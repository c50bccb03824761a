"""What a core wants done: the only way out of a core. The shell carries effects out in order and decides nothing.

Holds no behaviour. A core is a class with ``request``, ``closed``, ``tick``, ``next_deadline_ms`` (and, for the broker,
``start``, ``response``, ``flushed``, ``stream``, ``stop``) that returns lists of these.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from msgspec import Struct

if TYPE_CHECKING:
    from reference_impl.frame import Command


class Reply(Struct, frozen=True, gc=False):
    """Answer a request on the connection it came by; dropped when that connection is gone."""

    conn: int
    """The shell's number of the connection."""
    command: Command


class Push(Struct, frozen=True, gc=False):
    """Send a one-way request to a client over the connection that the client had opened."""

    conn: int
    command: Command
    """Its ``opaque`` is the core's to choose; both directions count on their own."""


class Close(Struct, frozen=True, gc=False):
    """Close a connection; the core is told by ``closed`` as for any other end."""

    conn: int


class Call(Struct, frozen=True, gc=False):
    """Send a request to another server and hand its answer to ``response(now_ms, token, command)``.

    The shell keeps one connection per address, opens it on demand, and chooses the ``opaque``. Nothing ever
    comes back for a one-way command, so ``response`` is not called for it.
    """

    address: str
    """``host:port`` of the server, usually a NameServer."""
    command: Command
    token: str
    """The core's name for this call, handed back with the answer, or with ``None`` when it failed or took too long."""
    timeout_ms: int


class NeedFlush(Struct, frozen=True, gc=False):
    """Something was appended that is not yet on the disk; ``flushed(now_ms, position)`` is called when it is."""

    urgent: bool
    """True: somebody's answer waits for it, so sync now (group commit); False: the next periodic sync will do."""


class StreamOpen(Struct, frozen=True):
    """Open a connection that carries plain bytes; what becomes of it is told by ``stream(now_ms, stream, data)``."""

    stream: int
    """The core's number of it, below zero and new each time; accepted ones get the shell's, above zero."""
    address: str
    timeout_ms: int


class StreamSend(Struct, frozen=True):
    """Send bytes on a connection that carries plain bytes; dropped when it is gone."""

    stream: int
    data: bytes


class StreamClose(Struct, frozen=True):
    """End a connection that carries plain bytes; the core is told by ``stream`` as for any other end."""

    stream: int
    reason: str
    """For the log; empty where there is nothing to tell."""


class Report(Struct, frozen=True):
    """Write to the log, as an error, what the reference did not expect of itself."""

    line: str


StreamEffect: TypeAlias = StreamOpen | StreamSend | StreamClose
Effect: TypeAlias = Reply | Push | Close | Call | NeedFlush | Report | StreamEffect
