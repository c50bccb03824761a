"""Retention: a log whose files go as soon as they are full, so that queues begin later and later."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from mqcheck.profile import Profile
from mqcheck.rocketmq.admin import Admin
from mqcheck.rocketmq.models import MessageQueue
from mqcheck.rocketmq.producer import Producer
from mqcheck.scenarios.base import Scenario, World
from mqcheck.targets.base import BrokerSpec, Deployment, Setting
from mqcheck.workloads.payloads import Payloads

NODE: Final = "broker-a"
QUEUES: Final = 2

SETTINGS: Final[dict[str, Setting]] = {
    "mappedFileSizeCommitLog": 32 * 1024,
    "fileReservedTime": 0,
    "deleteWhen": ";".join(f"{hour:02}" for hour in range(24)),
    "cleanResourceInterval": 200,
}
"""Files that are soon full, and go once they are, at any hour. Ours."""

FIRST_LOOK: Final = "reference.firstCleanMs"
"""A minute on Apache RocketMQ, and no setting."""

FILL: Final = 100
"""Messages to each queue at a time: more than two files of the log. Ours."""

FILLS_MAX: Final = 8
"""How often the queues are filled: twice, and again while one of them has no message left. Ours."""

LOOK_MS: Final = 60
"""Time between two looks at where the queues begin. Ours."""

MOVED_MS_MAX: Final = 75_000
"""Longest wait until a queue begins later: Apache RocketMQ first looks a minute after its start."""

STILL_MS: Final = 1_500
"""Nothing is removed any more when no queue's beginning has moved for so long: Apache RocketMQ removes ten files in a
second. Ours."""


async def _look(admin: Admin, topic: str) -> list[int]:
    """Ask where each queue begins, pull from before that and from there; the beginnings that the last pulls name."""
    begins = []
    for queue in range(QUEUES):
        begin = await admin.min_offset(NODE, topic, queue) or 0
        await admin.pull_once(NODE, topic, queue, max(begin - 1, 0), group="readers", max_num=4)
        answer = await admin.pull_once(NODE, topic, queue, begin, group="readers", max_num=4)
        begins.append(answer.min_offset or 0)
    return begins


async def _moved(world: World, admin: Admin, topic: str, before: Sequence[int]) -> list[int]:
    """Look until every queue begins later than before, and none has moved for a while; where they begin then.

    What is read at the end does not go meanwhile.
    """
    begins = list(before)
    began = last = world.clock.monotonic_ns()
    while True:
        seen, now = await _look(admin, topic), world.clock.monotonic_ns()
        if seen != begins:
            begins, last = seen, now
        later = all(each > then for each, then in zip(begins, before, strict=True))
        if (later and now - last > STILL_MS * 1_000_000) or now - began > MOVED_MS_MAX * 1_000_000:
            return begins
        await world.sleep_ms(LOOK_MS)


async def _readable(admin: Admin, topic: str, begins: Sequence[int]) -> bool:
    """Whether every queue has a message where it says that it begins."""
    for queue, begin in enumerate(begins):
        answer = await admin.pull_once(NODE, topic, queue, begin, group="readers", max_num=1)
        if [record.queue_offset for record in answer.records] != [begin]:
            return False
    return True


async def _retention(world: World) -> None:
    topic = await world.topic("diary", queues=QUEUES)
    admin = await world.admin()
    await world.idle_group("readers", [NODE])
    producer = Producer(await world.client("producer-1"), "diary-producers")
    payloads = Payloads(topic, world.rng("diary"), seed=world.seed)
    begins = [0] * QUEUES
    async with world.phase("load"):
        for number in range(FILLS_MAX):
            for each in range(FILL * QUEUES):
                await producer.send(payloads.next(), queue=MessageQueue(topic, NODE, each % QUEUES))
            begins = await _moved(world, admin, topic, begins)
            # A queue whose every message went keeps its beginning on Apache RocketMQ until the next file goes.
            if number and await _readable(admin, topic, begins):
                return


def _deployment(profile: Profile) -> Deployment:
    soon: dict[str, Setting] = {FIRST_LOOK: 1} if profile.name == "quick" else {}
    return Deployment(brokers=(BrokerSpec(NODE, {**SETTINGS, **soon}),))


SCENARIOS: Final = (
    Scenario(
        name="retention",
        summary="Catches queues that begin earlier than they did, and pulls from before that which lead nowhere.",
        deployment=_deployment,
        aims=("sto-min-offset", "con-offset-moved"),
        run=_retention,
        seconds=6,
        waits=frozenset({FIRST_LOOK}),
    ),
)
