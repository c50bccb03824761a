"""docs/how-to/container/Dockerfile: built on a base of this machine's Python, it serves clients outside and ends."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any

import pytest
from python_image import CHANGES, make_root

from mqcheck.clock import RealClock
from mqcheck.containers import LABEL, labelled
from mqcheck.embedded.asking import Line
from mqcheck.errors import NodeError
from mqcheck.guard import Guard, start_time
from mqcheck.history.recorder import Recorder
from mqcheck.rocketmq.admin import Admin
from mqcheck.rocketmq.client import Client
from mqcheck.rocketmq.codes import RequestCode
from mqcheck.rocketmq.consumer.consumer import Consumer
from mqcheck.rocketmq.models import ClientSettings, Delivery, ListenerResult, Outgoing
from mqcheck.rocketmq.producer import Producer
from mqcheck.targets.container_life import Daemon
from mqcheck.targets.ports import HeldPorts

pytestmark = [pytest.mark.docker, pytest.mark.slow, pytest.mark.timeout(300)]

ROOT = Path(__file__).parents[2]
DOCKERFILE = "docs/how-to/container/Dockerfile"
BASE, IMAGE = "mqcheck-test/python:here", "mqcheck-test/serve:here"
SECONDS_MAX = 60.0
STOP_SECONDS = 30
"""After which Docker kills: the status would be 137."""

NEIGHBOUR = """
from mqcheck.embedded.asking import Line
with Line("rocketmq:9876") as line:
    (group,) = line.table(106, "brokerAddrTable").values()
address = group["brokerAddrs"]["0"]
with Line(address) as line:
    answer = line.ask(310, dict(a="P", b="orders", c="TBW102", d=1, e=0, f=0, g=1, h=0, i=""), b"x")
print(address, answer.code, answer.fields["queueOffset"])
"""
"""A client in another container: what it is told, and what becomes of a message that it sends there."""


@pytest.fixture(scope="module")
def served_image(daemon: Daemon, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The image, as the Dockerfile makes it without any network."""
    work = tmp_path_factory.mktemp("base")
    try:
        root = make_root(work)
    except PackageNotFoundError as error:
        pytest.skip(f"needs {error.name} beside this Python, to make a base image of it: pip install {error.name}")
    name, _, tag = BASE.rpartition(":")
    daemon.client.api.import_image_from_file(str(root), repository=name, tag=tag, changes=CHANGES)
    root.unlink()
    arguments = {"path": str(ROOT), "dockerfile": DOCKERFILE, "buildargs": {"BASE": BASE}, "network_mode": "none"}
    said = "".join(
        str(line.get("stream", "")) + str(line.get("error", ""))
        for line in daemon.client.api.build(tag=IMAGE, rm=True, forcerm=True, decode=True, **arguments)
    )
    assert f"Successfully tagged {IMAGE}" in said, said
    yield IMAGE
    for each in (IMAGE, BASE):
        daemon.client.images.remove(each, force=True)


class Containers:
    """Of one test, in a network of their own; removed by the test or, if that is killed, by its guard."""

    def __init__(self, daemon: Daemon, image: str, guard: Guard, network: str) -> None:
        self.daemon, self.image, self.guard, self.network = daemon, image, guard, network
        guard.container(f"mqcheck-test-{guard.mark}", daemon.socket)

    def start(self, *arguments: str, **options: Any) -> Any:
        """One that runs `mqcheck serve` with these arguments, unless the options say otherwise."""
        options = {"network": self.network, "labels": {LABEL: self.guard.mark}, **options}
        return self.daemon.client.containers.run(self.image, arguments, detach=True, **options)

    def neighbour(self, program: str) -> str:
        """What a Python program prints in the same network."""
        container = self.start("-c", program, entrypoint="python3")
        assert container.wait(timeout=SECONDS_MAX)["StatusCode"] == 0, container.logs()
        return str(container.logs(stderr=False).decode())

    def serving(self, *arguments: str, **options: Any) -> Any:
        """One that is healthy and has said so."""
        container = self.start(*arguments, **options)
        until(lambda: healthy(container) and b"\n" in container.logs(stderr=False), lambda: told(container))
        return container


@pytest.fixture
def containers(daemon: Daemon, served_image: str) -> Iterator[Containers]:
    """In a bridge network, which publishes ports and knows containers by name."""
    guard = Guard()
    try:
        network = daemon.client.networks.create(f"mqcheck-test-{guard.mark}", driver="bridge")
    except daemon.errors as error:
        guard.close()
        pytest.skip(f"the Docker daemon makes no network: {error}")
    yield Containers(daemon, served_image, guard, network.name)
    guard.close()
    assert labelled(daemon.socket, guard.mark) == []
    network.remove()


@pytest.fixture
def ports() -> Iterator[tuple[int, int]]:
    """Of a NameServer and a broker, held while the test runs."""
    nameserver, broker = HeldPorts(broker=False), HeldPorts(broker=True)
    yield nameserver.port, broker.port
    nameserver.close()
    broker.close()


def until(condition: Callable[[], bool], told: Callable[[], object]) -> None:
    deadline = time.monotonic() + SECONDS_MAX
    while not condition():
        assert time.monotonic() < deadline, told()
        time.sleep(0.05)


def healthy(container: Any) -> bool:
    """Whether the container's own check says so; fails when the container has ended."""
    container.reload()
    state = container.attrs["State"]
    assert state["Status"] in ("created", "running"), (state, container.logs())
    return bool(state["Health"]["Status"] == "healthy")


def told(container: Any) -> object:
    """For whoever reads why a test failed."""
    return container.attrs["State"], container.logs()


def end(container: Any) -> None:
    """`docker stop` ends it by SIGTERM, with status 0, and none of its processes is left on the host."""
    processes = {pid: began for pid in pids(container) if (began := start_time(pid)) is not None}
    assert len(processes) >= 3, processes  # it, the NameServer and the broker
    container.stop(timeout=STOP_SECONDS)
    assert container.wait()["StatusCode"] == 0, container.logs()
    assert [pid for pid, began in processes.items() if start_time(pid) == began] == []


def pids(container: Any) -> list[int]:
    """On the host."""
    found = container.top()
    place = found["Titles"].index("PID")
    return [int(process[place]) for process in found["Processes"]]


def broker_addresses(nameserver: str) -> dict[str, str]:
    """What clients are told."""
    with Line(nameserver) as line:
        table = line.table(RequestCode.GET_BROKER_CLUSTER_INFO, "brokerAddrTable")
    return {name: str(group["brokerAddrs"]["0"]) for name, group in table.items()}


def sent_and_received(nameserver: str, folder: Path, bodies: list[bytes]) -> list[bytes]:
    """What a consumer gets of what a producer sends, by nothing but the NameServer's address."""
    got: list[bytes] = []

    async def listener(delivery: Delivery) -> ListenerResult:
        got.append(delivery.body)
        return "success"

    async def go() -> None:
        recorder = Recorder(folder / "events", run="r", process="t", number=0, clock=RealClock())
        client = Client("shop", (nameserver,), recorder, ClientSettings(), RealClock(), random.Random(1))
        await client.start()
        try:
            admin = Admin(client, broker_addresses(nameserver))
            assert await admin.create_topic("orders", ["broker-a"], queues=2) == {"broker-a": 0}
            consumer = Consumer(client, "billing", {"orders": "*"}, listener)
            await consumer.start()
            for body in bodies:
                sent = await Producer(client, "shop").send(Outgoing("orders", body))
                assert sent.outcome == "ok", sent
            async with asyncio.timeout(SECONDS_MAX):
                while len(got) < len(bodies):
                    await asyncio.sleep(0.02)
            await consumer.close()
        finally:
            await client.close()
            recorder.close()

    asyncio.run(go())
    return got


def test_the_host_sends_and_receives_by_published_ports(
    containers: Containers, ports: tuple[int, int], tmp_path: Path
) -> None:
    nameserver, broker = ports
    published = {"9876/tcp": ("127.0.0.1", nameserver), f"{broker}/tcp": ("127.0.0.1", broker)}
    container = containers.serving("--broker-port", str(broker), ports=published)
    assert container.logs(stderr=False) == b"127.0.0.1:9876\n"
    assert container.exec_run(["python3", "-c", "import os; print(os.getuid())"]).output == b"1000\n"
    assert broker_addresses(f"127.0.0.1:{nameserver}") == {"broker-a": f"127.0.0.1:{broker}"}
    bodies = [b"order %d" % number for number in range(20)]
    assert sorted(sent_and_received(f"127.0.0.1:{nameserver}", tmp_path, bodies)) == sorted(bodies)
    end(container)
    with pytest.raises(NodeError, match="no connection"):
        Line(f"127.0.0.1:{nameserver}")


def test_a_neighbour_finds_it_by_name_and_a_volume_keeps_messages(containers: Containers, daemon: Daemon) -> None:
    volume = daemon.client.volumes.create()
    try:
        for life in range(2):
            container = containers.serving(
                "--advertise",
                "rocketmq",
                "--data",
                "/data",
                name=f"{containers.network}-{life}",
                networking_config={containers.network: daemon.client.api.create_endpoint_config(aliases=["rocketmq"])},
                volumes={volume.id: {"bind": "/data", "mode": "rw"}},
            )
            assert containers.neighbour(NEIGHBOUR) == f"rocketmq:10911 0 {life}\n"
            end(container)
            container.remove()
    finally:
        for each in daemon.client.containers.list(all=True, filters={"volume": volume.id}):
            each.remove(force=True)
        volume.remove()


def test_it_is_not_healthy_while_no_broker_is_found(containers: Containers, daemon: Daemon) -> None:
    kind, *check = daemon.client.images.get(containers.image).attrs["Config"]["Healthcheck"]["Test"]
    assert kind == "CMD"
    container = containers.start("-m", "reference_impl", "namesrv", entrypoint="python3", network="none")
    until(lambda: b"9876" in container.logs(), lambda: told(container))
    done = container.exec_run(check)
    assert (done.exit_code, done.output) == (1, b"")
