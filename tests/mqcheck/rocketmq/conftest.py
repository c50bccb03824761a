"""A scripted cluster over real sockets, made of the kit's own codec, and a laboratory that records its clients."""

from __future__ import annotations

import asyncio
import json
import random
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mqcheck.clock import RealClock
from mqcheck.errors import FrameError
from mqcheck.history.recorder import Recorder
from mqcheck.rocketmq.client import Client
from mqcheck.rocketmq.frame import Command, FrameReader, encode
from mqcheck.rocketmq.message import (
    StoredRecord,
    body_crc,
    decode_batch,
    decode_properties,
    encode_properties,
    encode_record,
    offset_message_id,
)
from mqcheck.rocketmq.models import ClientSettings, Delivery, ListenerResult, MessageQueue, Outgoing
from mqcheck.rocketmq.producer import Producer

QUICK = ClientSettings(
    heartbeat_ms=200,
    route_poll_ms=200,
    rebalance_ms=200,
    persist_ms=100,
    send_timeout_ms=1500,
    suspend_ms=300,
    pull_timeout_ms=2000,
    relock_ms=100,
    lock_life_ms=1000,
    request_timeout_ms=500,
    connect_timeout_ms=500,
    pull_retry_ms=50,
    flow_control_ms=10,
    local_retry_ms=50,
    orderly_suspend_ms=30,
    lock_retry_ms=50,
    close_wait_ms=500,
)

Action = int | str | Command


def queue_of(command: Command) -> tuple[str, int]:
    return command.fields["topic"], int(command.fields["queueId"])


class Session:
    """One client's connection at a fake node."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self.writer = writer
        self.clients: set[tuple[str, str]] = set()

    def send(self, command: Command) -> None:
        if not self.writer.is_closing():
            self.writer.write(encode(command))


class FakeNode:
    """Serves frames; ``script[code]`` holds what to do with the next requests of a code instead of serving them.

    An action is a response code, ``"silence"``, ``"close"``, ``"garbage"`` or a whole answer.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.address = ""
        self.requests: list[Command] = []
        self.script: dict[int, list[Action]] = defaultdict(list)
        self.sessions: set[Session] = set()
        self._server: asyncio.Server | None = None
        self._empty = asyncio.Event()
        self._empty.set()

    async def start(self, port: int = 0, host: str = "127.0.0.1") -> None:
        self._server = await asyncio.start_server(self._serve, host, port)
        if port:
            self.address = f"{host}:{port}"
            return
        self.address = f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
        for session in list(self.sessions):
            session.writer.transport.abort()
        await self._empty.wait()

    def asked(self, code: int) -> list[Command]:
        return [command for command in self.requests if command.code == code]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        session, frames = Session(writer), FrameReader()
        self.sessions.add(session)
        self._empty.clear()
        tasks = set()
        try:
            while data := await reader.read(65536):
                for command in frames.feed(data):
                    if command.is_response:
                        continue
                    self.requests.append(command)
                    task = asyncio.ensure_future(self._answer(session, command))
                    tasks.add(task)
                    task.add_done_callback(tasks.discard)
        except (ConnectionError, FrameError):
            pass
        finally:
            for task in tasks:
                task.cancel()
            await self.gone(session)
            writer.close()
            self.sessions.discard(session)
            if not self.sessions:
                self._empty.set()

    async def _answer(self, session: Session, command: Command) -> None:
        script = self.script[command.code]
        action: Action | None = script.pop(0) if script else None
        if action == "silence":
            return
        if action == "close":
            session.writer.transport.abort()
            return
        if action == "garbage":
            session.writer.write(b"\xff\xff\xff\xff")
            return
        if isinstance(action, int):
            action = Command(code=action, remark="scripted")
        answer = action if isinstance(action, Command) else await self.serve(session, command)
        if answer is not None and not command.is_oneway:
            session.send(replace(answer, opaque=command.opaque, flag=1, serialize=command.serialize))

    async def serve(self, session: Session, command: Command) -> Command | None:
        raise NotImplementedError

    async def gone(self, session: Session) -> None:
        return


class FakeNameServer(FakeNode):
    """Knows the brokers of its cluster."""

    def __init__(self, name: str, cluster: FakeCluster) -> None:
        super().__init__(name)
        self.cluster = cluster

    async def serve(self, session: Session, command: Command) -> Command | None:
        if command.code == 106:
            return Command(code=0, body=b'{"brokerAddrTable":{"broker-a":{"brokerAddrs":{0:"x:1"}}}}')
        topic = command.fields["topic"]
        brokers = [broker for broker in self.cluster.brokers.values() if topic in broker.topics and not broker.hidden]
        if not brokers:
            return Command(code=17, remark="No topic route info")
        queues, addresses = [b.queue_data(topic) for b in brokers], [b.broker_data() for b in brokers]
        return Command(code=0, body=json.dumps({"queueDatas": queues, "brokerDatas": addresses}).encode())


class FakeBroker(FakeNode):
    """Keeps messages, offsets, members and locks in memory; retries come back at once."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.topics: dict[str, int] = {}
        self.hidden = False
        self.logs: dict[tuple[str, int], list[StoredRecord]] = defaultdict(list)
        self.by_position: dict[int, StoredRecord] = {}
        self.offsets: dict[tuple[str, str, int], int] = {}
        self.members: dict[str, dict[str, Session]] = defaultdict(dict)
        self.locks: dict[tuple[str, str, int], str] = {}
        self.minimum: dict[tuple[str, int], int] = defaultdict(int)
        self._changed = asyncio.Event()
        self._handlers: dict[int, Callable[[Session, Command], Command | None]] = {
            14: self._query_offset,
            15: self._commit,
            17: self._create_topic,
            21: self._all_topics,
            29: lambda *_: Command(code=0, fields={"offset": "3"}),
            30: lambda _, c: Command(code=0, fields={"offset": str(self.end(*queue_of(c)))}),
            31: lambda _, c: Command(code=0, fields={"offset": str(self.minimum[queue_of(c)])}),
            34: self._heartbeat,
            35: self._unregister,
            36: self._send_back,
            38: self._list_members,
            41: self._lock,
            42: self._unlock,
            200: lambda *_: Command(code=0),
            310: self._send,
            320: self._send_batch,
        }

    def queue_data(self, topic: str) -> dict[str, Any]:
        queues = self.topics[topic]
        return {"brokerName": self.name, "readQueueNums": queues, "writeQueueNums": queues, "perm": 6}

    def broker_data(self) -> dict[str, Any]:
        return {"brokerName": self.name, "cluster": "DefaultCluster", "brokerAddrs": {"0": self.address}}

    def end(self, topic: str, queue: int) -> int:
        return self.minimum[topic, queue] + len(self.logs[topic, queue])

    def store(self, topic: str, queue: int, body: bytes, properties: dict[str, str], **more: Any) -> StoredRecord:
        record = StoredRecord(
            topic=topic,
            queue_id=queue,
            queue_offset=self.end(topic, queue),
            physical_offset=len(self.by_position) * 100,
            body=body,
            properties=properties,
            raw_properties=encode_properties(properties),
            flag=more.get("flag", 0),
            sys_flag=more.get("sys_flag", 0),
            born_time_ms=1,
            born_host=("127.0.0.1", 1),
            store_time_ms=2,
            store_host=("127.0.0.1", 10911),
            body_crc=body_crc(body),
            reconsume_times=more.get("reconsume_times", 0),
            prepared_offset=0,
        )
        self.by_position[record.physical_offset] = record
        self.logs[topic, queue].append(record)
        self._changed.set()
        self._changed = asyncio.Event()
        return record

    async def serve(self, session: Session, command: Command) -> Command | None:
        if command.code == 11:
            return await self._pull(command)
        handler = self._handlers.get(command.code)
        return Command(code=3, remark="not supported") if handler is None else handler(session, command)

    async def gone(self, session: Session) -> None:
        for group in list(self.members):
            for client, owner in list(self.members[group].items()):
                if owner is session:
                    del self.members[group][client]
                    self._notify(group)

    async def _pull(self, command: Command) -> Command:
        fields = command.fields
        topic, queue, offset = fields["topic"], int(fields["queueId"]), int(fields["queueOffset"])
        flag, hold_ms = int(fields["sysFlag"]), int(fields["suspendTimeoutMillis"])
        if not flag & 4 and not any(fields["consumerGroup"] == g and m for g, m in self.members.items()):
            return Command(code=24, remark="the consumer's group info not exist")
        if flag & 2 and offset == self.end(topic, queue):
            with suppress(TimeoutError):
                async with asyncio.timeout(hold_ms / 1000):
                    while offset == self.end(topic, queue):
                        await self._changed.wait()
        low, high = self.minimum[topic, queue], self.end(topic, queue)
        header = {"suggestWhichBrokerId": "0", "minOffset": str(low), "maxOffset": str(high)}
        if offset < low or offset > high:
            return Command(code=21, fields={**header, "nextBeginOffset": str(low if offset < low else high)})
        records = self.logs[topic, queue][offset - low :][: int(fields["maxMsgNums"])]
        if not records:
            return Command(code=19, fields={**header, "nextBeginOffset": str(offset)})
        body = b"".join(map(encode_record, records))
        return Command(code=0, fields={**header, "nextBeginOffset": str(offset + len(records))}, body=body)

    def _sent(self, records: list[StoredRecord]) -> Command:
        ids = ",".join(offset_message_id(r.store_host, r.physical_offset) for r in records)
        first = records[0]
        fields = {"msgId": ids, "queueId": str(first.queue_id), "queueOffset": str(first.queue_offset)}
        return Command(code=0, fields={**fields, "transactionId": first.properties.get("UNIQ_KEY", "")})

    def _send(self, _: Session, command: Command) -> Command:
        fields = command.fields
        topic = fields["b"]
        self.topics.setdefault(topic, 4)
        more = {"flag": int(fields["h"]), "sys_flag": int(fields["f"]), "reconsume_times": int(fields["j"])}
        properties = decode_properties(fields["i"].encode())
        return self._sent([self.store(topic, max(int(fields["e"]), 0), command.body, properties, **more)])

    def _send_batch(self, _: Session, command: Command) -> Command:
        topic, queue = command.fields["b"], int(command.fields["e"])
        extra = decode_properties(command.fields["i"].encode())
        return self._sent(
            [
                self.store(topic, queue, m.body, {**decode_properties(m.raw_properties), **extra}, flag=m.flag)
                for m in decode_batch(command.body)
            ]
        )

    def _query_offset(self, _: Session, command: Command) -> Command:
        key = (command.fields["consumerGroup"], *queue_of(command))
        if key not in self.offsets:
            return Command(code=22, remark="Not found")
        return Command(code=0, fields={"offset": str(self.offsets[key])})

    def _commit(self, _: Session, command: Command) -> Command:
        self.offsets[command.fields["consumerGroup"], *queue_of(command)] = int(command.fields["commitOffset"])
        return Command(code=0)

    def _create_topic(self, _: Session, command: Command) -> Command:
        self.topics[command.fields["topic"]] = int(command.fields["readQueueNums"])
        return Command(code=0)

    def _all_topics(self, *_: Any) -> Command:
        table = {topic: {"readQueueNums": queues, "topicName": topic} for topic, queues in self.topics.items()}
        return Command(code=0, body=json.dumps({"topicConfigTable": table}).encode())

    def _heartbeat(self, session: Session, command: Command) -> Command:
        body = json.loads(command.body)
        for group in body["consumerDataSet"]:
            name = group["groupName"]
            self.topics.setdefault("%RETRY%" + name, 1)
            known = self.members[name]
            new = known.get(body["clientID"]) is not session
            known[body["clientID"]] = session
            if new:
                self._notify(name)
        return Command(code=0)

    def _unregister(self, _: Session, command: Command) -> Command:
        group = command.fields.get("consumerGroup", "")
        if self.members[group].pop(command.fields["clientID"], None) is not None:
            self._notify(group)
        return Command(code=0)

    def _notify(self, group: str) -> None:
        for session in self.members[group].values():
            session.send(Command(code=40, flag=2, fields={"consumerGroup": group}))

    def _send_back(self, _: Session, command: Command) -> Command:
        record = self.by_position[int(command.fields["offset"])]
        group = command.fields["group"]
        properties = {**record.properties}
        properties.setdefault("RETRY_TOPIC", record.topic)
        times = record.reconsume_times
        topic = "%RETRY%" if times < int(command.fields["maxReconsumeTimes"]) else "%DLQ%"
        self.topics.setdefault(topic + group, 1)
        self.store(topic + group, 0, record.body, properties, reconsume_times=times + 1, flag=record.flag)
        return Command(code=0)

    def _list_members(self, _: Session, command: Command) -> Command:
        members = sorted(self.members[command.fields["consumerGroup"]])
        if not members:
            return Command(code=1, remark="no consumer for this group")
        return Command(code=0, body=json.dumps({"consumerIdList": members}).encode())

    def _lock(self, _: Session, command: Command) -> Command:
        body = json.loads(command.body)
        granted = []
        for queue in body["mqSet"]:
            key = (body["consumerGroup"], queue["topic"], queue["queueId"])
            if self.locks.setdefault(key, body["clientId"]) == body["clientId"]:
                granted.append(queue)
        return Command(code=0, body=json.dumps({"lockOKMQSet": granted}).encode())

    def _unlock(self, _: Session, command: Command) -> Command:
        body = json.loads(command.body)
        for queue in body["mqSet"]:
            key = (body["consumerGroup"], queue["topic"], queue["queueId"])
            if self.locks.get(key) == body["clientId"]:
                del self.locks[key]
        return Command(code=0)


class FakeCluster:
    """NameServers and brokers, each with a socket of its own."""

    def __init__(self, brokers: tuple[str, ...], nameservers: int) -> None:
        self.brokers = {name: FakeBroker(name) for name in brokers}
        self.nameservers = [FakeNameServer(f"nameserver-{index + 1}", self) for index in range(nameservers)]

    def create(self, topic: str, queues: int = 4) -> None:
        for broker in self.brokers.values():
            broker.topics[topic] = queues

    @property
    def broker(self) -> FakeBroker:
        return next(iter(self.brokers.values()))


class Seen:
    """A listener that keeps what it saw and says what it is told to say."""

    def __init__(self, *says: ListenerResult) -> None:
        self.deliveries: list[Delivery] = []
        self._says = list(says)

    async def __call__(self, delivery: Delivery) -> ListenerResult:
        self.deliveries.append(delivery)
        said = self._says.pop(0) if self._says else "success"
        if said == "exception":
            raise RuntimeError("as told")
        return said

    @property
    def bodies(self) -> list[bytes]:
        return [delivery.body for delivery in self.deliveries]


class Lab:
    """Clients with one recorder, fake clusters, and the rows that were written."""

    def __init__(self, folder: Path) -> None:
        self.clock = RealClock()
        self.recorder = Recorder(folder, run="run.1", process="kit", number=1, clock=self.clock)
        self.settings = QUICK

    make_cluster = staticmethod(FakeCluster)

    @asynccontextmanager
    async def cluster(self, *brokers: str, nameservers: int = 1) -> AsyncIterator[FakeCluster]:
        cluster = FakeCluster(brokers or ("broker-a",), nameservers)
        for node in (*cluster.nameservers, *cluster.brokers.values()):
            await node.start()
        try:
            yield cluster
        finally:
            for node in (*cluster.nameservers, *cluster.brokers.values()):
                await node.stop()

    @asynccontextmanager
    async def client(self, cluster: FakeCluster, name: str = "client-1", **settings: Any) -> AsyncIterator[Client]:
        client = self.make(cluster, name, **settings)
        await client.start()
        try:
            yield client
        finally:
            await client.close()

    def make(self, cluster: FakeCluster, name: str = "client-1", seed: int = 0, **settings: Any) -> Client:
        addresses = [node.address for node in cluster.nameservers]
        own = replace(self.settings, **settings)
        return Client(name, addresses, self.recorder, own, self.clock, random.Random(seed))

    def lines(self, table: str | None = None) -> list[dict[str, Any]]:
        rows = [json.loads(line) for line in self.recorder.path.read_bytes().splitlines()]
        return [row for row in rows if table is None or row["e"] == table]

    def rows(self, table: str, **wanted: Any) -> list[dict[str, Any]]:
        """The table's operations with their ends merged in, those that match."""
        merged: dict[int, dict[str, Any]] = {}
        for line in self.lines(table):
            row = merged.setdefault(line["op"], {})
            if line.get("w") == "b":
                row["invoked"] = line["t"]
            elif line.get("w") == "e":
                row["returned"] = line["t"]
            row.update({key: value for key, value in line.items() if key not in ("e", "w", "t")})
            row.setdefault("t", line["t"])
        return [row for row in merged.values() if all(row.get(key) == value for key, value in wanted.items())]

    @staticmethod
    def nodes(cluster: FakeCluster) -> dict[str, str]:
        """Node name → address of the cluster's brokers."""
        return {name: broker.address for name, broker in cluster.brokers.items()}

    @staticmethod
    def seen(*says: ListenerResult) -> Seen:
        """A listener that keeps what it sees."""
        return Seen(*says)

    @staticmethod
    async def fill(client: Client, topic: str, count: int, queue: int | None = None) -> None:
        """Send messages whose bodies are their numbers."""
        producer = Producer(client, "PG")
        place = None if queue is None else MessageQueue(topic, "broker-a", queue)
        for number in range(count):
            outcome = await producer.send(Outgoing(topic, b"%d" % number, tag="A"), queue=place)
            assert outcome.outcome == "ok"

    @staticmethod
    def committed(cluster: FakeCluster, group: str, topic: str) -> int:
        """Sum of the group's offsets."""
        return sum(offset for (g, t, _), offset in cluster.broker.offsets.items() if (g, t) == (group, topic))

    @staticmethod
    async def until(condition: Callable[[], Any], seconds: float = 10.0) -> None:
        """Wait for a condition; fails the test when it does not come true."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        while not condition():
            assert loop.time() < deadline, "condition did not come true in time"
            await asyncio.sleep(0.005)


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path / "events")
