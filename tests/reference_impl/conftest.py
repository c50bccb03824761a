"""Shared helpers of the reference's tests: the recorded frames and messages, and a power cut."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from reference_impl.broker import BrokerCore
from reference_impl.disk import Disk, MemoryDisk
from reference_impl.effects import Call, Close, Effect, Push, Reply, StreamClose, StreamOpen, StreamSend
from reference_impl.frame import Command
from reference_impl.loose_json import loads_loose
from reference_impl.message import Record, decode_record, encode_properties
from reference_impl.nameserver import NameServerCore
from reference_impl.register_body import DataVersion, Registration, TopicEntry, encode_body
from reference_impl.sabotage import Sabotage
from reference_impl.settings import BrokerSettings, NameServerSettings
from reference_impl.store import Store

GOLDEN = Path(__file__).parents[1] / "golden"


def _lines(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (GOLDEN / name).read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="session")
def golden_frames() -> list[dict[str, Any]]:
    """Whole frames recorded from real brokers, NameServers and clients."""
    return _lines("frames.jsonl")


@pytest.fixture(scope="session")
def golden_messages() -> list[dict[str, Any]]:
    """Stored records recorded from real brokers."""
    return _lines("messages.jsonl")


@pytest.fixture
def cut_power() -> Callable[..., None]:
    """What the package's docstring tells a test tool to do after SIGKILL, rule by rule."""
    return _cut_power


def _cut_power(root: Path, torn: random.Random | None = None) -> None:
    last: dict[str, dict[str, object]] = {}
    for line in (root / "synced.jsonl").read_bytes().split(b"\n")[:-1]:
        entry = json.loads(line)
        last[entry["file"]] = entry
    for name, entry in last.items():
        path = root / name
        earlier = path.with_name(path.name + ".prev")
        if entry.get("removed"):
            continue
        if entry.get("replacing") and earlier.exists():
            earlier.replace(path)
        if path.exists():
            synced_bytes = entry["synced_bytes"]
            assert isinstance(synced_bytes, int)
            size = path.stat().st_size
            kept = min(synced_bytes, size)
            if torn is not None and not entry.get("replacing") and not entry.get("replaced"):
                kept = torn.randint(kept, size)
            with path.open("r+b") as file:
                file.truncate(kept)
    for path in [path for path in root.rglob("*") if path.is_file() and path.name != "synced.jsonl"]:
        entry = last.get(path.relative_to(root).as_posix(), {"removed": True})
        if entry.get("removed") or path.name.endswith((".tmp", ".prev")):
            path.unlink()


class Bench:
    """A broker core on a disk in memory with a clock of its own: what comes out is kept, calls are answered on
    request.
    """

    def __init__(self, planted: Sequence[Sabotage] = (), **settings: Any) -> None:
        self.settings = BrokerSettings(**{"namesrvAddr": "ns-1:9876;ns-2:9876", **settings})
        self.planted = planted
        self.now_ms = 1_700_000_000_000
        self.disk = MemoryDisk()
        self.slept: list[float] = []
        self.replies: dict[tuple[int, int], Command] = {}
        self.pushed: list[tuple[int, Command]] = []
        self.closed: list[int] = []
        self.calls: list[Call] = []
        self.streamed: list[StreamOpen | StreamSend | StreamClose] = []
        self.urgent = 0
        self._opaque = 0
        self._open()

    def _open(self) -> None:
        disk: Any = self.disk
        for bug in self.planted:
            disk = bug.wrap_disk(disk, self.slept.append)
        self.store: Any = Store.open(disk, commit_log_file_bytes=self.settings.mappedFileSizeCommitLog)
        for bug in self.planted:
            self.store = bug.wrap_store(self.store)
        self.broker = BrokerCore(self.settings, self.store, disk, random.Random(7))
        self.core: Any = self.broker
        for bug in self.planted:
            self.core = bug.wrap_core(self.core, self.settings)
        self.carry(self.core.start(self.now_ms))

    def carry(self, effects: Sequence[Effect]) -> None:
        """Keep what the core wants done."""
        for effect in effects:
            if isinstance(effect, Reply):
                assert (effect.conn, effect.command.opaque) not in self.replies, "answered twice"
                self.replies[effect.conn, effect.command.opaque] = effect.command
            elif isinstance(effect, Push):
                self.pushed.append((effect.conn, effect.command))
            elif isinstance(effect, Close):
                self.closed.append(effect.conn)
                self.carry(self.core.closed(self.now_ms, effect.conn))
            elif isinstance(effect, Call):
                self.calls.append(effect)
            elif isinstance(effect, StreamOpen | StreamSend | StreamClose):
                self.streamed.append(effect)
            elif effect.urgent:
                self.urgent += 1

    def begin(
        self, code: int, fields: dict[str, Any] | None = None, body: bytes = b"", conn: int = 1, **more: Any
    ) -> int:
        """Make a request; its opaque."""
        self._opaque += 1
        texts = {name: str(value) for name, value in (fields or {}).items()}
        command = Command(code=code, opaque=self._opaque, fields=texts, body=body, **more)
        self.carry(self.core.request(self.now_ms, conn, (f"10.0.0.{conn}", 4000 + conn), command))
        return self._opaque

    def answer(self, opaque: int, conn: int = 1) -> Command | None:
        """What was answered so far."""
        return self.replies.get((conn, opaque))

    def ask(
        self, code: int, fields: dict[str, Any] | None = None, body: bytes = b"", conn: int = 1, **more: Any
    ) -> Command:
        """Make a request that is answered at once."""
        answer = self.answer(self.begin(code, fields, body, conn, **more), conn)
        assert answer is not None, f"code {code} was not answered"
        return answer

    def settle(self, code: int, fields: dict[str, Any]) -> Command:
        """Make a request that is answered when the NameServers have answered the broker."""
        opaque = self.begin(code, fields)
        self.answer_calls()
        answer = self.answer(opaque)
        assert answer is not None, f"code {code} was not answered"
        return answer

    def answer_calls(self, *, failed: bool = False, fields: dict[str, str] | None = None) -> list[Call]:
        """Answer what the core asked of NameServers; what it was."""
        calls, self.calls = self.calls, []
        for call in calls:
            answer = None if failed else call.command.reply(0, fields or {})
            self.carry(self.core.response(self.now_ms, call.token, answer))
        return calls

    def advance(self, ms: int) -> None:
        """Let time pass, with every tick on its moment."""
        end_ms = self.now_ms + ms
        while (due_ms := self.core.next_deadline_ms()) is not None and due_ms <= end_ms:
            self.now_ms = max(self.now_ms, due_ms)
            self.carry(self.core.tick(self.now_ms))
        self.now_ms = end_ms

    def flush(self) -> None:
        """Sync as the shell does."""
        self.carry(self.core.flushed(self.now_ms, self.store.sync()))

    def stream(self, number: int, data: bytes | None) -> list[StreamOpen | StreamSend | StreamClose]:
        """A connection of plain bytes opens (b""), brings bytes, or ends (None); what the core wants done there."""
        self.streamed.clear()
        self.carry(self.core.stream(self.now_ms, number, data))
        return list(self.streamed)

    def close(self, conn: int) -> None:
        """The peer's connection ends."""
        self.carry(self.core.closed(self.now_ms, conn))

    def restart(self, *, power: bool = False, clean: bool = False) -> None:
        """Stop, or die, and live again on the same disk."""
        if clean:
            self.carry(self.core.stop(self.now_ms))
            self.store.sync()
            self.store.close()
        self.disk.crash(power=power, rng=random.Random(1))
        self.replies.clear()
        self.pushed.clear()
        self._open()

    def send_fields(self, topic: str, queue: int = 0, **more: Any) -> dict[str, Any]:
        """Header of a send, version 2; ``properties`` as a dict."""
        properties = encode_properties(more.pop("properties", {}))
        head = {"a": "P", "b": topic, "c": "TBW102", "d": 4, "e": queue, "f": 0, "g": self.now_ms, "h": 0}
        return head | {"i": properties} | more

    def send(self, topic: str, body: bytes = b"hello", queue: int = 0, conn: int = 1, **more: Any) -> Command:
        """A send that is answered at once."""
        return self.ask(310, self.send_fields(topic, queue, **more), body, conn)

    def pull_fields(self, topic: str, queue: int = 0, offset: int = 0, group: str = "G", **more: Any) -> dict[str, Any]:
        """Header of a pull; by default not held, with the subscription in the header."""
        head = {"consumerGroup": group, "topic": topic, "queueId": queue, "queueOffset": offset, "maxMsgNums": 32}
        rest = {"sysFlag": 4, "commitOffset": 0, "suspendTimeoutMillis": 1000, "subVersion": 0, "subscription": "*"}
        return head | rest | more

    def pull(self, topic: str, queue: int = 0, offset: int = 0, conn: int = 1, **more: Any) -> Command:
        """A pull that is answered at once."""
        return self.ask(11, self.pull_fields(topic, queue, offset, **more), conn=conn)

    def bodies(self, topic: str, queue: int = 0) -> list[bytes]:
        """Bodies of all messages of a queue, in order."""
        return [record.body for record in self.records(topic, queue)]

    def records(self, topic: str, queue: int = 0) -> list[Record]:
        """All messages of a queue, as the store has them."""
        records: list[Record] = []
        offset = self.store.min_offset(topic, queue)
        while (found := self.store.read(topic, queue, offset, 1000, 1 << 30)).count:
            records += split_records(found.records)
            offset = found.next_offset
        return records

    def heartbeat(self, conn: int, group: str, topics: Sequence[str] = ("T",), **more: Any) -> Command:
        """A consumer's heartbeat; its client id is ``c<conn>``."""
        head = {"subString": "*", "subVersion": 1, "expressionType": "TAG"}
        wanted = [{"topic": topic} | head for topic in topics]
        consumer = {"groupName": group, "subscriptionDataSet": wanted, "messageModel": "CLUSTERING"} | more
        body = {"clientID": f"c{conn}", "producerDataSet": [], "consumerDataSet": [consumer]}
        return self.ask(34, body=json.dumps(body).encode(), conn=conn)

    def notified(self) -> list[int]:
        """Connections that were pushed code 40 since the last look."""
        found = [conn for conn, command in self.pushed if command.code == 40]
        self.pushed.clear()
        return found


def split_records(data: bytes) -> list[Record]:
    """Records that stand back to back."""
    found = []
    at = 0
    while at < len(data):
        found.append(decode_record(data, at))
        at += found[-1].size
    return found


@pytest.fixture(scope="session")
def bench() -> type[Bench]:
    """Makes broker cores to be talked to."""
    return Bench


@pytest.fixture(scope="session")
def split() -> Callable[[bytes], list[Record]]:
    """Takes the body of a pull answer apart."""
    return split_records


class NameServerBench:
    """One NameServer, asked by hand."""

    def __init__(self, disk: Disk | None = None, **settings: Any) -> None:
        self.core = NameServerCore(NameServerSettings(**settings), disk)
        self.core.start(0)

    def ask(self, code: int, *, now: int = 0, conn: int = 1, body: bytes = b"", **fields: str) -> Command:
        version = int(fields.pop("version", "407"))
        (effect,) = self.core.request(
            now, conn, ("127.0.0.1", 40000), Command(code, 7, 0, fields, body, version=version)
        )
        assert isinstance(effect, Reply)
        assert effect.conn == conn
        assert effect.command.opaque == 7
        return effect.command

    def register(
        self, name: str = "broker-a", broker_id: int = 0, *, port: int = 10911, counter: int = 1, now: int = 0,
        conn: int = 1,
        topics: tuple[str, ...] = ("T", "U"), **fields: str,
    ) -> Command:  # fmt: skip
        entries = {topic: TopicEntry(topic, 4, 4, 6) for topic in topics}
        body = fields.pop("raw", "").encode("latin-1") or encode_body(Registration(DataVersion(5, counter), entries))
        identity = {
            "brokerName": name,
            "brokerAddr": f"127.0.0.1:{port}",
            "clusterName": "C",
            "haServerAddr": f"127.0.0.1:{port + 1}",
            "brokerId": str(broker_id),
        }
        return self.ask(103, now=now, conn=conn, body=body, **(identity | fields))

    def route(self, topic: str = "T", **fields: str) -> Command:
        return self.ask(105, topic=topic, **fields)

    def addresses(self, topic: str = "T") -> dict[str, dict[str, str]]:
        body = loads_loose(self.route(topic).body) if self.route(topic).code == 0 else {"brokerDatas": []}
        return {data["brokerName"]: data["brokerAddrs"] for data in body["brokerDatas"]}


@pytest.fixture(scope="session")
def nameserver() -> type[NameServerBench]:
    """Makes NameServer cores to be talked to."""
    return NameServerBench
