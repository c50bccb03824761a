"""The kernel's table shows our own sockets, what passed them, and whose they are."""

from __future__ import annotations

import os
import socket
import sys

import pytest

from mqcheck.errors import LinkError
from mqcheck.links import sockets

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the socket monitor is Linux's")


def _name(each: socket.socket) -> str:
    return "{}:{}".format(*each.getsockname()[:2])


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_bytes_states_and_owner_of_a_connection(family: socket.AddressFamily) -> None:
    listener = socket.socket(socket.AF_INET6 if family == socket.AF_INET6 else socket.AF_INET)
    if family == socket.AF_INET6:
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listener.bind(("::", 0))
    else:
        listener.bind(("127.0.0.1", 0))
    listener.listen()
    with listener, socket.create_connection(("127.0.0.1", listener.getsockname()[1])) as client:
        served, _ = listener.accept()
        with served:
            client.sendall(b"x" * 1000)
            assert served.recv(400) == b"x" * 400
            table = sockets.table()
            address = f"127.0.0.1:{listener.getsockname()[1]}"
            # Another program's connection may have the same port at its end, to somebody else.
            (ours,) = [each for each in table if (each.local, each.remote) == (_name(client), address)]
            (theirs,) = [each for each in table if (each.local, each.remote) == (address, _name(client))]
            assert (ours.state, ours.open) == (sockets.ESTABLISHED, True)
            assert theirs.received == 1000
            assert ours.acked <= 1001
            port = listener.getsockname()[1]
            assert {each.inode for each in sockets.table((), {port})} == {ours.inode}
            assert {each.inode for each in sockets.table({port}, ())} == {theirs.inode}
            owners = sockets.owned([os.getpid(), 2**22 + 1])
            assert owners[ours.inode] == owners[theirs.inode] == os.getpid()
            client.shutdown(socket.SHUT_WR)
            (theirs,) = [each for each in sockets.table() if (each.local, each.remote) == (address, _name(client))]
            assert (theirs.state, theirs.received) == (sockets.CLOSE_WAIT, 1000)
    assert sockets.supported()


def test_a_kernel_that_does_not_answer_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(family: int, wanted: object) -> list[sockets.Socket]:
        raise OSError(2, "No such file")

    monkeypatch.setattr(sockets, "_dump", refuse)
    with pytest.raises(LinkError, match=r"sock_diag.*No such file.*run on Linux"):
        sockets.table()
    assert not sockets.supported()
    monkeypatch.setattr(sys, "platform", "darwin")
    assert not sockets.supported()
