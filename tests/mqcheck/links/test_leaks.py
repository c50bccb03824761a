"""What counts as going round a link."""

from __future__ import annotations

import os
import socket

import pytest

from mqcheck.links import sockets
from mqcheck.links.leaks import Guarded, describe, leaks
from mqcheck.links.sockets import CLOSE_WAIT, ESTABLISHED, SYN_SENT, Socket

BROKER = Guarded("broker-a (main)", "h:9", pids=frozenset({100}))
NAMESERVER = Guarded("nameserver-1", "h:8", local=frozenset({"h:700"}))


@pytest.mark.parametrize("state", [ESTABLISHED, SYN_SENT, CLOSE_WAIT])
def test_only_proxies_may_connect(state: int) -> None:
    table = [
        Socket("h:1", "h:9", state, 11, 0, 0),
        Socket("h:2", "h:9", state, 12, 0, 0),
        Socket("h:3", "h:9", state, 13, 0, 0),
        Socket("h:700", "h:8", state, 14, 0, 0),
        Socket("h:701", "h:8", state, 15, 0, 0),
        Socket("h:9", "h:1", state, 16, 0, 0),
        Socket("h:4", "h:7", state, 17, 0, 0),
    ]
    found = leaks(table, {11: 100, 12: 101, 15: 100}, [BROKER, NAMESERVER])
    assert [(server.name, each.local) for server, each in found] == [
        ("broker-a (main)", "h:2"),
        ("broker-a (main)", "h:3"),
        ("nameserver-1", "h:701"),
    ]


def test_what_is_over_is_no_traffic() -> None:
    table = [
        Socket("h:1", "h:9", 6, 0, 0, 0),
        Socket("h:1", "h:9", 7, 5, 0, 0),
        Socket("h:2", "h:9", ESTABLISHED, 0, 0, 0),
    ]
    assert leaks(table, {}, [BROKER]) == []


def test_the_message_names_both_ends_and_the_program() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        local = "{}:{}".format(*client.getsockname())
        (each,) = [each for each in sockets.table() if each.local == local]
        gone = Socket("h:2", "h:9", ESTABLISHED, 2**31, 0, 0)
        text = describe([(BROKER, each), (BROKER, gone)])
    assert f"{local} -> broker-a (main) at {each.remote}, held by process {os.getpid()} (" in text
    assert "h:2 -> broker-a (main) at h:9, held by an unknown process" in text
