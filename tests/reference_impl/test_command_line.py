"""The command line with real processes and sockets: ready line, a message's way, restart, control socket, refusals."""

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
from reference_impl.loose_json import loads_loose
from reference_impl.message import Record, decode_record

FAST = ("-p", "reference.registerPeriodMs=200")
DEADLINE_S = 20.0
"""How long anything may take before a test gives up."""


class Node:
    """One process of the reference."""

    def __init__(self, *arguments: str, control: bool = False) -> None:
        self.control, theirs = socket.socketpair()
        command = [sys.executable, "-m", "reference_impl", *arguments]
        if control:
            command += ["--control", str(theirs.fileno())]
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, pass_fds=(theirs.fileno(),)
        )
        theirs.close()
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        self.ready: dict[str, Any] = json.loads(line) if line else {}

    def do(self, **line: Any) -> dict[str, Any]:
        self.control.settimeout(DEADLINE_S)
        self.control.sendall(json.dumps(line).encode() + b"\n")
        data = b""
        while not data.endswith(b"\n"):
            data += self.control.recv(65536)
        found: dict[str, Any] = json.loads(data)
        return found

    def stop(self, number: int = signal.SIGTERM) -> tuple[int, str]:
        self.process.send_signal(number)
        return self.ended()

    def ended(self) -> tuple[int, str]:
        _, errors = self.process.communicate(timeout=DEADLINE_S)
        self.control.close()
        return self.process.returncode, errors


@pytest.fixture
def start() -> Iterator[Callable[..., Node]]:
    nodes: list[Node] = []

    def make(*arguments: str, **options: Any) -> Node:
        nodes.append(Node(*arguments, **options))
        return nodes[-1]

    yield make
    for node in nodes:
        if node.process.poll() is None:
            node.stop(signal.SIGKILL)


def ask(address: str, code: int, body: bytes = b"", **fields: str) -> Command:
    host, _, port = address.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=DEADLINE_S) as sock:
        sock.sendall(encode(Command(code, 1, 0, fields, body)))
        reader = FrameReader()
        while True:
            data = sock.recv(65536)
            assert data, f"{address} closed the connection"
            if found := reader.feed(data):
                return found[0]


def create(address: str, topic: str) -> None:
    answer = ask(
        address, 17, topic=topic, defaultTopic="TBW102", readQueueNums="1", writeQueueNums="1", perm="6",
        topicFilterType="SINGLE_TAG", order="false",
    )  # fmt: skip
    assert answer.code == 0, answer.remark


def send(address: str, topic: str, body: bytes) -> None:
    fields = {"a": "P", "b": topic, "c": "TBW102", "d": "4", "e": "0", "f": "0", "g": "1", "h": "0", "i": "TAGS\x01A"}
    answer = ask(address, 310, body, **fields)
    assert answer.code == 0, answer.remark


def pull(address: str, topic: str) -> list[Record]:
    answer = ask(
        address, 11, consumerGroup="G", topic=topic, queueId="0", queueOffset="0", maxMsgNums="32", sysFlag="4",
        commitOffset="0", suspendTimeoutMillis="0", subVersion="0", subscription="*",
    )  # fmt: skip
    assert answer.code in (0, 19, 21), answer.remark
    records, at = [], 0
    while at < len(answer.body):
        records.append(decode_record(answer.body, at))
        at += records[-1].size
    return records


def brokers(nameserver: str, topic: str) -> list[str]:
    answer = ask(nameserver, 105, topic=topic)
    if answer.code != 0:
        return []
    return [address for data in loads_loose(answer.body)["brokerDatas"] for address in data["brokerAddrs"].values()]


def until(what: Callable[[], bool]) -> None:
    end = time.monotonic() + DEADLINE_S
    while not what():
        assert time.monotonic() < end
        time.sleep(0.02)


def everything(folder: Path, *more: str) -> tuple[str, ...]:
    return ("all", "-p", "namesrv.listenPort=0", "-p", f"storePathRootDir={folder}", *FAST, *more)


@pytest.mark.slow
@pytest.mark.parametrize(("number", "flush"), [(signal.SIGTERM, "ASYNC_FLUSH"), (signal.SIGKILL, "SYNC_FLUSH")])
def test_a_message_goes_all_the_way_and_survives_a_restart(
    start: Callable[..., Node], tmp_path: Path, number: int, flush: str
) -> None:
    arguments = everything(tmp_path / "store", "-p", f"flushDiskType={flush}")
    node = start(*arguments, "-p", "broker.listenPort=0")
    assert node.ready["role"] == "all"
    assert node.ready["address"] == node.ready["namesrv"]["address"]
    assert node.ready["pid"] == node.process.pid
    assert node.ready["broker"]["settings"]["flushDiskType"] == flush
    assert node.ready["broker"]["brokerName"] == "broker-a"
    broker = node.ready["broker"]["address"]
    assert brokers(node.ready["address"], "TBW102") == [broker], "ready means registered"
    create(broker, "T")
    assert brokers(node.ready["address"], "T") == [broker]
    send(broker, "T", b"hello")
    assert [record.body for record in pull(broker, "T")] == [b"hello"]
    status, errors = node.stop(number)
    assert (status, errors) == (0 if number == signal.SIGTERM else -number, "")
    again = start(*arguments, "-p", f"broker.listenPort={broker.rpartition(':')[2]}")
    assert again.ready["broker"]["address"] == broker
    assert brokers(again.ready["address"], "T") == [broker]
    (record,) = pull(broker, "T")
    assert (record.body, record.store_host) == (b"hello", ("127.0.0.1", int(broker.rpartition(":")[2])))
    assert again.stop() == (0, "")


@pytest.mark.slow
def test_a_broker_finds_nameservers_that_come_back(start: Callable[..., Node], tmp_path: Path) -> None:
    first, second = (start("namesrv", "-p", "listenPort=0") for _ in range(2))
    addresses = [node.ready["address"] for node in (first, second)]
    assert first.ready["role"] == "namesrv"
    assert first.ready["settings"]["reference.brokerExpiryMs"] == 120_000
    file = tmp_path / "broker.conf"
    file.write_text(f"# made by a test\nnamesrvAddr = {';'.join(addresses)}\nlistenPort=0\nhighSpeedMode=true\n")
    broker = start("broker", "-c", str(file), "-p", f"storePathRootDir={tmp_path / 'store'}", *FAST)
    assert [brokers(address, "TBW102") for address in addresses] == [[broker.ready["address"]]] * 2
    first.stop(signal.SIGKILL)
    assert brokers(addresses[1], "TBW102")
    back = start("namesrv", "-p", f"listenPort={addresses[0].rpartition(':')[2]}")
    assert back.ready["address"] == addresses[0]
    until(lambda: brokers(addresses[0], "TBW102") == [broker.ready["address"]])
    status, errors = broker.stop()
    assert status == 0
    assert "highSpeedMode has no meaning here" in errors
    assert [brokers(address, "TBW102") for address in addresses] == [[], []], "a clean stop unregisters"
    assert back.stop()[0] == second.stop()[0] == 0


@pytest.mark.slow
def test_the_vip_port_serves_all_but_pulls(start: Callable[..., Node], tmp_path: Path) -> None:
    node = start(*everything(tmp_path / "store", "-p", "broker.listenPort=0"))
    host, _, port = node.ready["broker"]["address"].rpartition(":")
    vip = f"{host}:{int(port) - 2}"
    create(vip, "T")
    send(vip, "T", b"1")
    assert ask(vip, 11).code == 3
    assert len(pull(f"{host}:{port}", "T")) == 1
    with socket.create_connection((host, int(port) + 1), timeout=10) as slave:
        slave.sendall((0).to_bytes(8, "big"))
        assert slave.recv(12) == (0).to_bytes(8, "big") + pull(f"{host}:{port}", "T")[0].size.to_bytes(4, "big")
    node.stop()


@pytest.mark.slow
def test_the_control_socket_pings_empties_and_sets_the_disk(start: Callable[..., Node], tmp_path: Path) -> None:
    node = start(*everything(tmp_path / "store", "-p", "broker.listenPort=0"), control=True)
    broker = node.ready["broker"]["address"]
    assert node.do(do="ping") == {"ok": True}
    create(broker, "T")
    send(broker, "T", b"1")
    assert node.do(do="empty") == {"ok": True}
    assert brokers(node.ready["address"], "T") == []
    assert brokers(node.ready["address"], "TBW102") == [broker]
    create(broker, "T")
    assert pull(broker, "T") == []
    assert brokers(node.ready["address"], "T") == [broker]
    nothing_yet = node.do(do="disk", fsync_delay_ms=1, fsync_error=False)
    assert nothing_yet.pop("ok") is True
    assert set(nothing_yet.values()) == {0}
    for wrong in ({"fsync_delay_ms": "x"}, {"fsync_delay_ms": -1}, {"nonsense": 1}):
        assert node.do(do="disk", **wrong)["ok"] is False
    assert "unknown line" in node.do(do="dance")["error"]
    assert node.stop() == (0, "")


@pytest.mark.slow
def test_a_sync_that_fails_is_answered_10_and_the_message_is_there(start: Callable[..., Node], tmp_path: Path) -> None:
    sync = ("-p", "flushDiskType=SYNC_FLUSH", "-p", "syncFlushTimeout=200", "-p", "broker.listenPort=0")
    node = start(*everything(tmp_path / "store", *sync), control=True)
    broker = node.ready["broker"]["address"]
    create(broker, "T")
    assert node.do(do="disk", fsync_error=True)["failed_fsyncs"] == 0
    fields = {"a": "P", "b": "T", "c": "TBW102", "d": "4", "e": "0", "f": "0", "g": "1", "h": "0"}
    assert ask(broker, 310, b"late", **fields).code == 10
    assert node.do(do="disk")["failed_fsyncs"] > 0
    assert ask(broker, 310, b"good", **fields).code == 0
    assert [record.body for record in pull(broker, "T")] == [b"late", b"good"]
    status, errors = node.stop()
    assert status == 0
    assert "a sync failed" in errors


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("broker", "-p", "flushDiskTyp=SYNC_FLUSH"), "did you mean flushDiskType"),
        (("all", "-p", "listenPort=0"), "namesrv.listenPort or broker.listenPort"),
        (("broker", "-c", "/nowhere/broker.conf"), "cannot be read"),
        (("namesrv", "-p", "listenPort=0", "--sabotage", "nothing"), "is unknown"),
        (("namesrv", "-p", "listenPort=0", "--control", "777"), "--control 777 is not open"),
        (("namesrv", "-p", "listenPort=0", "--control", "0"), "socketpair"),
    ],
)
def test_what_cannot_be_used_is_refused_with_a_way_out(
    start: Callable[..., Node], arguments: tuple[str, ...], told: str
) -> None:
    node = start(*arguments)
    status, errors = node.ended()
    assert status == 2
    assert told in errors
    assert "Traceback" not in errors


@pytest.mark.slow
def test_a_disk_that_cannot_be_used_is_told(start: Callable[..., Node], tmp_path: Path) -> None:
    (tmp_path / "store").write_text("in the way")
    status, errors = start(*everything(tmp_path / "store", "-p", "broker.listenPort=0")).ended()
    assert status == 1
    assert "store" in errors
    assert "Traceback" not in errors


@pytest.mark.slow
def test_a_taken_port_is_refused(start: Callable[..., Node]) -> None:
    first = start("namesrv", "-p", "listenPort=0")
    second = start("namesrv", "-p", f"listenPort={first.ready['address'].rpartition(':')[2]}")
    status, errors = second.ended()
    assert status == 2
    assert "use another, or 0" in errors
    first.stop()


def test_a_start_loads_neither_tls_nor_what_only_brokers_need() -> None:
    code = "import sys, reference_impl.__main__; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "reference_impl.nameserver" in loaded
    assert not loaded & {"ssl", "reference_impl.broker", "reference_impl.store", "reference_impl.disk"}


@pytest.mark.slow
def test_key_value_configuration_is_kept_where_a_path_is_set(start: Callable[..., Node], tmp_path: Path) -> None:
    arguments = ("namesrv", "-p", "listenPort=0", "-p", f"kvConfigPath={tmp_path / 'kv' / 'kvConfig.json'}")
    node = start(*arguments)
    assert ask(node.ready["address"], 100, namespace="n", key="k", value="v").code == 0
    node.stop(signal.SIGKILL)
    assert json.loads((tmp_path / "kv" / "kvConfig.json").read_text()) == {"configTable": {"n": {"k": "v"}}}
    again = start(*arguments)
    assert ask(again.ready["address"], 101, namespace="n", key="k").fields == {"value": "v"}
    again.stop()
