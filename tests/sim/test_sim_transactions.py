"""Transaction checks with RocketMQ's own numbers: after 6 s at the next round of 60 s, 15 times, then given up."""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
import time
from typing import Any

import pytest

from mqcheck.profile import FULL
from mqcheck.rocketmq.client import Client
from mqcheck.rocketmq.codes import RequestCode
from mqcheck.rocketmq.connection import Connection, Peer
from mqcheck.rocketmq.frame import Command
from mqcheck.rocketmq.message import decode_record, encode_properties
from mqcheck.rocketmq.models import MessageQueue
from mqcheck.rocketmq.sendheader import send_fields
from mqcheck.scenarios.base import Scenario, World

GROUP = "transactors"
GIVEN_UP = "TRANS_CHECK_MAX_TIME_TOPIC"
CHECKS, INTERVAL_S, YOUNG_S = 15, 60, 6
HALVES = 3
END_TRANSACTION, COMMIT = 37, 8
TICK_S = 0.5
CPU_SECONDS_MAX = 60

PROFILE = dataclasses.replace(FULL, scenario_ms=3_600_000)


class Transactor:
    """A producer that sends half messages and hears the broker's questions; commits at the ``decides``-th, or never."""

    def __init__(self, world: World, client: Client, topic: str, decides: int | None) -> None:
        self.world = world
        self.topic = topic
        self.decides = decides
        self.client = client
        self.sent_s: dict[str, float] = {}
        self.asked_s: dict[str, list[float]] = {}
        self.connection: Connection | None = None

    async def connect(self) -> None:
        """A connection of its own, on which it says that it lives every 30 s."""
        address = (await self.world.admin()).address("broker-a")
        peer = Peer("broker-a", address, f"{self.client.name}->broker-a")
        self.connection = Connection(peer, self.world.recorder, self._asked, lambda connection: None)
        await self.connection.open(10)
        self.world.on_close(self.leave)
        self.world.spawn(self._live(self.connection), f"{self.client.name} lives")

    async def leave(self) -> None:
        """Close what ``connect`` opened last."""
        assert self.connection is not None
        self.connection.close()
        await self.connection.wait_closed()

    async def _live(self, connection: Connection) -> None:
        body = b'{"clientID":"%s","producerDataSet":[{"groupName":"%s"}]}' % (
            self.client.client_id.encode(),
            GROUP.encode(),
        )
        while not connection.closed:
            await connection.request(Command(code=RequestCode.HEART_BEAT, body=body), 10)
            await asyncio.sleep(FULL.client.heartbeat_ms / 1000)

    async def send(self, key: str) -> None:
        assert self.connection is not None
        properties = {"UNIQ_KEY": key, "TRAN_MSG": "true", "PGROUP": GROUP, "WAIT": "true"}
        fields = send_fields(
            GROUP,
            MessageQueue(self.topic, "broker-a", 0),
            encode_properties(properties),
            born_time_ms=self.world.clock.wall_ms(),
            sys_flag=4,
        )
        self.asked_s[key] = []
        command = Command(code=RequestCode.SEND_MESSAGE_V2, fields=fields, body=key.encode())
        answer = await self.connection.request(command, 10)
        assert answer.code == 0, answer.remark
        self.sent_s[key] = asyncio.get_running_loop().time()

    def _asked(self, connection: Connection, request: Command) -> None:
        if request.code != RequestCode.CHECK_TRANSACTION_STATE:
            return
        record = decode_record(request.body)
        key = record.properties["UNIQ_KEY"]
        assert (record.topic, record.body) == (self.topic, key.encode())
        asked = self.asked_s[key]
        asked.append(asyncio.get_running_loop().time())
        if len(asked) == self.decides:
            fields = {name: request.fields[name] for name in ("tranStateTableOffset", "commitLogOffset", "msgId")}
            fields |= {"producerGroup": GROUP, "commitOrRollback": str(COMMIT), "fromTransactionCheck": "true"}
            connection.oneway(Command(code=END_TRANSACTION, fields=fields))


def scenario(decides: int | None, restarts: bool, found: dict[str, Any]) -> Scenario:
    async def run(world: World) -> None:
        topic = await world.topic("decided", queues=1)
        transactor = Transactor(world, await world.client("transactor"), topic, decides)
        admin = await world.admin()
        async with world.phase("load"):
            await transactor.connect()
            for number in range(HALVES):
                await transactor.send(f"half-{number}")
                await world.sleep_ms(YOUNG_S * 1000)
            if restarts:
                await world.sleep_ms(5 * INTERVAL_S * 1000)
                node = world.cluster.nodes["broker-a"]
                await node.stop()
                await node.start()
                await transactor.connect()
            await world.sleep_ms((CHECKS + 5) * INTERVAL_S * 1000)
            found["visible"] = await admin.max_offset("broker-a", topic, 0)
            found["given up"] = await admin.max_offset("broker-a", GIVEN_UP, 0)
        found["sent"], found["asked"] = transactor.sent_s, transactor.asked_s

    return Scenario("transactions", "Catches wrong checks.", (), run)


@pytest.mark.parametrize(
    ("decides", "restarts", "asked", "visible"),
    [(None, False, CHECKS, 0), (None, True, CHECKS, 0), (4, False, 4, HALVES), (CHECKS, True, CHECKS, HALVES)],
)
def test_half_messages_are_asked_about(
    play: Any, decides: int | None, restarts: bool, asked: int, visible: int
) -> None:
    found: dict[str, Any] = {}
    began = time.process_time()
    judged = play(scenario(decides, restarts, found), PROFILE)
    assert time.process_time() - began < CPU_SECONDS_MAX
    assert judged.plan["harness_error"] is None
    assert judged.simulated.virtual_seconds > CHECKS * INTERVAL_S
    assert (found["visible"], found["given up"]) == (visible, HALVES - visible)
    for key, times in found["asked"].items():
        assert len(times) == asked, key
        assert YOUNG_S <= times[0] - found["sent"][key] <= YOUNG_S + INTERVAL_S + TICK_S
        gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
        if not restarts:
            assert all(abs(gap - INTERVAL_S) <= TICK_S for gap in gaps), gaps
