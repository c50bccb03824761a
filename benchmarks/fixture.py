"""How long does emptying `rocketmq_server` take between two tests? Median of 50, each after topics and messages.

Beside it, the time that sending those messages took in the same run: the ratio is what compares machines.
"""

from __future__ import annotations

import asyncio
import random
import statistics
import time
from pathlib import Path

from systems import end_on_signals, folder

from mqcheck.clock import RealClock
from mqcheck.embedded.cluster import RocketMQServer
from mqcheck.guard import Guard
from mqcheck.history.recorder import Recorder
from mqcheck.rocketmq.admin import Admin
from mqcheck.rocketmq.client import Client
from mqcheck.rocketmq.models import ClientSettings, Outgoing
from mqcheck.rocketmq.producer import Producer

ROUNDS = 50
TOPICS = ("orders", "payments", "parcels")
MESSAGES = 20
"""Sent to each topic in each round."""


async def use(server: RocketMQServer, events: Path) -> None:
    """What a test of somebody's application may do."""
    recorder = Recorder(events, run="benchmark", process="t", number=0, clock=RealClock())
    client = Client("shop", [server.nameserver_address], recorder, ClientSettings(), RealClock(), random.Random(1))
    await client.start()
    admin = Admin(client, {"broker-a": server.broker_address})
    producer = Producer(client, "shop")
    for topic in TOPICS:
        await admin.create_topic(topic, ["broker-a"], queues=4)
        for number in range(MESSAGES):
            sent = await producer.send(Outgoing(topic, b"%d" % number * 100))
            if sent.outcome != "ok":
                raise SystemExit(f"a message was not acknowledged: {sent}")
        await admin.commit_offset("broker-a", "billing", topic, 0, 1)
    await client.close()
    recorder.close()


def measure(server: RocketMQServer, events: Path) -> tuple[list[float], list[float]]:
    """Milliseconds of using and of emptying, per round."""
    uses, empties = [], []
    for number in range(ROUNDS):
        began = time.perf_counter()
        asyncio.run(use(server, events / str(number)))
        used = time.perf_counter()
        server.empty()
        uses.append((used - began) * 1000)
        empties.append((time.perf_counter() - used) * 1000)
    return uses, empties


def main() -> None:
    """Print the median and the spread."""
    guard = Guard()
    end_on_signals()
    with folder("fixture-") as home:
        server = RocketMQServer(home, {}, guard)
        server.start()
        try:
            uses, empties = measure(server, home / "events")
        finally:
            server.close()
            guard.close()
    median = statistics.median(empties)
    print(f"emptied: median {median:.1f} ms of {ROUNDS} (min {min(empties):.1f}, max {max(empties):.1f})")
    print(f"used: median {statistics.median(uses):.0f} ms; ratio {median / statistics.median(uses):.2f}")


if __name__ == "__main__":
    main()
