"""Faults of clocks: a broker's wall clock jumps.

What happened is read from the broker's own mouth: the time of storage of the newest message in its log.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from mqcheck.clock import Clock
from mqcheck.errors import FaultError, FrameError
from mqcheck.faults.base import Fault, Ground
from mqcheck.rocketmq.codes import RequestCode, ResponseCode
from mqcheck.rocketmq.frame import loads_loose
from mqcheck.rocketmq.message import StoredRecord, decode_record, split_records
from mqcheck.rocketmq.pulling import number
from mqcheck.rocketmq.reader import READER_GROUP
from mqcheck.targets.base import Node, node_named
from mqcheck.targets.ready import ask

SEEN_SECONDS_MAX: Final = 20.0
"""How long the first message under the new time may take: a second until it is read, and a message. Ours."""

HEALED_SECONDS_MAX: Final = 10.0
"""The same where load may have ended. Ours."""

LOOK_SECONDS: Final = 0.1
"""Between two looks. Ours."""

ASK_SECONDS_MAX: Final = 5.0
"""How long one answer may take. Ours."""

QUEUES_MAX: Final = 64
"""Topics with more queues than this are a broker's own. Ours."""


@dataclass(frozen=True, slots=True, eq=False)
class ClockJump(Fault):
    """The wall clock of a broker jumps by so much. Healed by jumping back.

    Reveals promises that lean on the wall clock: order, offsets, delivery, and what is kept.
    """

    kind: ClassVar[str] = "clock"
    needs: ClassVar[str] = "clock"

    victim: str
    """Name of a broker node."""
    ms: int
    """How far; negative: into the past."""

    @property
    def node(self) -> str:
        """The node it hits."""
        return self.victim

    def parameters(self) -> Mapping[str, Any]:
        """How far it jumps."""
        return {"jump_ms": self.ms}

    async def inject(self, ground: Ground) -> Mapping[str, Any]:
        """Set the clock; effect: how far the time of storage has moved. Raises FaultError when it has not."""
        node = node_named(ground.cluster, self.victim)
        await node.set_clock(self.ms)
        off_ms = await self._seen(node, ground.clock, self.ms, SEEN_SECONDS_MAX)
        if off_ms is None or not self._near(off_ms, self.ms):
            seen = "no message is stored in it" if off_ms is None else f"its newest message is {off_ms} ms off"
            raise FaultError(
                f"{self}: the clock was set {self.ms} ms off, and {seen} after {SEEN_SECONDS_MAX} s: let load go on "
                f"meanwhile; a program that is linked statically does not see libfaketime"
            )
        return {"moved_ms": abs(off_ms)}

    async def heal(self, ground: Ground) -> Mapping[str, Any]:
        """Set the clock right; how far from true the time of storage then is, where a message is stored to show it.

        Raises FaultError when messages go on being stored under a wrong time.
        """
        node = node_named(ground.cluster, self.victim)
        before = await newest(node)
        await node.set_clock(0)
        off_ms = await self._seen(node, ground.clock, 0, HEALED_SECONDS_MAX)
        if off_ms is None or self._near(off_ms, 0):
            return {} if off_ms is None else {"off_ms": off_ms}
        after = await newest(node)
        if before is None or after is None or after.physical_offset == before.physical_offset:
            return {}
        raise FaultError(f"{self}: the clock was set right, and messages are still {off_ms} ms off")

    async def _seen(self, node: Node, clock: Clock, wanted_ms: int, seconds: float) -> int | None:
        """How far off the newest message is once it is near what is wanted, or when time is up."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        while True:
            off_ms = await off_by(node, clock)
            if loop.time() > deadline or (off_ms is not None and self._near(off_ms, wanted_ms)):
                return off_ms
            await asyncio.sleep(LOOK_SECONDS)

    def _near(self, off_ms: int, wanted_ms: int) -> bool:
        return abs(off_ms - wanted_ms) < abs(self.ms) / 2


async def off_by(node: Node, clock: Clock) -> int | None:
    """How far the time of storage of the newest message in a broker's log is from true, in ms; None: there is none."""
    found = await newest(node)
    return None if found is None else found.store_time_ms - clock.wall_ms()


async def newest(node: Node) -> StoredRecord | None:
    """The newest message in a broker's log, as far as its topics tell."""
    found: StoredRecord | None = None
    for topic, queues in (await _topics(node)).items():
        for queue in range(queues):
            last = await _last(node, topic, queue)
            if last is not None and (found is None or last.physical_offset > found.physical_offset):
                found = last
    return found


async def _topics(node: Node) -> dict[str, int]:
    answer = await ask(node.address, RequestCode.GET_ALL_TOPIC_CONFIG, ASK_SECONDS_MAX)
    if answer is None or answer.code != ResponseCode.SUCCESS:
        return {}
    table: Any = loads_loose(answer.body).get("topicConfigTable", {})
    queues = {str(topic): int(config["readQueueNums"]) for topic, config in table.items()}
    return {topic: count for topic, count in queues.items() if count <= QUEUES_MAX and "%" not in topic}


async def _last(node: Node, topic: str, queue: int) -> StoredRecord | None:
    """The last message of a queue."""
    place = {"topic": topic, "queueId": str(queue)}
    answer = await ask(node.address, RequestCode.GET_MAX_OFFSET, ASK_SECONDS_MAX, place)
    end = None if answer is None or answer.code != ResponseCode.SUCCESS else number(answer, "offset")
    if not end:
        return None
    pull = {
        **place,
        "consumerGroup": READER_GROUP,
        "queueOffset": str(end - 1),
        "maxMsgNums": "1",
        "sysFlag": "4",
        "commitOffset": "0",
        "suspendTimeoutMillis": "0",
        "subscription": "*",
        "subVersion": "0",
        "expressionType": "TAG",
    }
    answer = await ask(node.address, RequestCode.PULL_MESSAGE, ASK_SECONDS_MAX, pull)
    if answer is None or answer.code != ResponseCode.SUCCESS:
        return None
    try:
        records = [decode_record(piece) for piece in split_records(answer.body)]
    except FrameError:
        return None
    return records[-1] if records else None
