"""The fixtures and their mark as people use them, in an inner pytest."""

from __future__ import annotations

from pathlib import Path

import pytest

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


MARKED = """
import pytest

pytestmark = pytest.mark.mqcheck(settings={"maxMessageSize": 900})


@pytest.mark.mqcheck(settings={"transactionCheckMax": 3}, flush="SYNC_FLUSH")
def test_settings_are_put_together(rocketmq_server):
    broker = rocketmq_server.settings["broker"]
    told = (broker["maxMessageSize"], broker["transactionCheckMax"], broker["flushDiskType"])
    assert told == (900, 3, "SYNC_FLUSH")


@pytest.mark.mqcheck(setings={})
def test_a_wrong_name(rocketmq_server):
    pass


@pytest.mark.mqcheck(2)
def test_no_name(rocketmq_server):
    pass


@pytest.mark.mqcheck(brokers=2)
def test_two_brokers_are_no_server(rocketmq_server):
    pass


@pytest.mark.mqcheck(brokers=2)
def test_a_cluster_by_mark(rocketmq_cluster):
    cluster = rocketmq_cluster()
    assert len(cluster.broker_addresses) == 2
    assert cluster.nodes["broker-b"].ready["settings"]["maxMessageSize"] == 900
    assert len(rocketmq_cluster(brokers=1).broker_addresses) == 1


def test_a_wrong_argument(rocketmq_cluster):
    rocketmq_cluster(broker=2)


def test_a_fault_that_is_left(rocketmq_server, rocketmq_faults):
    rocketmq_faults.lose_reply("send")
    rocketmq_faults.pause()


def test_it_is_gone(rocketmq_server, rocketmq_faults):
    assert rocketmq_server.messages("T") == ()
    rocketmq_faults.kill()
"""


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
def test_marks_choose_what_a_test_gets_and_faults_do_not_outlive_it(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    pytester.makepyfile(MARKED)
    result = pytester.runpytest_subprocess("-q", "-p", "no:cacheprovider", "-p", "no:randomly", "--strict-markers")
    result.assert_outcomes(passed=4, errors=4, failed=1)
    result.stdout.fnmatch_lines_random(
        [
            "*the mark mqcheck knows no 'setings': there are settings, *; did you mean settings?",
            "*the mark mqcheck takes no 2: write name=value*",
            "*the mark mqcheck says brokers, which is for rocketmq_cluster*",
            "*SettingsError: rocketmq_cluster knows no 'broker'*did you mean brokers?",
            "*FaultError: the lost reply to send did nothing*",
        ]
    )


@pytest.mark.slow
def test_the_mark_is_documented(pytester: pytest.Pytester) -> None:
    pytester.runpytest_subprocess("--markers").stdout.fnmatch_lines(["@pytest.mark.mqcheck(settings={}*"])
