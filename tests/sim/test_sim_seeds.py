"""A hundred small worlds: producers, queue locks and a SYNC_FLUSH broker that is killed, loses power and comes back.

Each seed is one exact run; a failure names its seed, and ``-k "[17]"`` runs that one again. Clauses: dur-ack-kill,
dur-ack-power-sf, sto-offset-dense, sto-offset-unique, sto-recover-no-ghost, dly-not-early, dly-alo, ord-queue-lock.
"""

from __future__ import annotations

import asyncio
import json
import random
from typing import Any, NamedTuple

import pytest

from mqcheck.targets.sim import Gate, end_loop, sim_loop
from reference_impl.disk import MemoryDisk
from reference_impl.frame import Command, FrameReader, encode
from reference_impl.message import Record, decode_record
from reference_impl.node import BrokerNode, World, start_broker, with_port
from reference_impl.settings import BrokerSettings

SEEDS = 100
ROUNDS = 6
PORT = 10911
QUEUES = 2
LEVELS_MS = (1000, 3000)
LOCK_MS = 60_000
ANSWER_S_MAX = 3.0
QUIET_S = 20.0
"""Long enough for every delayed message, and for a broker that has just come back."""


class Acked(NamedTuple):
    """A send that was answered with SUCCESS."""

    body: bytes
    queue: int
    offset: int
    delay_ms: int
    asked_ms: int


class SmallWorld:
    """One broker, clients that talk to it by hand, and what they were told."""

    def __init__(self, loop: Any, seed: int, flush: str = "SYNC_FLUSH") -> None:
        self.loop = loop
        self.flush = flush
        self.rng = random.Random(seed)
        self.disk = MemoryDisk()
        self.gate = Gate()
        self.acked: list[Acked] = []
        self.number = 0
        self.lives = 0
        self.granted: list[tuple[float, float, str, int]] = []
        """Asked, answered, client, life of the broker."""

    def now_ms(self) -> int:
        return 1_700_000_000_000 + int(self.loop.time() * 1000)

    async def on(self, host: str, work: Any) -> Any:
        return await self.loop.net.host(host).create_task(work)

    async def start(self) -> None:
        self.lives += 1
        self.gate = Gate()
        settings = BrokerSettings(
            bindAddress="b", brokerIP1="b", flushDiskType=self.flush, mappedFileSizeCommitLog=4096,
            messageDelayLevel="1s 3s", flushDelayOffsetInterval=500,
        )  # fmt: skip
        world = World(self.now_ms, random.Random(1), None, lambda line: None, (self.gate.as_wrapper("broker"),))
        self.broker: BrokerNode = await self.on("b", start_broker(with_port(settings, PORT), self.disk, world))

    async def die(self, power: bool) -> None:
        self.gate.die()
        self.loop.net.crash("b")
        self.loop.net.restart("b")
        self.disk.crash(power=power, rng=self.rng, torn=power)  # first, since a stop would sync
        await self.on("b", self.broker.server.stop())

    async def ask(self, command: Command) -> Command | None:
        """One request on a connection of its own; None when there was no answer."""
        try:
            reader, writer = await asyncio.open_connection("b", PORT)
            writer.write(encode(command))
            frames = FrameReader()
            while not (found := frames.feed(await asyncio.wait_for(reader.read(65536), ANSWER_S_MAX))):
                if reader.at_eof():
                    return None
            writer.close()
            return found[0]
        except (OSError, TimeoutError):
            return None

    async def send(self) -> None:
        self.number += 1
        body = b"%06d" % self.number + bytes(self.rng.randrange(700))
        queue, level = self.rng.randrange(QUEUES), self.rng.choice([0, 0, 0, 1, 2])
        fields = {"a": "P", "b": "T", "c": "TBW102", "d": str(QUEUES), "e": str(queue), "f": "0", "g": "1", "h": "0"}
        asked_ms = self.now_ms()
        answer = await self.ask(Command(310, 1, 0, fields | ({"i": f"DELAY\x01{level}"} if level else {}), body))
        if answer is not None and answer.code == 0:
            delay_ms = LEVELS_MS[level - 1] if level else 0
            self.acked.append(Acked(body, queue, int(answer.fields["queueOffset"]), delay_ms, asked_ms))

    async def lock(self, client: str) -> None:
        queue = {"topic": "T", "brokerName": "broker-a", "queueId": 0}
        body = json.dumps({"consumerGroup": "G", "clientId": client, "mqSet": [queue]}).encode()
        asked, life = self.loop.time(), self.lives
        answer = await self.ask(Command(41, 1, body=body))
        if answer is not None and json.loads(answer.body)["lockOKMQSet"]:
            self.granted.append((asked, self.loop.time(), client, life))

    async def run(self) -> None:
        await self.start()
        for _ in range(ROUNDS):
            work = [self.send() for _ in range(self.rng.randrange(1, 10))]
            work += [self.lock(client) for client in ("one", "two") if self.rng.random() < 0.5]
            running = asyncio.gather(*(self.on(f"client-{self.rng.randrange(3)}", one) for one in work))
            if self.rng.random() < 0.6:
                await asyncio.sleep(self.rng.random() * self.rng.choice([0.02, 0.3]))
                await self.die(power=self.rng.random() < 0.5)
                await asyncio.sleep(self.rng.random())
                await self.start()
            await running
            await asyncio.sleep(self.rng.random() * 30)
        await asyncio.sleep(QUIET_S)
        self.check()

    def records(self, queue: int) -> list[Record]:
        store = self.broker.store
        offsets = range(store.min_offset("T", queue), store.max_offset("T", queue))
        return [decode_record(store.read("T", queue, offset, 1).records) for offset in offsets]

    def check(self) -> None:
        assert self.acked, "nothing happened"
        queues = [self.records(queue) for queue in range(QUEUES)]
        for queue, records in enumerate(queues):
            assert [record.queue_offset for record in records] == list(range(len(records))), f"dense: queue {queue}"
            assert all(int(record.body[:6]) <= self.number for record in records), "a record that nobody sent"
        for one in self.acked:
            copies = [record for record in queues[one.queue] if record.body == one.body]
            assert copies, f"acknowledged and lost: {one}"
            if not one.delay_ms:
                assert queues[one.queue][one.offset].body == one.body, f"not where it was said to be: {one}"
                assert len(copies) == 1, f"stored twice: {one}"
            for copy in copies:
                assert copy.store_time_ms >= one.asked_ms + one.delay_ms - 1, f"early: {one}"
        self.check_locks()

    def check_locks(self) -> None:
        """Nobody got a lock that somebody else had surely renewed less than its life before, in the same broker."""
        for asked, answered, client, life in self.granted:
            for earlier_asked, earlier_answered, owner, earlier_life in self.granted:
                if owner != client and life == earlier_life and earlier_answered < asked:
                    assert (answered - earlier_asked) * 1000 > LOCK_MS, f"two owners: {owner}, then {client}"


def play(seed: int, flush: str = "SYNC_FLUSH") -> None:
    """One world from beginning to end."""
    loop = sim_loop(seed)
    world = SmallWorld(loop, seed, flush)
    try:
        loop.run_until_complete(world.run())
    finally:
        end_loop(loop)


@pytest.mark.parametrize("seed", range(SEEDS))
def test_a_small_world_keeps_its_promises(seed: int) -> None:
    play(seed)


def test_a_broker_that_answers_before_the_disk_is_noticed() -> None:
    noticed = 0
    for seed in range(20):
        try:
            play(seed, "ASYNC_FLUSH")
        except AssertionError as error:
            noticed += "acknowledged and lost" in str(error)
    assert noticed >= 3
