"""One process through its lives: ports and clock stay, ends are clean, errors show the log."""

from __future__ import annotations

import os
import random
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from mqcheck.embedded.node import Node
from mqcheck.errors import NodeError, RefusedError
from mqcheck.guard import Guard, process_state, start_time

pytestmark = pytest.mark.slow


@pytest.fixture
def guard() -> Iterator[Guard]:
    guard = Guard()
    yield guard
    guard.close()


@pytest.fixture
def node(tmp_path: Path, guard: Guard) -> Iterator[Node]:
    store = tmp_path / "store"
    node = Node("n", "all", tmp_path, {"storePathRootDir": store}, guard, store)
    node.start()
    yield node
    node.close()


def test_lives_have_one_address_and_one_clock(node: Node) -> None:
    address, pid = node.address, node.pid
    node.ahead_ms = node.ask(do="advance", ms=5_000)["ahead_ms"]
    node.kill()
    assert not node.running
    assert start_time(pid) is None
    node.start()
    assert (node.address, node.life) == (address, 2)
    assert node.ask(do="advance", ms=0)["ahead_ms"] == 5_000
    node.stop()
    node.stop()
    node.start()
    assert node.address == address


def test_while_it_is_down_nobody_gets_its_port(node: Node) -> None:
    node.kill()
    host, _, port = node.address.rpartition(":")
    with socket.socket() as other, pytest.raises(OSError, match="in use"):
        other.bind((host, int(port)))


def test_paused_it_stands_still(node: Node) -> None:
    node.pause()
    assert process_state(node.pid) == "T"
    assert node.running
    node.resume()
    assert node.ask(do="ping") == {"ok": True}


def test_a_paused_one_can_be_ended(node: Node) -> None:
    pid = node.pid
    node.pause()
    node.stop()
    assert start_time(pid) is None


def test_somebody_else_ends_it(node: Node) -> None:
    pid = node.pid
    os.kill(pid, signal.SIGKILL)
    while node.running:
        pass
    with pytest.raises(NodeError, match=r"n is not running; start\(\) it again"):
        node.ask(do="ping")
    node.start()
    assert node.pid != pid


def test_an_answer_that_comes_too_late_is_nobodys(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    os.kill(node.pid, signal.SIGSTOP)
    assert node._control is not None
    node._control.settimeout(0.05)
    with pytest.raises(NodeError, match="no answer of n"):
        node.ask(do="advance", ms=1)
    os.kill(node.pid, signal.SIGCONT)
    node._control.settimeout(5)
    assert node.ask(do="ping") == {"ok": True}


def test_what_it_refuses_is_told(node: Node) -> None:
    with pytest.raises(NodeError, match=r"n refused .*\"do\" is one of"):
        node.ask(do="dance")


def test_power_is_cut_where_there_is_something_to_lose(node: Node, tmp_path: Path, guard: Guard) -> None:
    effect = node.power_cut(random.Random(1), torn=False)
    assert "unsynced_bytes_dropped" in effect
    assert not node.running
    node.start()
    nameserver = Node("ns", "namesrv", tmp_path, {}, guard, None)
    nameserver.start()
    with pytest.raises(NodeError, match="cut a broker's power"):
        nameserver.power_cut(random.Random(1), torn=False)
    nameserver.close()


def test_a_refused_start_shows_the_reason_and_leaves_nothing(tmp_path: Path, guard: Guard) -> None:
    node = Node("n", "all", tmp_path, {"maxMessageSiz": 5, "storePathRootDir": tmp_path / "s"}, guard, None)
    with pytest.raises(RefusedError, match=r"n refused what it was started with: .*maxMessageSiz"):
        node.start()
    assert not node.running
    node.close()


def test_a_port_of_ones_own_is_not_held(tmp_path: Path, guard: Guard) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    node = Node("ns", "namesrv", tmp_path, {"listenPort": port}, guard, None)
    node.start()
    assert node.address == f"127.0.0.1:{port}"
    node.close()
