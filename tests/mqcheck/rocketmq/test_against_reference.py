"""The recording client against the real reference process: what a fake cluster cannot prove."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mqcheck.rocketmq.admin import Admin
from mqcheck.rocketmq.consumer import Consumer
from mqcheck.rocketmq.models import Delivery, ListenerResult, Outgoing
from mqcheck.rocketmq.producer import Producer

pytestmark = pytest.mark.e2e

PROPERTIES = {
    "namesrv.listenPort": "0",
    "broker.listenPort": "0",
    "reference.clientExpiryMs": "1500",
    "reference.clientScanMs": "200",
    "reference.holdScanMs": "100",
    "reference.lockExpiryMs": "2000",
    "messageDelayLevel": "200ms 300ms 400ms 500ms 600ms",
}


class Reference:
    """One process with NameServer and broker; may be killed and started again on its store and ports."""

    def __init__(self, store: Path) -> None:
        self._properties = {**PROPERTIES, "storePathRootDir": str(store)}
        self.start()

    def start(self) -> None:
        options = [text for item in self._properties.items() for text in ("-p", "=".join(item))]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "reference_impl", "all", *options],
            stdout=subprocess.PIPE,
            cwd=Path(__file__).parents[3],
        )
        assert self.process.stdout is not None
        ready = json.loads(self.process.stdout.readline())
        self.nameserver, self.broker = ready["address"], ready["broker"]["address"]
        self._properties["namesrv.listenPort"] = self.nameserver.rpartition(":")[2]
        self._properties["broker.listenPort"] = self.broker.rpartition(":")[2]

    def kill(self) -> None:
        self.process.kill()
        self.end()

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.end()

    def end(self) -> None:
        self.process.wait(10)
        assert self.process.stdout is not None
        self.process.stdout.close()


@pytest.fixture
def reference(tmp_path: Path) -> Iterator[Reference]:
    server = Reference(tmp_path / "store")
    yield server
    if server.process.poll() is None:
        server.stop()


def cluster_of(reference: Reference) -> Any:
    return SimpleNamespace(nameservers=[SimpleNamespace(address=reference.nameserver)])


def settings(lab: Any) -> None:
    lab.settings = replace(lab.settings, delay_levels_ms=(200, 300, 400, 500, 600), request_timeout_ms=3000)


def keep(into: list[Delivery], *says: ListenerResult) -> Any:
    said = list(says)

    async def listener(delivery: Delivery) -> ListenerResult:
        into.append(delivery)
        return said.pop(0) if said else "success"

    return listener


def test_from_producer_to_final_reading(lab: Any, reference: Reference) -> None:
    settings(lab)

    async def run() -> None:
        seen: list[Delivery] = []
        async with lab.client(cluster_of(reference), "c1") as client:
            admin = Admin(client, {"broker-a": reference.broker})
            assert await admin.create_topic("T", ["broker-a"], queues=4) == {"broker-a": 0}
            producer = Producer(client, "PG")
            messages = [
                Outgoing(
                    "T", b"x" * size, tag=tag, keys=("k1", "schlüssel"), properties={"größe": str(size)}, flag=size
                )
                for size, tag in ((0, None), (1, "A"), (5000, "日本"), (4 * 1024 * 1024, "big"))
            ]
            sent = [await producer.send(message) for message in messages]
            sent += await producer.send_batch([Outgoing("T", b"b%d" % n, tag="batch") for n in range(5)])
            assert [outcome.outcome for outcome in sent] == ["ok"] * 9
            await Consumer(client, "G", {"T": "*"}, keep(seen)).start()
            await lab.until(lambda: len(seen) == 9)
            await lab.until(lambda: sum(r["value"] for r in last_commits(lab, "T").values()) == 9)
            for queue in range(4):
                assert (await admin.read_queue("broker-a", "T", queue)).complete
        sends = {row["message"]: row for row in lab.rows("sends")}
        for table in ("deliveries", "final_log"):
            rows = lab.rows(table)
            assert {row["message"] for row in rows} == sends.keys()
            for row in rows:
                for column in ("body_digest", "props_digest", "flag"):
                    assert row[column] == sends[row["message"]][column], (table, column, row)
                assert row["crc_ok"]
        attempts = {row["message"]: row for row in lab.rows("attempts")}
        for row in lab.rows("final_log"):
            assert (row["queue"], row["queue_offset"]) == tuple(
                attempts[row["message"]][k] for k in ("queue", "queue_offset")
            )

    asyncio.run(run())


def last_commits(lab: Any, topic: str) -> dict[int, dict[str, Any]]:
    return {row["queue"]: row for row in lab.rows("offsets", kind="commit", topic=topic, outcome="ok")}


@pytest.mark.parametrize("encoding", ["json", "binary"])
def test_retry_ladder_to_dead_letters(lab: Any, reference: Reference, encoding: str) -> None:
    settings(lab)

    async def run() -> None:
        seen: list[Delivery] = []
        async with lab.client(cluster_of(reference), "c1", encoding=encoding) as client:
            admin = Admin(client, {"broker-a": reference.broker})
            await admin.create_topic("T", ["broker-a"], queues=1)
            await Producer(client, "PG").send(Outgoing("T", b"poison", tag="A", keys=("k",)))
            await Consumer(client, "G", {"T": "A"}, keep(seen, *["later"] * 9), max_reconsume=2).start()
            await lab.until(lambda: len(seen) == 3)
            await lab.until(lambda: len(lab.rows("results", kind="send-back", outcome="ok")) == 3)
            reading = await admin.read_queue("broker-a", "%DLQ%G", 0)
            assert reading.records == 1
        assert [d.reconsume_times for d in seen] == [0, 1, 2]
        assert {d.origin_topic for d in seen} == {"T"}
        assert len({row["props_digest"] for row in lab.rows("deliveries")}) == 1
        backs = lab.rows("results", kind="send-back")
        again = lab.rows("deliveries", topic="%RETRY%G")
        for back, delivery, delay_ms in zip(backs, again, (400, 500), strict=False):
            assert delivery["received"] - back["invoked"] >= (delay_ms - 1) * 1_000_000

    asyncio.run(run())


def test_group_shares_hands_over_and_loses_a_silent_member(lab: Any, reference: Reference) -> None:
    settings(lab)

    async def run() -> None:
        first: list[Delivery] = []
        second: list[Delivery] = []
        one = lab.make(cluster_of(reference), "c1", rebalance_ms=500)
        await one.start()
        admin = Admin(one, {"broker-a": reference.broker})
        await admin.create_topic("T", ["broker-a"], queues=4)
        a = Consumer(one, "G", {"T": "*"}, keep(first))
        await a.start()
        async with lab.client(cluster_of(reference), "c2", rebalance_ms=500) as two:
            b = Consumer(two, "G", {"T": "*"}, keep(second))
            await b.start()
            await lab.until(lambda: len(queues(a)) == len(queues(b)) == 2)
            await one.silence()
            await lab.until(lambda: len(queues(b)) == 4)
            producer = Producer(two, "PG")
            await send_empty(producer, 8)
            await lab.until(lambda: len(second) == 8)
            assert await admin_of(two, reference).members("broker-a", "G") == (two.client_id,)
        await one.abandon()
        assert first == []

    asyncio.run(run())


async def send_empty(producer: Producer, count: int) -> None:
    for _ in range(count):
        assert (await producer.send(Outgoing("T", b""))).outcome == "ok"


def queues(consumer: Consumer) -> list[Any]:
    return [queue for queue in consumer.owned() if queue.topic == "T"]


def admin_of(client: Any, reference: Reference) -> Admin:
    return Admin(client, {"broker-a": reference.broker})


def test_orderly_hands_over_in_order(lab: Any, reference: Reference) -> None:
    settings(lab)

    async def run() -> None:
        seen: list[Delivery] = []
        async with lab.client(cluster_of(reference), "c1") as one:
            await admin_of(one, reference).create_topic("T", ["broker-a"], queues=2)
            producer = Producer(one, "PG")
            await Consumer(one, "G", {"T": "*"}, keep(seen, "success", "suspend"), orderly=True).start()
            await send_empty(producer, 20)
            async with lab.client(cluster_of(reference), "c2") as other:
                await Consumer(other, "G", {"T": "*"}, keep(seen), orderly=True).start()
                await lab.until(lambda: lab.rows("members", kind="assigned", topic="T", member=other.client_id))
                await send_empty(producer, 20)
                await lab.until(lambda: len({d.message for d in seen}) == 40)
        for queue in range(2):
            offsets = [d.queue_offset for d in seen if d.queue == queue and d.topic == "T"]
            assert list(dict.fromkeys(offsets)) == sorted(set(offsets)) == list(range(len(set(offsets))))

    asyncio.run(run())


def test_killed_and_started_again(lab: Any, reference: Reference) -> None:
    settings(lab)

    async def run() -> None:
        seen: list[Delivery] = []
        async with lab.client(cluster_of(reference), "c1") as client:
            admin = admin_of(client, reference)
            await admin.create_topic("T", ["broker-a"], queues=2)
            producer = Producer(client, "PG")
            await Consumer(client, "G", {"T": "*"}, keep(seen)).start()
            await send_empty(producer, 10)
            await lab.until(lambda: len(seen) == 10)
            await asyncio.to_thread(reference.kill)
            lost = await producer.send(Outgoing("T", b""), timeout_ms=300)
            assert lost.outcome == "error"
            await asyncio.to_thread(reference.start)
            await send_empty(producer, 10)
            await lab.until(lambda: len({d.message for d in seen}) == 20)
            await lab.until(lambda: lab.rows("members", kind="assigned", topic="T"))
        assert {row["outcome"] for row in lab.rows("attempts")} <= {"ok", "unsent", "unknown"}

    asyncio.run(run())


def test_probes(lab: Any, reference: Reference) -> None:
    settings(lab)

    async def run() -> None:
        async with lab.client(cluster_of(reference), "c1") as client:
            admin = admin_of(client, reference)
            unknown = await admin.raw("broker-a", 9999, probe="unknown-code", deadline_ms=300)
            assert (unknown.code, unknown.answers) == (3, 1)
            nobody = await admin.raw("nameserver-1", 9999, probe="unknown-code", deadline_ms=300)
            assert nobody.outcome in ("none", "ok")
            assert (await admin.garbage("broker-a", b"\xff" * 8, probe="garbage", deadline_ms=2000)).outcome == "closed"
            answer = await admin.route("nameserver-1", "T-missing", ["broker-a"])
            assert (answer.outcome, answer.code) == ("ok", 17)
            await admin.create_topic("T", ["broker-a"], queues=1)
            assert (await admin.route("nameserver-1", "T")).strict
            topics = await admin.topics("broker-a")
            assert topics is not None
            assert "T" in topics
            held = await admin.pull_once("broker-a", "T", 0, 0, group="G", hold_ms=300)
            assert (held.outcome, held.code, held.next_offset) == ("ok", 19, 0)
            delayed = await Producer(client, "PG").send(Outgoing("T", b"later", delay_level=2))
            assert delayed.outcome == "ok"
            found = await admin.pull_once("broker-a", "T", 0, 0, group="G", hold_ms=5000)
            assert [record.body for record in found.records] == [b"later"]
            (send,) = lab.rows("sends")
            (pull,) = lab.rows("pulls", code=0)
            assert pull["returned"] - send["invoked"] >= 299 * 1_000_000

    asyncio.run(run())
