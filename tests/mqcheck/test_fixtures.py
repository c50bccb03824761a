"""The fixture as people use it, in an inner pytest, and the server object by itself."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mqcheck.errors import NodeError
from mqcheck.fixtures import RocketMQServer
from mqcheck.guard import Guard, start_time

pytest_plugins = ["pytester"]

INNER = """
import asyncio, random
import pytest
from mqcheck.clock import RealClock
from mqcheck.history.recorder import Recorder
from mqcheck.rocketmq.admin import Admin
from mqcheck.rocketmq.client import Client
from mqcheck.rocketmq.models import ClientSettings

pids = set()

async def topics(address, recorder, new=None):
    client = Client("c", [], recorder, ClientSettings(), RealClock(), random.Random(1))
    admin = Admin(client, {"broker-a": address})
    if new:
        assert await admin.create_topic(new, ["broker-a"]) == {"broker-a": 0}
    found = await admin.topics("broker-a")
    await client.close()
    return found

@pytest.mark.parametrize("number", range(3))
def test_each_test_finds_it_empty(rocketmq_server, tmp_path, number):
    recorder = Recorder(tmp_path, run="r", process="t", number=0, clock=RealClock())
    assert f"t{number - 1}" not in asyncio.run(topics(rocketmq_server.broker_address, recorder))
    assert f"t{number}" in asyncio.run(topics(rocketmq_server.broker_address, recorder, f"t{number}"))
    recorder.close()
    pids.add(rocketmq_server.pid)
    assert len(pids) == 1
    assert rocketmq_server.settings["broker"]["maxMessageSize"] == 1000
"""

CONFTEST = """
import pytest

@pytest.fixture(scope="session")
def rocketmq_server_settings():
    return {"maxMessageSize": 1000}
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RocketMQServer]:
    guard = Guard()
    server = RocketMQServer(tmp_path, {}, guard)
    server.start()
    yield server
    server.stop()
    guard.close()


@pytest.mark.slow
def test_the_fixture_gives_an_empty_server_to_each_test(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(INNER)
    result = pytester.runpytest_subprocess("-q", "-p", "no:cacheprovider")
    result.assert_outcomes(passed=3)


@pytest.mark.slow
def test_a_server_that_was_killed_is_started_again(server: RocketMQServer) -> None:
    first = server.pid
    os.kill(first, signal.SIGKILL)
    while start_time(first) is not None:
        time.sleep(0.01)
    with pytest.raises(NodeError, match="not running"):
        server.empty()
    server.start()
    assert server.pid != first
    server.empty()


@pytest.mark.slow
def test_a_refused_start_shows_the_reason(tmp_path: Path) -> None:
    guard = Guard()
    try:
        with pytest.raises(NodeError, match="maxMessageSiz"):
            RocketMQServer(tmp_path, {"maxMessageSiz": 5}, guard).start()
    finally:
        guard.close()
