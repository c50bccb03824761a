"""What counts as going round a link."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mqcheck.links import sockets
from mqcheck.links.leaks import Guarded, describe, guarded_servers, leaks, own_processes
from mqcheck.links.sockets import CLOSE_WAIT, ESTABLISHED, SYN_SENT, Socket

BROKER = Guarded("broker-a (main)", "h:9", pids=frozenset({100}))
NAMESERVER = Guarded("nameserver-1", "h:8", local=frozenset({"h:700"}))


@pytest.mark.parametrize("state", [ESTABLISHED, SYN_SENT])
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


def test_what_an_earlier_server_left_half_closed_at_this_address_is_no_traffic() -> None:
    assert leaks([Socket("h:2", "h:9", CLOSE_WAIT, 12, 0, 0)], {12: 101}, [BROKER, NAMESERVER]) == []


def test_of_a_shared_server_only_our_own_processes_are_looked_at() -> None:
    shared = Guarded("broker-a (main)", "h:9", pids=frozenset({100}), only=frozenset({100, 200}))
    table = [Socket(f"h:{number}", "h:9", ESTABLISHED, number, 0, 0) for number in (1, 2, 3, 4)]
    found = leaks(table, {1: 100, 2: 200, 3: 300}, [shared])
    assert [each.local for _, each in found] == ["h:2"]


def test_our_own_processes_are_this_one_and_its_clients() -> None:
    client = [sys.executable, "-c", "import sys; sys.stdin.read()", "-m", "mqcheck.workloads"]
    other = client[:3]
    with (
        subprocess.Popen(client, stdin=subprocess.PIPE) as ours,
        subprocess.Popen(other, stdin=subprocess.PIPE) as not_ours,
    ):
        # A child is its parent, by its words, until it has become its own program.
        while b"mqcheck.workloads" not in Path(f"/proc/{ours.pid}/cmdline").read_bytes().split(b"\0"):
            pass
        found = own_processes()
    assert {os.getpid(), ours.pid} <= found
    assert not_ours.pid not in found


def test_servers_of_others_and_proxies_are_guarded_as_the_kernel_writes_them() -> None:
    found = guarded_servers(
        {"nameserver-1": "[0::1]:8"}, {"broker-a (main)": "h:9"}, [], frozenset({1}), frozenset({2})
    )
    assert [(each.address, each.pids, each.only) for each in found] == [
        ("::1:8", frozenset(), frozenset({2})),
        ("h:9", frozenset({1}), frozenset({2})),
    ]
    frame: Any = SimpleNamespace(upstream="h:9", address="h:7", upstream_locals=frozenset({"h:5"}))
    *_, proxy, broker = guarded_servers({}, {"broker-a (main)": "h:9"}, [frame], frozenset({1}), None)
    assert (proxy.address, proxy.pids, proxy.local) == ("h:7", frozenset({1}), frozenset())
    assert (broker.pids, broker.local) == (frozenset({1}), frozenset({"h:5"}))


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
