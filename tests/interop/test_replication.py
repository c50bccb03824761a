"""The reference and Apache RocketMQ 4.9.7 as each other's master and slave: the same bytes at the same positions."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from clients import WHOLE, WHOLE_REASON
from java_broker import java_broker, java_namesrv, missing

from reference_impl.frame import Command, FrameReader, encode
from reference_impl.loose_json import loads_loose
from reference_impl.message import encode_properties

pytestmark = [
    pytest.mark.interop,
    pytest.mark.slow,
    pytest.mark.skipif(not WHOLE, reason=WHOLE_REASON),
    pytest.mark.skipif(missing("java", "mvn") is not None, reason=str(missing("java", "mvn"))),
]

FILE_BYTES = 256 * 1024
TOPIC = "Copied"
QUEUES = 4
DEADLINE_S = 60.0
TABLES = (21, 43, 201)


class Client:
    """One connection; requests may be sent many at a time."""

    def __init__(self, address: str) -> None:
        host, port = address.split(":")
        self.sock = socket.create_connection((host, int(port)), timeout=DEADLINE_S)
        self.reader = FrameReader()
        self.opaque = 0

    def close(self) -> None:
        self.sock.close()

    def ask_all(self, commands: list[tuple[int, dict[str, Any], bytes]]) -> list[Command]:
        wanted = {}
        for code, fields, body in commands:
            self.opaque += 1
            texts = {name: str(value) for name, value in fields.items()}
            wanted[self.opaque] = Command(code, self.opaque, 0, texts, body, version=407)
        self.sock.sendall(b"".join(map(encode, wanted.values())))
        found: dict[int, Command] = {}
        while len(found) < len(wanted):
            data = self.sock.recv(1 << 20)
            assert data, "the connection was closed"
            found |= {answer.opaque: answer for answer in self.reader.feed(data) if answer.opaque in wanted}
        return [found[opaque] for opaque in wanted]

    def ask(self, code: int, body: bytes = b"", **fields: Any) -> Command:
        return self.ask_all([(code, fields, body)])[0]


def send_fields(queue: int, **properties: str) -> dict[str, Any]:
    now_ms = time.time_ns() // 1_000_000
    text = encode_properties({"TAGS": "A", "KEYS": "k", **properties})
    return {"a": "P", "b": TOPIC, "c": "TBW102", "d": QUEUES, "e": queue, "f": 0, "g": now_ms, "h": 0, "i": text}


def send(address: str, count: int, size: int = 700) -> list[int]:
    """Send messages of growing size to all queues; the answers' codes."""
    with closing(Client(address)) as client:
        codes = []
        for begin in range(0, count, 50):
            requests = [
                (310, send_fields(number % QUEUES), b"%06d" % number + b"." * (size + number % 999))
                for number in range(begin, min(count, begin + 50))
            ]
            codes += [answer.code for answer in client.ask_all(requests)]
        return codes


def queue_bytes(address: str) -> dict[int, bytes]:
    """Every record of every queue, as it is stored; none where the topic is not known yet."""
    found = {}
    with closing(Client(address)) as client:
        for queue in range(QUEUES):
            data, offset = b"", int(client.ask(31, topic=TOPIC, queueId=queue).fields["offset"])
            while True:
                answer = client.ask(
                    11, consumerGroup="G", topic=TOPIC, queueId=queue, queueOffset=offset, maxMsgNums=32, sysFlag=4,
                    commitOffset=0, suspendTimeoutMillis=0, subVersion=0, subscription="*",
                )  # fmt: skip
                if answer.code != 0:
                    break
                data += answer.body
                offset = int(answer.fields["nextBeginOffset"])
            found[queue] = data
    return found


def log_files(store: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in sorted((store / "commitlog").iterdir()) if file.name.isdecimal()}


def same_log(reference: Path, java: Path) -> bool:
    """Whether the reference's files are Java's, as far as they go; Java's are filled up with zeros."""
    ours, theirs = log_files(reference), log_files(java)
    last = max(ours)
    return all(
        theirs[name].startswith(data) and (name != last or not any(theirs[name][len(data) :]))
        for name, data in ours.items()
    )


def until(what: Callable[[], Any]) -> None:
    end = time.monotonic() + DEADLINE_S
    while not what():
        assert time.monotonic() < end, what
        time.sleep(0.1)


def tables(address: str) -> list[Any]:
    """Topics, offsets and groups."""
    with closing(Client(address)) as client:
        shapes = [loads_loose(client.ask(code).body) for code in TABLES]
    topics, offsets, groups = shapes
    names = ("readQueueNums", "writeQueueNums", "perm")
    return [
        {name: [config[key] for key in names] for name, config in topics["topicConfigTable"].items()},
        {key: {str(queue): offset for queue, offset in table.items()} for key, table in offsets["offsetTable"].items()},
        {name: config["retryMaxTimes"] for name, config in groups["subscriptionGroupTable"].items()},
    ]


@contextmanager
def reference(role: str, *properties: str) -> Iterator[tuple[dict[str, Any], subprocess.Popen[str]]]:
    """A process of the reference and its ready line."""
    words = [word for text in properties for word in ("-p", text)]
    process = subprocess.Popen(
        [sys.executable, "-m", "reference_impl", role, *words], stdout=subprocess.PIPE, text=True, env=dict(os.environ)
    )
    assert process.stdout is not None
    try:
        yield json.loads(process.stdout.readline()), process
    finally:
        process.terminate()
        process.wait(20)
        process.stdout.close()


def change_tables(address: str) -> None:
    with closing(Client(address)) as client:
        group = {"groupName": "G2", "retryMaxTimes": 5, "consumeEnable": True, "retryQueueNums": 1}
        assert client.ask(200, json.dumps(group).encode()).code == 0
        assert client.ask(15, consumerGroup="G2", topic=TOPIC, queueId=1, commitOffset=7).code == 0


def test_a_reference_slave_of_a_java_master(tmp_path: Path) -> None:
    store, home = tmp_path / "slave", tmp_path / "java"
    with java_namesrv("4.9.7", home) as nameserver, ExitStack() as master:
        java = {"brokerRole": "SYNC_MASTER", "mappedFileSizeCommitLog": FILE_BYTES}
        address = master.enter_context(java_broker("4.9.7", home, nameserver, java))
        assert set(send(address, 600)) == {11}
        slave = (
            "brokerRole=SLAVE", "brokerId=1", f"namesrvAddr={nameserver}", "listenPort=0",
            f"mappedFileSizeCommitLog={FILE_BYTES}", f"storePathRootDir={store}", "reference.registerPeriodMs=500",
            "reference.slaveSyncMs=500",
        )  # fmt: skip
        with reference("broker", *slave) as (_, process):
            until(lambda: set(send(address, 1)) == {0})
            assert min(log_files(store)) > min(log_files(home / "store")), "a new slave begins with the last file"
            assert set(send(address, 600)) == {0}, "every one was on the slave when it was answered"
            process.send_signal(signal.SIGKILL)
            process.wait()
        assert set(send(address, 50)) <= {11, 12}
        with reference("broker", *slave) as (ready, _):
            until(lambda: set(send(address, 1)) == {0})
            assert set(send(address, 600)) == {0}
            change_tables(address)
            until(lambda: tables(ready["address"]) == tables(address))
            copied = queue_bytes(ready["address"])
            for queue, data in queue_bytes(address).items():
                assert copied[queue]
                assert data.endswith(copied[queue])
            assert len(log_files(store)) > 3
            assert same_log(store, home / "store")
            with closing(Client(ready["address"])) as client:
                assert client.ask(310, b"x", **send_fields(0)).code == 14
            master.close()
            assert queue_bytes(ready["address"]) == copied, "the slave serves reads while its master is gone"


def test_a_java_slave_of_a_reference_master(tmp_path: Path) -> None:
    store = tmp_path / "master"
    with reference("namesrv", "listenPort=0") as (nameserver, _):
        master = (
            "brokerRole=SYNC_MASTER", f"namesrvAddr={nameserver['address']}", f"storePathRootDir={store}",
            f"mappedFileSizeCommitLog={FILE_BYTES}", "reference.registerPeriodMs=500",
        )  # fmt: skip
        slave = {"brokerRole": "SLAVE", "brokerId": 1, "mappedFileSizeCommitLog": FILE_BYTES}
        with reference("broker", "listenPort=0", *master) as (ready, process):
            address = ready["address"]
            assert set(send(address, 1)) == {11}
            with java_broker("4.9.7", tmp_path / "java", nameserver["address"], slave) as java:
                until(lambda: set(send(address, 1)) == {0})
                assert set(send(address, 900)) == {0}, "every one was on the slave when it was answered"
                change_tables(address)
                until(lambda: TOPIC in tables(java)[0])
                until(lambda: tables(java)[1:] == tables(address)[1:])
                before = queue_bytes(address)
                assert queue_bytes(java) == before
                process.send_signal(signal.SIGKILL)
                process.wait()
                assert queue_bytes(java) == before, "the slave serves reads while its master is dead"
                port = address.rpartition(":")[2]
                with reference("broker", f"listenPort={port}", *master) as (again, _):
                    until(lambda: set(send(again["address"], 1)) == {0})
                    assert set(send(again["address"], 900)) == {0}
                    after = queue_bytes(again["address"])
                    assert all(after[queue].startswith(data) for queue, data in before.items())
                    until(lambda: queue_bytes(java) == after)
                    assert len(log_files(store)) > 5
                    assert same_log(store, tmp_path / "java" / "store")
