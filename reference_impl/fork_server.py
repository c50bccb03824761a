"""``python -m reference_impl fork-server --control FD``: starts nodes by forking, everything imported already.

For whoever starts many nodes, as tests do: importing takes longer than all the rest of a start. Each node is a process
of its own with a group of its own, and from its arguments on it goes the way of ``python -m reference_impl``. Nothing
runs here but one loop: no thread that a fork could cut in two.

Lines of JSON on the inherited Unix stream socket; one request at a time::

    here   {"ready": true}                             once everything is imported
    there  {"arguments": [...], "descriptors": [1, 2]} with as many descriptors, which get these numbers in the node
    here   {"pid": 123} or {"error": "..."}            the answer
    here   {"pid": 123, "status": -9}                  a node has ended; negative: by a signal

When the other end closes, the server ends; its nodes go on.
"""

from __future__ import annotations

import array
import contextlib
import fcntl
import gc
import importlib
import json
import os
import select
import signal
import socket
from collections.abc import Sequence
from typing import Any, Final

REQUEST_BYTES_MAX: Final = 1 << 20
"""Longest request (ours)."""

DESCRIPTORS_MAX: Final = 16
"""Most descriptors of one request (ours)."""

WAKE_BYTES_MAX: Final = 4096
"""Signals of children that are taken together (ours)."""

IMPORTED: Final = ("broker", "control", "disk", "nameserver", "store", "store.tables", "vip")
"""What nodes import as they start, beyond what the command line does."""


def serve(descriptor: int) -> list[str] | None:
    """Fork a node for each request; gives the node's arguments in the node, None here once nobody is left to ask.

    ``descriptor``: of the inherited socket. Raises ValueError for a request that is none, OSError for a broken socket.
    Called by the command line.
    """
    for name in IMPORTED:
        importlib.import_module(f"reference_impl.{name}")
    # What is there now stays in every node's memory as it is: no collector need touch it.
    gc.collect()
    gc.freeze()
    # A signal alone could come just before waiting begins, and would be seen after it: this wakes.
    woken, wake = socket.socketpair()
    with socket.socket(fileno=descriptor) as channel, woken, wake:
        woken.setblocking(False)
        wake.setblocking(False)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(wake.fileno(), warn_on_full_buffer=False)
        try:
            _say(channel, ready=True)
            request = _fork(channel, woken)
        finally:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    if request is None:
        return None
    asked, descriptors = request
    _become_a_node(descriptors, asked["descriptors"])
    return [str(word) for word in asked["arguments"]]


def _fork(channel: socket.socket, woken: socket.socket) -> tuple[dict[str, Any], list[int]] | None:
    """The server's loop; gives the request in each node, None in the server at its end."""
    while True:
        ready, _, _ = select.select([channel, woken], [], [])
        if woken in ready:
            woken.recv(WAKE_BYTES_MAX)
            _reap(channel)
        if channel not in ready:
            continue
        request, descriptors = _next_request(channel)
        if request is None:
            return None
        try:
            pid = os.fork()
        except OSError as error:
            _say(channel, error=str(error))
        else:
            if pid == 0:
                return request, descriptors
            # Whoever hears of it may send signals to its group at once.
            os.setpgid(pid, pid)
            _say(channel, pid=pid)
        for each in descriptors:
            os.close(each)


def _become_a_node(descriptors: Sequence[int], numbers: Sequence[int]) -> None:
    """In the child: the signals of a fresh process, and its descriptors where it looks for them."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # First out of the way: one's number may be where another one is to go.
    above = [fcntl.fcntl(each, fcntl.F_DUPFD_CLOEXEC, max(numbers) + 1) for each in descriptors]
    for each in descriptors:
        os.close(each)
    for each, number in zip(above, numbers, strict=True):
        os.dup2(each, number)
        os.close(each)


def _next_request(channel: socket.socket) -> tuple[dict[str, Any] | None, list[int]]:
    line, descriptors = b"", array.array("i")
    while not line.endswith(b"\n"):
        try:
            data, received, flags, _ = socket.recv_fds(channel, REQUEST_BYTES_MAX, DESCRIPTORS_MAX)
        except ConnectionResetError:
            return None, []  # closed before it read all we said
        descriptors.extend(received)
        line += data
        if flags & socket.MSG_CTRUNC or len(line) > REQUEST_BYTES_MAX:
            raise ValueError(f"a request has at most {REQUEST_BYTES_MAX} bytes and {DESCRIPTORS_MAX} descriptors")
        if not data:
            return None, []
    request = json.loads(line)
    if len(request["descriptors"]) != len(descriptors):
        raise ValueError(f"{len(descriptors)} descriptors came with a request for numbers {request['descriptors']}")
    return request, list(descriptors)


def _reap(channel: socket.socket) -> None:
    """Tell of every node that has ended."""
    with contextlib.suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            _say(channel, pid=ended[0], status=os.waitstatus_to_exitcode(ended[1]))


def _say(channel: socket.socket, **line: object) -> None:
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        channel.sendall(json.dumps(line).encode() + b"\n")
