"""One small world: a broker that is killed, loses power and comes back, and clients written by hand that note what
they were told. Links have latency, connections are cut, syncs take their time.

The clients know nothing of the kit's, so that a mistake there does not hide one here.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from typing import Any, NamedTuple

from msgspec import Struct, field

from mqcheck.targets.sim import EPOCH_MS, Gate, end_loop, sim_loop
from reference_impl.disk import MemoryDisk
from reference_impl.frame import Command, FrameReader, encode
from reference_impl.message import Record, decode_record
from reference_impl.node import BrokerNode, World, start_broker, with_port
from reference_impl.sabotage import find
from reference_impl.settings import BrokerSettings

HOST, PORT = "b", 10911
TOPIC, GROUP = "T", "G"
RETRY_TOPIC = f"%RETRY%{GROUP}"
QUEUES = 2
LEVELS_MS = (1000, 3000)
ROUNDS = 6
ANSWER_S_MAX = 3.0
HELD_S_MAX = 8.0
"""For a pull that may be held: two seconds, and five until the broker looks at what it holds."""
BEAT_S = 10.0
PULL_PAUSE_S = 0.5
QUIET_S_MAX = 90.0
"""Long enough for every delayed message, every retry, and a broker that has just come back."""

SYNC_S = (0.0, 0.0, 0.001, 0.02, 0.2)
"""How long one half of a sync may take; the disk has the bytes after the first half, the broker knows after both."""
LATENCY_S = ((0.0, 0.0), (0.0001, 0.002), (0.005, 0.08))


class Sent(NamedTuple):
    """A send that was answered with SUCCESS."""

    number: int
    body: bytes
    queue: int
    offset: int
    delay_ms: int
    asked_ms: int
    answered_ms: int


class Granted(NamedTuple):
    """A lock that was granted."""

    asked_s: float
    answered_s: float
    client: str
    life: int


class Seen(Struct):
    """What the clients of one world were told."""

    sent: list[Sent] = field(default_factory=list)
    unanswered: list[int] = field(default_factory=list)
    """Numbers of sends without an answer: they may be stored or not."""
    granted: list[Granted] = field(default_factory=list)
    delivered: dict[int, list[Record]] = field(default_factory=dict)
    returned: list[tuple[int, int, int]] = field(default_factory=list)
    """Number, reconsume times and power cuts so far of each message whose send-back was answered with SUCCESS."""
    given_back: dict[tuple[int, int], list[int]] = field(default_factory=dict)
    """Number and reconsume times of what a member gave back → when it asked, answered or not."""
    happened: Counter[str] = field(default_factory=Counter)


def number_of(body: bytes) -> int:
    """Each body begins with its number."""
    return int(body[:6])


def split(body: bytes) -> list[Record]:
    """The records of a pull's answer."""
    records, at = [], 0
    while at < len(body):
        records.append(decode_record(body, at))
        at += int.from_bytes(body[at : at + 4], "big")
    return records


class Line:
    """One client's connection, opened when needed; one request at a time."""

    def __init__(self) -> None:
        self.writer: asyncio.StreamWriter | None = None
        self.opaque = 0
        self.changed = False
        """A NOTIFY_CONSUMER_IDS_CHANGED has come."""

    async def ask(
        self, code: int, fields: dict[str, str], body: bytes = b"", within_s: float = ANSWER_S_MAX
    ) -> Command | None:
        """None when there was no answer."""
        self.opaque += 1
        try:
            if self.writer is None:
                self.reader, self.writer = await asyncio.open_connection(HOST, PORT)
                self.frames = FrameReader()
            self.writer.write(encode(Command(code, self.opaque, 0, fields, body)))
            return await asyncio.wait_for(self._answer(), within_s)
        except (OSError, TimeoutError):
            self.cut()
            return None

    async def _answer(self) -> Command:
        while True:
            data = await self.reader.read(65536)
            if not data:
                raise ConnectionResetError
            for frame in self.frames.feed(data):
                if not frame.is_response:
                    self.changed = True
                elif frame.opaque == self.opaque:
                    return frame

    def cut(self) -> None:
        """The connection is gone; the next request opens another."""
        if self.writer is not None:
            self.writer.transport.abort()
            self.writer = None


class SmallWorld:
    """``planted`` names a planted bug of the broker."""

    def __init__(self, loop: Any, seed: int, flush: str, planted: str | None) -> None:
        self.loop = loop
        self.rng = random.Random(seed)
        self.flush = flush
        self.planted = find(planted, None, "broker")
        self.disk = MemoryDisk()
        self.gate = Gate()
        self.seen = Seen()
        self.number = self.lives = self.power_cuts = 0
        self.calm = False
        """Nothing goes wrong any more, so that what is missing can be told from what is still on its way."""
        self.over = False
        self.lines: list[Line] = []
        loop.run_in_executor = self._sync_slowly
        loop.net.set_defaults(latency=self.rng.choice(LATENCY_S))

    def _sync_slowly(self, executor: Any, work: Any, *arguments: Any) -> asyncio.Future[Any]:
        """In place of the loop's own, where a sync takes no time."""
        future = self.loop.create_future()

        def do() -> None:
            try:
                done, failed = work(*arguments), None
            except Exception as error:  # an executor hands on whatever was raised
                done, failed = None, error
            self.loop.call_later(self.rng.choice(SYNC_S), tell, done, failed)

        def tell(done: Any, failed: Exception | None) -> None:
            if not future.done():
                future.set_exception(failed) if failed else future.set_result(done)

        self.loop.call_later(self.rng.choice(SYNC_S), do)
        return future

    # -- the broker ----------------------------------------------------------------------------------------------

    async def on(self, host: str, work: Any) -> Any:
        return await self.loop.net.host(host).create_task(work)

    def now_ms(self) -> int:
        return EPOCH_MS + int(self.loop.time() * 1000)

    async def start(self) -> None:
        self.lives += 1
        self.gate = Gate()
        settings = BrokerSettings(
            bindAddress=HOST, brokerIP1=HOST, flushDiskType=self.flush, mappedFileSizeCommitLog=4096,
            messageDelayLevel="1s 3s", flushDelayOffsetInterval=500, flushConsumerOffsetInterval=1000,
        )  # fmt: skip
        planted = (*self.planted, self.gate.as_wrapper("broker"))
        world = World(self.now_ms, random.Random(1), None, lambda line: None, planted)
        self.broker: BrokerNode = await self.on(HOST, start_broker(with_port(settings, PORT), self.disk, world))

    async def die(self, power: bool) -> None:
        self.seen.happened["power cuts" if power else "kills"] += 1
        self.power_cuts += power
        self.gate.die()
        self.loop.net.crash(HOST)
        self.loop.net.restart(HOST)
        self.disk.crash(power=power, rng=self.rng, torn=power)  # first, since a stop would sync
        await self.on(HOST, self.broker.server.stop())

    # -- the clients ---------------------------------------------------------------------------------------------

    def line(self) -> Line:
        self.lines.append(Line())
        return self.lines[-1]

    async def ask_once(self, code: int, fields: dict[str, str], body: bytes) -> Command | None:
        line = self.line()
        answer = await line.ask(code, fields, body)
        line.cut()
        return answer

    async def send_in_turn(self) -> None:
        for _ in range(self.rng.randrange(1, 7)):
            await self.send()

    async def send(self) -> None:
        self.number += 1
        number = self.number
        body = b"%06d" % number + bytes(self.rng.randrange(700))
        queue, level = self.rng.randrange(QUEUES), self.rng.choice([0, 0, 0, 1, 2])
        fields = {"a": "P", "b": TOPIC, "c": "TBW102", "d": str(QUEUES), "e": str(queue), "f": "0", "g": "1", "h": "0"}
        asked_ms = self.now_ms()
        answer = await self.ask_once(310, fields | ({"i": f"DELAY\x01{level}"} if level else {}), body)
        if answer is None:
            self.seen.unanswered.append(number)
        elif answer.code == 0:
            delay_ms = LEVELS_MS[level - 1] if level else 0
            offset = int(answer.fields["queueOffset"])
            self.seen.sent.append(Sent(number, body, queue, offset, delay_ms, asked_ms, self.now_ms()))

    async def lock(self, client: str) -> None:
        queue = {"topic": TOPIC, "brokerName": "broker-a", "queueId": 0}
        body = json.dumps({"consumerGroup": GROUP, "clientId": client, "mqSet": [queue]}).encode()
        asked_s, life = self.loop.time(), self.lives
        answer = await self.ask_once(41, {}, body)
        if answer is not None and answer.code == 0 and json.loads(answer.body)["lockOKMQSet"]:
            self.seen.granted.append(Granted(asked_s, self.loop.time(), client, life))

    async def cut_connections(self) -> None:
        await asyncio.sleep(self.rng.random() * 0.3)
        for line in self.lines:
            if line.writer is not None and self.rng.random() < 0.5:
                self.seen.happened["cut connections"] += 1
                line.cut()

    # -- its life ------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        try:
            await self.live()
        finally:
            for line in self.lines:
                line.cut()

    async def live(self) -> None:
        await self.start()
        members = [self.on(f"member-{n}", Member(self, f"member-{n}").live()) for n in range(2)]
        consuming = asyncio.gather(*members)
        for _ in range(ROUNDS):
            await self.round()
            await asyncio.sleep(self.rng.random() * self.rng.choice([1, 3, 30]))
        await self.settle()
        self.over = True
        await consuming

    async def round(self) -> None:
        work = [self.send() for _ in range(self.rng.randrange(1, 6))]
        work += [self.send_in_turn() for _ in range(self.rng.randrange(3))]
        work += [self.lock(client) for client in ("one", "two") if self.rng.random() < 0.5]
        if self.rng.random() < 0.3:
            work.append(self.cut_connections())
        running = asyncio.gather(*(self.on(f"client-{self.rng.randrange(3)}", one) for one in work))
        if self.rng.random() < 0.6:
            await asyncio.sleep(self.rng.random() * self.rng.choice([0.02, 0.3]))
            await self.die(power=self.rng.random() < 0.5)
            await asyncio.sleep(self.rng.random())
            await self.start()
        await running

    async def settle(self) -> None:
        """Wait until nothing is missing any more, or for as long as that may take."""
        self.calm = True
        until = self.loop.time() + QUIET_S_MAX
        while self.loop.time() < until and (self.undelivered() or self.unreturned()):
            await asyncio.sleep(1)

    def undelivered(self) -> list[Sent]:
        """Acknowledged, and delivered to nobody."""
        return [one for one in self.seen.sent if one.number not in self.seen.delivered]

    def unreturned(self) -> list[int]:
        """Numbers taken back, and not delivered again. A power cut may take the copy (WAIT=false)."""
        return [
            number
            for number, times, cuts in self.seen.returned
            if cuts == self.power_cuts and all(one.reconsume_times <= times for one in self.seen.delivered[number])
        ]

    def records(self, queue: int) -> list[Record]:
        """What the broker has in one queue."""
        store = self.broker.store
        offsets = range(store.min_offset(TOPIC, queue), store.max_offset(TOPIC, queue))
        return [decode_record(store.read(TOPIC, queue, offset, 1).records) for offset in offsets]


class Member:
    """One consumer of the group: shares the queues with the others, commits after it is done, fails now and then."""

    def __init__(self, world: SmallWorld, name: str) -> None:
        self.world = world
        self.seen = world.seen
        self.rng = random.Random(f"{world.rng.random()}")
        self.name = name
        self.line = world.line()

    async def live(self) -> None:
        while not self.world.over:
            queues = await self.join()
            until = self.world.loop.time() + BEAT_S
            while queues and not self.line.changed and self.world.loop.time() < until and not self.world.over:
                for topic, queue in queues:
                    if not await self.work(topic, queue):
                        queues = []
                        break
                await asyncio.sleep(PULL_PAUSE_S)
            if not queues:
                await asyncio.sleep(0.3)
            if not self.world.calm and self.rng.random() < 0.1:  # away for a while: the others take over
                self.line.cut()
                await asyncio.sleep(self.rng.random() * 3)

    async def join(self) -> list[tuple[str, int]]:
        """Which queues are this member's; none when the broker did not say."""
        wanted = [{"topic": topic, "subString": "*", "subVersion": 1} for topic in (TOPIC, RETRY_TOPIC)]
        consumer = {
            "groupName": GROUP, "consumeType": "CONSUME_PASSIVELY", "messageModel": "CLUSTERING",
            "consumeFromWhere": "CONSUME_FROM_FIRST_OFFSET", "subscriptionDataSet": wanted,
        }  # fmt: skip
        beat = json.dumps({"clientID": self.name, "consumerDataSet": [consumer], "producerDataSet": []}).encode()
        if await self.line.ask(34, {}, beat) is None:
            return []
        self.line.changed = False
        answer = await self.line.ask(38, {"consumerGroup": GROUP})
        if answer is None or answer.code:
            return []
        members = sorted(json.loads(answer.body)["consumerIdList"])
        if self.name not in members:
            return []
        queues = [(RETRY_TOPIC, 0), *((TOPIC, queue) for queue in range(QUEUES))]
        return queues[members.index(self.name) :: len(members)] or [(TOPIC, 0)]

    async def work(self, topic: str, queue: int) -> bool:
        """Pull once, use what came, commit; False when the broker should be asked for the queues again."""
        where = {"consumerGroup": GROUP, "topic": topic, "queueId": str(queue)}
        answer = await self.line.ask(14, where)
        if answer is None or answer.code not in (0, 22):
            return False
        at = int(answer.fields["offset"]) if answer.code == 0 else 0
        held = self.rng.random() < 0.2
        pull = {
            "queueOffset": str(at), "maxMsgNums": "8", "sysFlag": "6" if held else "4", "commitOffset": "0",
            "suspendTimeoutMillis": "2000", "subVersion": "1", "subscription": "*", "expressionType": "TAG",
        }  # fmt: skip
        answer = await self.line.ask(11, where | pull, within_s=HELD_S_MAX if held else ANSWER_S_MAX)
        if answer is None:
            return False
        after = int(answer.fields.get("nextBeginOffset", at))
        if answer.code == 0:
            for record in split(answer.body):
                if not await self.use(record):
                    return False
            after = at + len(split(answer.body))
        elif answer.code not in (19, 20, 21):
            return False
        return after == at or await self.line.ask(15, where | {"commitOffset": str(after)}) is not None

    async def use(self, record: Record) -> bool:
        """Note it; sometimes say that it could not be used. False when the broker did not take it back."""
        number = number_of(record.body)
        before = self.seen.delivered.setdefault(number, [])
        before.append(record)
        if self.world.calm or self.rng.random() > 0.15:
            return True
        fields = {
            "offset": str(record.physical_offset), "group": GROUP, "delayLevel": "1", "originTopic": TOPIC,
            "originMsgId": "", "unitMode": "false", "maxReconsumeTimes": "16",
        }  # fmt: skip
        cuts = self.world.power_cuts
        self.seen.given_back.setdefault((number, record.reconsume_times), []).append(self.world.now_ms())
        answer = await self.line.ask(36, fields)
        if answer is None or answer.code:
            return False
        self.seen.returned.append((number, record.reconsume_times, cuts))
        return True


def play(seed: int, flush: str = "SYNC_FLUSH", planted: str | None = None) -> SmallWorld:
    """One world from beginning to end."""
    loop = sim_loop(seed)
    world = SmallWorld(loop, seed, flush, planted)
    try:
        loop.run_until_complete(world.run())
    finally:
        world.over = True
        end_loop(loop)
    return world
