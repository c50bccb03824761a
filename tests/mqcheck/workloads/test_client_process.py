"""What a client process does with a message, without a process around it (with one: test_launcher)."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path
from typing import Any

import pytest

from mqcheck.clock import RealClock
from mqcheck.history.recorder import Recorder
from mqcheck.rocketmq.models import ClientSettings, Delivery
from mqcheck.workloads.client_plan import ClientOrder, ClientPlan
from mqcheck.workloads.client_process import ClientWork


def order(tmp_path: Path, **plan: Any) -> ClientOrder:
    return ClientOrder(
        plan=ClientPlan(name="c-1", role="consumer", group="g", max_reconsume=2, **plan),
        run="r",
        seed=1,
        purpose="p",
        number=1,
        life=0,
        events=str(tmp_path),
        nameservers=("127.0.0.1:1",),
        nameserver_names=("nameserver-1",),
        settings=ClientSettings(),
    )


def delivery(message: int, times: int) -> Delivery:
    return Delivery(
        delivery=1,
        message=message,
        attempt=0,
        body=b"",
        tag=None,
        keys=(),
        properties={},
        topic="t",
        origin_topic="t",
        broker="b",
        queue=0,
        queue_offset=0,
        physical_offset=0,
        reconsume_times=times,
        flag=0,
        unique_key=None,
        store_time_ms=0,
        born_time_ms=0,
    )


@pytest.mark.parametrize(
    ("plan", "answers", "done"),
    [
        ({}, ["success"], [[7]]),
        ({"fail_deliveries": 1}, ["later", "success"], [[], [7]]),
        ({"fail_deliveries": 9}, ["later", "later", "later"], [[], [], [7]]),
        ({"fail_deliveries": 1, "orderly": True}, ["suspend", "success"], [[], [7]]),
    ],
)
def test_the_listener_fails_as_often_as_told(
    tmp_path: Path, plan: dict[str, Any], answers: list[str], done: list[list[int]]
) -> None:
    async def go() -> tuple[list[str], list[list[int]]]:
        recorder = Recorder(tmp_path, run="r", process="c-1", number=1, clock=RealClock())
        work = ClientWork(order(tmp_path, **plan), recorder, random.Random(1))
        results, fresh = [], []
        for times in range(len(answers)):
            results.append(str(await work.listen(delivery(7, times))))
            fresh.append(work.fresh())
        recorder.close()
        return results, fresh

    assert asyncio.run(go()) == (answers, done)
