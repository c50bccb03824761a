"""Faults for applications: each does what it says, is healed whatever happens, and one that did nothing says so."""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Callable
from typing import Any

import pytest

from mqcheck.embedded.asking import Line
from mqcheck.embedded.cluster import RocketMQCluster, RocketMQServer
from mqcheck.embedded.faults import REQUESTS
from mqcheck.errors import FaultError, NodeError, SettingsError
from mqcheck.fixtures import Faults
from mqcheck.rocketmq.frame import Command, FrameReader, encode

pytestmark = pytest.mark.slow
Send = Callable[..., Any]


class Unanswered:
    """Sends without waiting for the answer."""

    def __init__(self, address: str) -> None:
        host, _, port = address.rpartition(":")
        self.socket = socket.create_connection((host, int(port)), 10)
        self.reader = FrameReader()
        self.count = 0
        self.found: list[int] = []

    def send(self, topic: str, body: bytes) -> int:
        self.count += 1
        fields = dict.fromkeys("efgh", "0") | {"a": "P", "b": topic, "c": "TBW102", "d": "1"}
        self.socket.sendall(encode(Command(310, opaque=self.count, fields=fields, body=body)))
        return self.count

    def answered(self) -> int:
        """Opaque of the next answer."""
        while not self.found:
            self.found += [command.opaque for command in self.reader.feed(self.socket.recv(65536))]
        return self.found.pop(0)


@pytest.fixture
def line(rocketmq_server: RocketMQServer) -> Any:
    made = Unanswered(rocketmq_server.broker_address)
    yield made
    made.socket.close()


def bodies(server: RocketMQServer) -> list[bytes]:
    return [message.body for message in server.messages("T")]


def test_the_third_send_gets_no_reply(rocketmq_server: RocketMQServer, rocketmq_faults: Faults, line: Any) -> None:
    with rocketmq_faults.lose_reply(nth=3) as fault:
        for number in (1, 2, 3, 4):
            line.send("T", b"%d" % number)
        assert [line.answered() for _ in range(3)] == [1, 2, 4]
        assert fault.acted == 1
    assert fault.effect == {"seen": 4, "acted": 1}
    assert fault.acted == 1
    assert bodies(rocketmq_server) == [b"1", b"2", b"3", b"4"]


def test_a_lost_request_is_not_served(rocketmq_server: RocketMQServer, rocketmq_faults: Faults, line: Any) -> None:
    with rocketmq_faults.lose_request(topic="T", times=None):
        line.send("U", b"other")
        line.send("T", b"lost")
        line.send("U", b"other")
        assert [line.answered() for _ in range(2)] == [1, 3]
    assert bodies(rocketmq_server) == []


def test_this_message_is_delivered_twice(rocketmq_server: RocketMQServer, rocketmq_faults: Faults, send: Send) -> None:
    fault = rocketmq_faults.deliver_twice(keys="order-7")
    for number in (6, 7, 7):
        send(rocketmq_server.broker_address, "T", b"%d" % number, KEYS=f"order-{number}", UNIQ_KEY=f"U{number}")
    fault.heal()
    ids = [message.message_id for message in rocketmq_server.messages("T")]
    assert ids == ["U6", "U7", "U7", "U7"], "the second send of order-7 is stored once"


def test_a_busy_broker_does_nothing(rocketmq_server: RocketMQServer, rocketmq_faults: Faults, send: Send) -> None:
    with rocketmq_faults.answer_busy(times=2):
        answers = [send(rocketmq_server.broker_address, "T") for _ in range(3)]
    assert [answer.code for answer in answers] == [2, 2, 0]
    assert "flow control" in answers[0].remark
    assert len(rocketmq_server.messages("T")) == 1
    with rocketmq_faults.refuse(17, remark="no such topic"):
        assert send(rocketmq_server.broker_address, "T").remark == "no such topic"


def test_held_and_late_replies_come(rocketmq_faults: Faults, line: Any) -> None:
    held = rocketmq_faults.hold_reply()
    line.send("T", b"1")
    held.wait_acted()
    line.send("T", b"2")
    assert line.answered() == 2
    held.heal()
    assert line.answered() == 1
    with rocketmq_faults.delay_reply(50):
        line.send("T", b"3")
        line.send("T", b"4")
        assert [line.answered(), line.answered()] == [4, 3]


def test_the_connection_ends_in_place_of_an_answer(rocketmq_faults: Faults, line: Any) -> None:
    with rocketmq_faults.close_instead_of_reply():
        line.send("T", b"1")
        assert line.socket.recv(100) == b""


def test_routes_are_requests_too(rocketmq_server: RocketMQServer, rocketmq_faults: Faults) -> None:
    with rocketmq_faults.refuse(17, "route"), Line(rocketmq_server.nameserver_address) as line:
        assert line.ask(105, {"topic": "TBW102"}).code == 17
        assert line.ask(105, {"topic": "TBW102"}).code == 0


def test_a_fault_that_did_nothing_is_an_error(rocketmq_faults: Faults) -> None:
    fault = rocketmq_faults.lose_reply(topic="T", nth=2)
    with pytest.raises(FaultError, match=r"the lost reply to send topic='T' nth=2 did nothing \(seen=0 acted=0\)"):
        fault.heal()
    assert rocketmq_faults.active == ()
    with rocketmq_faults.lose_reply(must_act=False):
        pass
    with pytest.raises(FaultError, match=r"did 0 of 1 in 0\.02 s"):
        rocketmq_faults.lose_reply(must_act=False).wait_acted(timeout_s=0.02)
    with pytest.raises(ZeroDivisionError), rocketmq_faults.lose_reply():
        1 / 0  # noqa: B018


@pytest.mark.parametrize("how", ["kill", "stop"])
def test_the_server_ends_and_comes_back(
    rocketmq_server: RocketMQServer, rocketmq_faults: Faults, send: Send, how: str
) -> None:
    send(rocketmq_server.broker_address, "T", b"before")
    with getattr(rocketmq_faults, how)():
        assert not rocketmq_server.running
        with pytest.raises(NodeError, match="no connection"):
            send(rocketmq_server.broker_address, "T")
        with pytest.raises(FaultError, match="hits nothing"):
            rocketmq_faults.kill()
    assert bodies(rocketmq_server) == [b"before"]
    rocketmq_faults.restart()
    assert bodies(rocketmq_server) == [b"before"]


def test_power_takes_what_was_not_synced(
    rocketmq_cluster: Callable[..., RocketMQCluster], rocketmq_faults: Faults, send: Send
) -> None:
    settings = {"flushIntervalCommitLog": 3_600_000}
    kept = {}
    for flush in ("SYNC_FLUSH", "ASYNC_FLUSH"):
        cluster = rocketmq_cluster(flush=flush, settings=settings)
        send(cluster.broker_addresses["broker-a"], "T", b"acknowledged", WAIT="true")
        with rocketmq_faults.on(cluster).power_cut(torn=False, seed=1) as cut:
            pass
        assert cut.effect["processes"] == 1
        kept[flush] = len(cluster.messages("T"))
    assert kept == {"SYNC_FLUSH": 1, "ASYNC_FLUSH": 0}


def test_paused_it_answers_later(rocketmq_server: RocketMQServer, rocketmq_faults: Faults, line: Any) -> None:
    with rocketmq_faults.pause():
        line.send("T", b"x")
        line.socket.setblocking(False)
        with pytest.raises(BlockingIOError):
            line.socket.recv(1)
        line.socket.setblocking(True)
    assert line.answered() == 1


def test_a_bad_disk_is_told(rocketmq_server: RocketMQServer, rocketmq_faults: Faults, send: Send) -> None:
    with rocketmq_faults.disk(disk_full=True) as fault:
        assert send(rocketmq_server.broker_address, "T").code != 0
    assert any(value > 0 for value in fault.effect.values())
    assert send(rocketmq_server.broker_address, "T").code == 0
    with pytest.raises(NodeError, match="unknown switch"):
        rocketmq_faults.disk(disk_fool=True)
    with pytest.raises(SettingsError, match="not counted"):
        _ = rocketmq_faults.disk(disk_full=True, must_act=False).acted


def test_everything_is_healed_in_the_end(rocketmq_server: RocketMQServer, rocketmq_faults: Faults, send: Send) -> None:
    rocketmq_faults.answer_busy(times=None, must_act=False)
    rocketmq_faults.lose_reply("heartbeat")
    rocketmq_faults.kill()
    assert len(rocketmq_faults.active) == 3
    rocketmq_faults.heal_all()
    assert rocketmq_faults.active == ()
    assert send(rocketmq_server.broker_address, "T").code == 0


def test_what_stands_still_is_healed_too(rocketmq_server: RocketMQServer, rocketmq_faults: Faults, send: Send) -> None:
    busy = rocketmq_faults.answer_busy(times=None, must_act=False)
    rocketmq_faults.pause()
    with pytest.raises(NodeError, match="is paused"):
        busy.heal()
    rocketmq_faults._injected.reverse()  # so that the pause is healed last
    rocketmq_faults.heal_all()
    assert send(rocketmq_server.broker_address, "T").code == 0


def test_what_cannot_be_healed_ends_with_its_process(
    rocketmq_server: RocketMQServer, rocketmq_faults: Faults, monkeypatch: pytest.MonkeyPatch
) -> None:
    fault = rocketmq_faults.answer_busy(times=None)
    rocketmq_faults.lose_reply("heartbeat", must_act=False)

    def cannot() -> dict[str, int]:
        raise NodeError("cannot")

    monkeypatch.setattr(fault, "_heal", cannot)
    with pytest.raises(NodeError, match="cannot"):
        rocketmq_faults.heal_all()
    assert not rocketmq_server.running
    assert rocketmq_faults.active == ()


def test_a_life_ends_what_it_was_told(rocketmq_server: RocketMQServer, rocketmq_faults: Faults, send: Send) -> None:
    fault = rocketmq_faults.answer_busy(times=None)
    os.kill(rocketmq_server.pid, signal.SIGKILL)
    while rocketmq_server.running:
        pass
    rocketmq_server.start()
    assert send(rocketmq_server.broker_address, "T").code == 0
    assert fault.heal() == {"seen": 0, "acted": 0, "lives": 1}


def test_a_cluster_has_faults_of_single_nodes(
    rocketmq_cluster: Callable[..., RocketMQCluster], rocketmq_faults: Faults, send: Send
) -> None:
    cluster = rocketmq_cluster(brokers=2)
    faults = rocketmq_faults.on(cluster)
    assert rocketmq_faults.on(cluster) is faults
    first, second = cluster.broker_addresses.values()
    with faults.answer_busy(node="broker-b"):
        assert (send(first, "T").code, send(second, "T").code) == (0, 2)
    with faults.answer_busy(times=None) as everywhere:
        assert (send(first, "T").code, send(second, "T").code) == (2, 2)
    assert everywhere.effect["acted"] == 2
    with faults.kill("broker-a"):
        assert send(second, "T").code == 0
    with faults.kill("broker-b"):
        with pytest.raises(NodeError, match="broker-b is not running"):
            faults.answer_busy(times=None)
        assert send(first, "T").code == 0  # what broker-b could not be told, broker-a is not left with
    with pytest.raises(SettingsError, match="which node"):
        faults.kill()


@pytest.mark.parametrize(
    ("ask", "says"),
    [
        (lambda faults: faults.lose_reply("sent"), "one of send"),
        (lambda faults: faults.lose_reply(topik="T"), "topik"),
        (lambda faults: faults.lose_reply(nth=0), "from 1"),
        (lambda faults: faults.kill("broker-z"), "broker-z"),
        (lambda faults: faults.latency(5, wai="up"), "wai"),
        (lambda faults: faults.latency(5, way="left"), "way is 'left': one of up, down, both"),
        (lambda faults: faults.latency("5"), "ms is '5': a whole number from 0"),
        (lambda faults: faults.bandwidth(-1), "kb_per_s is -1: a whole number from 0"),
    ],
)
def test_what_makes_no_sense(rocketmq_faults: Faults, ask: Callable[[Faults], Any], says: str) -> None:
    with pytest.raises((SettingsError, NodeError), match=says):
        ask(rocketmq_faults)


def test_every_request_has_a_code_of_its_own() -> None:
    codes = [code for of_one in REQUESTS.values() for code in of_one]
    assert len(codes) == len(set(codes))


def test_waiting_for_a_fault_does_not_stop_it(
    rocketmq_server: RocketMQServer, rocketmq_faults: Faults, send: Send
) -> None:
    fault = rocketmq_faults.answer_busy(nth=3)
    thread = threading.Thread(target=lambda: [send(rocketmq_server.broker_address, "T") for _ in range(3)])
    thread.start()
    fault.wait_acted()
    thread.join()
    assert fault.heal()["acted"] == 1
