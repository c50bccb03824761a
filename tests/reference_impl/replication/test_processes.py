"""Master and slave as processes: what an answer means when one of them is stopped or dead. Clauses: rep-sync-ack,
rep-slave-missing, rep-slave-slow, rep-slave-read, rep-resume, ns-slave-haaddr.
"""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from reference_impl.frame import Command, FrameReader, encode

pytestmark = pytest.mark.slow

DEADLINE_S = 20.0
FAST = (
    "reference.registerPeriodMs=200",
    "reference.slaveSyncMs=200",
    "reference.haReconnectMs=100",
    "slaveTimeout=400",
)


class Node:
    """One process of the reference."""

    def __init__(self, role: str, *properties: str) -> None:
        words = [word for text in properties for word in ("-p", text)]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "reference_impl", role, *words], stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        self.address: str = json.loads(self.process.stdout.readline())["address"]

    def end(self, number: int) -> None:
        self.process.send_signal(number)
        self.process.wait(DEADLINE_S)
        assert self.process.stdout is not None
        self.process.stdout.close()

    def ask(self, code: int, body: bytes = b"", **fields: Any) -> Command:
        host, _, port = self.address.rpartition(":")
        texts = {name: str(value) for name, value in fields.items()}
        with socket.create_connection((host, int(port)), timeout=DEADLINE_S) as sock:
            sock.sendall(encode(Command(code, 1, 0, texts, body)))
            reader = FrameReader()
            while not (found := reader.feed(sock.recv(65536))):
                pass
            return found[0]

    def send(self, body: bytes) -> int:
        fields = {"a": "P", "b": "T", "c": "TBW102", "d": 1, "e": 0, "f": 0, "g": 1, "h": 0, "i": ""}
        return self.ask(310, body, **fields).code

    def queue(self) -> bytes:
        """The records of the one queue, as they are stored."""
        data, offset = b"", 0
        while True:
            answer = self.ask(
                11, consumerGroup="G", topic="T", queueId=0, queueOffset=offset, maxMsgNums=32, sysFlag=4,
                commitOffset=0, suspendTimeoutMillis=0, subVersion=0, subscription="*",
            )  # fmt: skip
            if answer.code != 0:
                return data
            data, offset = data + answer.body, int(answer.fields["nextBeginOffset"])


def until(what: Callable[[], Any]) -> None:
    end = time.monotonic() + DEADLINE_S
    while not what():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.fixture
def start() -> Iterator[Callable[..., Node]]:
    nodes: list[Node] = []

    def make(role: str, *properties: str) -> Node:
        nodes.append(Node(role, *properties))
        return nodes[-1]

    yield make
    for node in nodes:
        if node.process.poll() is None:
            node.end(signal.SIGKILL)


def test_what_answers_mean_while_slave_and_master_come_and_go(start: Callable[..., Node], tmp_path: Path) -> None:
    nameserver = start("namesrv", "listenPort=0")
    common = (f"namesrvAddr={nameserver.address}", *FAST)
    master_settings = (*common, "brokerRole=SYNC_MASTER", f"storePathRootDir={tmp_path / 'master'}")
    slave_settings = (*common, "brokerRole=SLAVE", "brokerId=1", f"storePathRootDir={tmp_path / 'slave'}")
    master = start("broker", "listenPort=0", *master_settings)
    assert master.send(b"alone") == 11
    slave = start("broker", "listenPort=0", *slave_settings)
    until(lambda: master.send(b"seen") == 0)
    until(lambda: slave.queue() == master.queue())
    for number in range(50):
        assert master.send(b"<%d>" % number) == 0
        assert b"<%d>" % number in slave.queue()
    slave.process.send_signal(signal.SIGSTOP)
    began = time.monotonic()
    assert master.send(b"late") == 12
    assert time.monotonic() - began >= 0.4
    slave.process.send_signal(signal.SIGCONT)
    until(lambda: slave.queue() == master.queue())
    slave.end(signal.SIGKILL)
    until(lambda: master.send(b"lonely") == 11)
    slave = start("broker", "listenPort=0", *slave_settings)
    until(lambda: master.send(b"again") == 0)
    kept = master.queue()
    assert slave.queue() == kept
    master.end(signal.SIGKILL)
    assert slave.queue() == kept
    assert slave.send(b"no") == 14
    port = master.address.rpartition(":")[2]
    master = start("broker", f"listenPort={port}", *master_settings)
    until(lambda: master.send(b"back") == 0)
    assert slave.queue() == master.queue()
    assert slave.queue().startswith(kept)
