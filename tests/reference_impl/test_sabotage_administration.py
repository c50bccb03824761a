"""Planted bugs of administration and of NameServers: what is acknowledged is not done, and only with them."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable
from typing import Any, Final

import pytest

from reference_impl.effects import Call, Reply
from reference_impl.frame import Command
from reference_impl.loose_json import loads_loose
from reference_impl.nameserver import NameServerCore
from reference_impl.sabotage import SABOTAGES
from reference_impl.sabotage.administration import LATE_MS, RARELY
from reference_impl.sabotage.administration import SABOTAGES as PLANTED
from reference_impl.settings import NameServerSettings

Bench = Any
ASSURED: Final = {
    "topic": "T",
    "defaultTopic": "TBW102",
    "readQueueNums": "2",
    "writeQueueNums": "2",
    "perm": "6",
    "topicFilterType": "SINGLE_TAG",
    "order": "false",
}


class Broker:
    """A broker whose NameServers answer at once, with or without a bug."""

    def __init__(self, bench: type[Bench], name: str, bug: bool) -> None:
        self.bench = bench(planted=[SABOTAGES[name]] if bug else [], namesrvAddr="")

    def ask(self, code: int, body: bytes = b"", /, **fields: Any) -> Command:
        answer: Command = self.bench.ask(code, fields, body)
        return answer

    def make(self, queues: int, topic: str = "T") -> int:
        given = {"topic": topic, "readQueueNums": queues, "writeQueueNums": queues}
        return self.ask(17, **{**ASSURED, **given}).code

    def table(self, code: int, name: str) -> dict[str, Any]:
        read: Any = loads_loose(self.ask(code).body)
        found: dict[str, Any] = read[name]
        return found

    def queues(self, topic: str = "T") -> int | None:
        found = self.table(21, "topicConfigTable").get(topic)
        return None if found is None else int(found["readQueueNums"])

    def group(self, retries: int) -> int:
        body = json.dumps({"groupName": "G", "retryMaxTimes": retries}).encode()
        return self.ask(200, body).code

    def retries(self) -> int | None:
        found = self.table(201, "subscriptionGroupTable").get("G")
        return None if found is None else int(found["retryMaxTimes"])


def _topics_late(b: Broker) -> list[object]:
    return [b.make(2), b.queues(), b.bench.advance(LATE_MS), b.queues()]


def _groups_late(b: Broker) -> list[object]:
    return [b.group(3), b.retries(), b.bench.advance(LATE_MS), b.retries()]


def _topic_changed(b: Broker) -> list[object]:
    return [b.make(2), b.make(5), b.queues()]


def _topic_deleted(b: Broker) -> list[object]:
    return [b.make(2), b.ask(215, topic="T").code, b.queues()]


def _topic_refused(b: Broker) -> list[object]:
    return [b.make(1, "no way!"), b.queues("no way!")]


def _group_changed(b: Broker) -> list[object]:
    return [b.group(3), b.group(7), b.retries()]


def _group_deleted(b: Broker) -> list[object]:
    return [b.group(3), b.ask(207, groupName="G").code, b.retries()]


def _setting(b: Broker) -> list[object]:
    return [b.ask(25, b"defaultQueryMaxNum=33\n").code, b"defaultQueryMaxNum=33" in b.ask(26).body]


def _offset(b: Broker) -> list[object]:
    place = {"consumerGroup": "G", "topic": "T", "queueId": "0"}
    return [b.ask(15, **place, commitOffset="4").code, b.ask(14, **place).fields["offset"]]


def _statistics(b: Broker) -> list[object]:
    return [b.make(1), b'"minOffset":0' in b.ask(202, topic="T").body]


def _member(b: Broker) -> list[object]:
    group = {"groupName": "G", "consumeType": "CONSUME_PASSIVELY", "messageModel": "CLUSTERING"}
    group |= {"consumeFromWhere": "CONSUME_FROM_LAST_OFFSET", "subscriptionDataSet": []}
    beat = {"clientID": "c", "producerDataSet": [], "consumerDataSet": [group]}
    code = b.ask(34, json.dumps(beat).encode()).code
    connected: Any = loads_loose(b.ask(203, consumerGroup="G").body)
    return [code, len(connected["connectionSet"])]


BROKERS: Final[dict[str, tuple[Callable[[Broker], list[object]], list[object], list[object]]]] = {
    "list-topics-late": (_topics_late, [0, 2, None, 2], [0, None, None, 2]),
    "list-groups-late": (_groups_late, [0, 3, None, 3], [0, None, None, 3]),
    "keep-first-topic": (_topic_changed, [0, 0, 5], [0, 0, 2]),
    "keep-deleted-topics": (_topic_deleted, [0, 0, None], [0, 0, 2]),
    "make-anything": (_topic_refused, [1, None], [1, 1]),
    "keep-first-group": (_group_changed, [0, 0, 7], [0, 0, 3]),
    "keep-deleted-groups": (_group_deleted, [0, 0, None], [0, 0, 3]),
    "keep-settings": (_setting, [0, True], [0, False]),
    "ignore-set-offsets": (_offset, [0, "4"], [0, "0"]),
    "statistics-behind": (_statistics, [0, True], [0, False]),
    "leave-out-member": (_member, [0, 1], [0, 0]),
}
"""Bug → what is done, what comes of it, and what with the bug."""


@pytest.mark.parametrize("name", BROKERS)
@pytest.mark.parametrize("bug", [False, True])
def test_a_broker(bench: type[Bench], name: str, bug: bool) -> None:
    acts, right, wrong = BROKERS[name]
    assert acts(Broker(bench, name, bug)) == (wrong if bug else right)


class NameServer:
    """A NameServer with a broker of two topics, with or without a bug."""

    def __init__(self, name: str, bug: bool) -> None:
        settings = NameServerSettings()
        self.core: Any = NameServerCore(settings)
        if bug:
            self.core = SABOTAGES[name].wrap_core(self.core, settings)
        self.register(4)

    def ask(self, code: int, body: bytes = b"", /, version: int = 407, **fields: Any) -> Command:
        command = Command(code=code, fields=fields, body=body, version=version)
        (effect,) = self.core.request(0, 1, ("h", 1), command)
        assert isinstance(effect, Reply)
        return effect.command

    def register(self, queues: int, crc: int | None = None, broker_id: int = 0) -> Command:
        topic = {"readQueueNums": queues, "writeQueueNums": queues, "perm": 6, "topicSysFlag": 0}
        table = {name: {**topic, "topicName": name} for name in ("T", "U")}
        wrapper = {"topicConfigTable": table, "dataVersion": {"counter": queues, "timestamp": 1, "stateVersion": 0}}
        body = json.dumps({"topicConfigSerializeWrapper": wrapper, "filterServerList": []}).encode()
        check = str(zlib.crc32(body) & 0x7FFFFFFF if crc is None else crc)
        return self.ask(103, body, **self.broker(broker_id), haServerAddr="h:9", bodyCrc32=check)

    def broker(self, broker_id: int = 0) -> dict[str, str]:
        address = f"h:{broker_id}"
        return {"brokerName": "a", "brokerAddr": address, "clusterName": "C", "brokerId": str(broker_id)}

    def route(self) -> tuple[int, int] | None:
        answer = self.ask(105, topic="T")
        if answer.code:
            return None
        read: Any = loads_loose(answer.body)
        return read["queueDatas"][0]["readQueueNums"], read["queueDatas"][0]["perm"]

    def value(self) -> str | None:
        return self.ask(101, namespace="n", key="k").fields.get("value")


def _route_changed(n: NameServer) -> list[object]:
    return [n.register(5).code, n.route()]


def _route_deleted(n: NameServer) -> list[object]:
    return [n.ask(216, topic="T").code, n.route()]


def _wiped(n: NameServer) -> list[object]:
    return [n.ask(205, brokerName="a").code, n.route()]


def _restored(n: NameServer) -> list[object]:
    return [n.ask(205, brokerName="a").code, n.ask(327, brokerName="a").code, n.route()]


def _left(n: NameServer) -> list[object]:
    return [n.ask(104, **n.broker()).code, n.route()]


def _clusters(n: NameServer) -> list[object]:
    read: Any = loads_loose(n.ask(106).body)
    return [list(read["brokerAddrTable"])]


def _topic_list(n: NameServer) -> list[object]:
    read: Any = loads_loose(n.ask(206).body)
    return [len(read["topicList"])]


def _checksum(n: NameServer) -> list[object]:
    return [n.register(6, crc=1).code, n.route()]


def _put(n: NameServer) -> list[object]:
    codes = [n.ask(100, namespace="n", key="k", value=value).code for value in ("1", "2")]
    return [*codes, n.value()]


def _dropped(n: NameServer) -> list[object]:
    return [n.ask(100, namespace="n", key="k", value="1").code, n.ask(102, namespace="n", key="k").code, n.value()]


def _listed(n: NameServer) -> list[object]:
    read: Any = (n.ask(100, namespace="n", key="k", value="1"), loads_loose(n.ask(219, namespace="n").body))[1]
    return [read["table"]]


def _version(n: NameServer) -> list[object]:
    version = json.dumps({"counter": 4, "timestamp": 1, "stateVersion": 0}).encode()
    return [n.ask(322, version, **n.broker()).fields["changed"]]


def _slave(n: NameServer) -> list[object]:
    return [n.register(4, broker_id=1).fields]


def _json(n: NameServer) -> list[object]:
    return [b'{"0":' in n.ask(105, topic="T").body]


NAMESERVERS: Final[dict[str, tuple[Callable[[NameServer], list[object]], list[object], list[object]]]] = {
    "keep-first-route": (_route_changed, [0, (5, 6)], [0, (4, 6)]),
    "keep-deleted-routes": (_route_deleted, [0, None], [0, (4, 6)]),
    "keep-writable": (_wiped, [0, (4, 4)], [0, (4, 6)]),
    "keep-wiped": (_restored, [0, 0, (4, 6)], [0, 0, (4, 4)]),
    "keep-unregistered": (_left, [0, None], [0, (4, 6)]),
    "leave-out-broker": (_clusters, [["a"]], [[]]),
    "leave-out-topic": (_topic_list, [2], [0]),
    "ignore-checksum": (_checksum, [1, (4, 6)], [0, (6, 6)]),
    "keep-first-value": (_put, [0, 0, "2"], [0, 0, "1"]),
    "keep-deleted-values": (_dropped, [0, 0, None], [0, 0, "1"]),
    "list-no-values": (_listed, [{"k": "1"}], [{}]),
    "always-changed": (_version, ["false"], ["true"]),
    "no-master-told": (_slave, [{"haServerAddr": "h:9", "masterAddr": "h:0"}], [{}]),
    "loose-routes": (_json, [True], [False]),
}
"""Bug → what is done, what comes of it, and what with the bug."""


@pytest.mark.parametrize("name", NAMESERVERS)
@pytest.mark.parametrize("bug", [False, True])
def test_a_nameserver(name: str, bug: bool) -> None:
    acts, right, wrong = NAMESERVERS[name]
    assert acts(NameServer(name, bug)) == (wrong if bug else right)


def _registrations(effects: list[Any]) -> int:
    return sum(isinstance(effect, Call) and effect.command.code == 103 for effect in effects)


@pytest.mark.parametrize("bug", [False, True])
def test_answer_before_register(bench: type[Bench], bug: bool) -> None:
    b = bench(planted=[SABOTAGES["answer-before-register"]] if bug else [])
    before = len(b.calls)
    opaque = b.begin(17, ASSURED)
    assert (b.answer(opaque) is not None) is bug
    assert len(b.calls) - before == (0 if bug else 2)


@pytest.mark.parametrize("bug", [False, True])
def test_register_rarely(bench: type[Bench], bug: bool) -> None:
    b = bench(planted=[SABOTAGES["register-rarely"]] if bug else [], namesrvAddr="ns-1:9876")
    b.calls.clear()
    for _ in range(2 * RARELY):
        b.advance(30_000)
    assert _registrations(b.calls) == (2 if bug else 2 * RARELY)


def test_every_bug_is_here() -> None:
    alone = {"answer-before-register", "register-rarely"}
    assert {bug.name for bug in PLANTED} == {*BROKERS, *NAMESERVERS, *alone}
