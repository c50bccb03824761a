"""`mqcheck serve` as a program in another language uses it: a process, its first line, sockets, signals."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from mqcheck.clock import RealClock
from mqcheck.embedded.asking import Line
from mqcheck.guard import start_time
from mqcheck.history.recorder import Recorder
from mqcheck.rocketmq.admin import Admin
from mqcheck.rocketmq.client import Client
from mqcheck.rocketmq.models import ClientSettings, Outgoing
from mqcheck.rocketmq.producer import Producer
from mqcheck.targets.ports import _hold

pytestmark = [pytest.mark.slow, pytest.mark.e2e]

GONE_SECONDS_MAX = 20.0
"""How long the end of everything may take on a busy machine."""


class Serving:
    """One `mqcheck serve` that is ready."""

    def __init__(self, temporary: Path, *arguments: str) -> None:
        self.temporary = temporary
        self.process = subprocess.Popen(
            [sys.executable, "-m", "mqcheck", "serve", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "TMPDIR": str(temporary)},
        )
        assert self.process.stdout is not None
        self.line = self.process.stdout.readline().strip()

    @property
    def told(self) -> dict[str, Any]:
        said: dict[str, Any] = json.loads(self.line)
        return said

    def end(self, number: int) -> str:
        """What it said on standard error; everything it said on standard output was one line."""
        self.process.send_signal(number)
        output, errors = self.process.communicate(timeout=GONE_SECONDS_MAX)
        assert output == ""
        return errors

    def nothing_is_left(self) -> None:
        end = time.monotonic() + GONE_SECONDS_MAX
        while living := [name for name, pid in self.told["node_pids"].items() if start_time(pid)] or list(
            self.temporary.iterdir()
        ):
            assert time.monotonic() < end, living
            time.sleep(0.02)


@pytest.fixture
def serving(tmp_path: Path) -> Iterator[Callable[..., Serving]]:
    """Starts one, on free ports unless told otherwise."""
    with ExitStack() as stack:
        temporary = tmp_path / "temporary"
        temporary.mkdir()

        def start(*arguments: str) -> Serving:
            free = () if "--port" in arguments else ("--port", "0")
            made = Serving(temporary, "--json", *free, *arguments)
            stack.enter_context(made.process)
            stack.callback(made.process.kill)
            return made

        yield start


async def with_client(nameserver: str, folder: Path, act: Callable[[Client], Any]) -> Any:
    recorder = Recorder(Path(tempfile.mkdtemp(dir=folder)), run="r", process="t", number=0, clock=RealClock())
    client = Client("shop", nameserver.split(";"), recorder, ClientSettings(), RealClock(), random.Random(1))
    await client.start()
    try:
        return await act(client)
    finally:
        await client.close()
        recorder.close()


def send_orders(served: dict[str, Any], folder: Path, count: int) -> None:
    async def act(client: Client) -> None:
        admin = Admin(client, served["broker_addresses"])
        assert set((await admin.create_topic("orders", list(served["broker_addresses"]), queues=1)).values()) == {0}
        for number in range(count):
            assert (await Producer(client, "shop").send(Outgoing("orders", b"order %d" % number))).outcome == "ok"

    asyncio.run(with_client(served["nameserver_address"], folder, act))


def stored(served: dict[str, Any], folder: Path) -> int:
    """Messages of the topic, on all brokers."""

    async def act(client: Client) -> int:
        admin = Admin(client, served["broker_addresses"])
        return sum([await admin.max_offset(name, "orders", 0) or 0 for name in served["broker_addresses"]])

    found: int = asyncio.run(with_client(served["nameserver_address"], folder, act))
    return found


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL], ids=lambda each: each.name)
def test_it_serves_a_client_and_leaves_nothing(
    serving: Callable[..., Serving], tmp_path: Path, number: signal.Signals
) -> None:
    served = serving()
    assert served.told["data"] is None
    assert served.told["pid"] == served.process.pid
    send_orders(served.told, tmp_path, 3)
    assert stored(served.told, tmp_path) == 3
    assert len(list(served.temporary.iterdir())) == 1
    served.end(number)
    assert served.process.returncode == (-number if number == signal.SIGKILL else 0)
    served.nothing_is_left()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=lambda each: each.name)
def test_a_data_folder_keeps_messages(serving: Callable[..., Serving], tmp_path: Path, number: signal.Signals) -> None:
    folder = tmp_path / "shop"
    first = serving("--data", str(folder))
    assert first.told["data"] == str(folder)
    send_orders(first.told, tmp_path, 3)
    first.end(number)
    # Right after the end, whether or not the guard has done its work.
    second = serving("--data", str(folder))
    assert [pid for pid in first.told["node_pids"].values() if start_time(pid)] == []
    assert stored(second.told, tmp_path) == 3
    third = serving("--data", str(folder))
    assert third.line == ""
    assert third.process.wait(GONE_SECONDS_MAX) == 4
    assert third.process.stderr is not None
    assert "is in use by another mqcheck serve: end that, or choose another" in third.process.stderr.read()
    assert stored(second.told, tmp_path) == 3


@pytest.fixture
def ports() -> Iterator[tuple[int, int]]:
    with two_ports() as found:
        yield found


def test_a_cluster_on_chosen_ports(serving: Callable[..., Serving], ports: tuple[int, int]) -> None:
    nameserver, broker = ports
    wanted = (
        "--brokers",
        "2",
        "--slaves",
        "1",
        "--nameservers",
        "2",
        "--flush",
        "SYNC_FLUSH",
        "-p",
        "maxMessageSize=7",
    )
    served = serving("--port", str(nameserver), "--broker-port", str(broker), *wanted)
    assert served.told["nameserver_address"] == f"127.0.0.1:{nameserver};127.0.0.1:{nameserver + 1}"
    assert served.told["broker_addresses"] == {
        "broker-a": f"127.0.0.1:{broker}",
        "broker-b": f"127.0.0.1:{broker + 10}",
    }
    with Line(f"127.0.0.1:{nameserver + 1}") as line:
        table = line.table(106, "brokerAddrTable")
    slave = f"127.0.0.1:{broker + 20}"
    assert table["broker-a"]["brokerAddrs"] == {"0": served.told["broker_addresses"]["broker-a"], "1": slave}
    with Line(served.told["broker_addresses"]["broker-b"]) as line:
        settings = line.ask(26).body.decode()
    assert "maxMessageSize=7\n" in settings
    assert "flushDiskType=SYNC_FLUSH\n" in settings
    second = serving("--port", str(nameserver))
    assert second.process.wait(GONE_SECONDS_MAX) == 4
    assert second.process.stderr is not None
    assert (
        f"port {nameserver} of 127.0.0.1, for the NameServer, is in use (by another RocketMQ?): choose one with --port"
        f", or take free ones with --port 0"
    ) in second.process.stderr.read()
    served.end(signal.SIGTERM)
    served.nothing_is_left()


def test_it_listens_everywhere_and_says_what_clients_can_reach(serving: Callable[..., Serving]) -> None:
    served = serving("--host", "0.0.0.0", "--advertise", "localhost")
    host, _, port = served.told["nameserver_address"].rpartition(":")
    assert host == "localhost"
    assert served.told["broker_addresses"]["broker-a"].startswith("localhost:")
    # 127.0.0.2 is this machine too, and no address that a loopback listener has.
    with Line(f"127.0.0.2:{port}") as line:
        (data,) = line.table(106, "brokerAddrTable").values()
    assert data["brokerAddrs"] == {"0": served.told["broker_addresses"]["broker-a"]}


def test_it_ends_with_its_standard_input(serving: Callable[..., Serving]) -> None:
    served = serving("--stdin")
    assert served.process.stdin is not None
    served.process.stdin.close()
    assert served.process.wait(GONE_SECONDS_MAX) == 0
    served.nothing_is_left()


def test_a_node_that_ends_ends_everything(serving: Callable[..., Serving]) -> None:
    served = serving()
    os.kill(served.told["node_pids"]["broker-a"], signal.SIGKILL)
    assert served.process.wait(GONE_SECONDS_MAX) == 7
    assert served.process.stderr is not None
    assert "broker-a ended by itself, so nothing is served any more" in served.process.stderr.read()
    served.nothing_is_left()


@contextmanager
def two_ports() -> Iterator[tuple[int, int]]:
    """Ports with room around them for two NameServers and four brokers, kept from others who look for free ones."""
    draw = random.SystemRandom()
    while True:
        first = draw.randrange(12_000, 30_000)
        brokers = [first + 10 + 10 * number + near for number in range(4) for near in (0, -2, 1)]
        with ExitStack() as stack:
            try:
                for port in (first, first + 1, *brokers):
                    stack.enter_context(_hold(port))
            except OSError:
                continue
            yield first, first + 10
            return
