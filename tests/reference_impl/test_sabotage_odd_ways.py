"""Legal oddities of what a broker does by itself: each is there, and only with it."""

from __future__ import annotations

from typing import Any

import pytest

from reference_impl.sabotage import ODDITIES
from reference_impl.sabotage.odd_ways import FAR_POSITION, LATE_MS, RETRY_QUEUES, STANDING_MS

Bench = Any
ON_AND_OFF = pytest.mark.parametrize("odd", [False, True])


def planted(name: str, on: bool) -> list[Any]:
    return [ODDITIES[name]] if on else []


@ON_AND_OFF
def test_needless_notifications(bench: type[Bench], odd: bool) -> None:
    b = bench(planted=planted("needless-notifications", odd))
    b.heartbeat(1, "G")
    assert len(b.notified()) == (3 if odd else 1), "the change twice, and the heartbeat"
    b.heartbeat(1, "G")
    assert len(b.notified()) == (1 if odd else 0)
    b.heartbeat(2, "G")
    b.notified()
    b.close(2)
    assert b.notified() == ([1, 1] if odd else [1])


@ON_AND_OFF
def test_double_registration(bench: type[Bench], odd: bool) -> None:
    b = bench(planted=planted("double-registration", odd))
    assert [call.address for call in b.answer_calls()] == (
        ["ns-1:9876", "ns-1:9876", "ns-2:9876", "ns-2:9876"] if odd else ["ns-1:9876", "ns-2:9876"]
    )
    fields = {"topic": "U", "defaultTopic": "TBW102", "readQueueNums": 1, "writeQueueNums": 1, "perm": 6}
    opaque = b.begin(17, {**fields, "topicFilterType": "SINGLE_TAG", "topicSysFlag": 0, "order": "false"})
    assert b.answer(opaque) is None
    b.answer_calls()
    assert b.answer(opaque).code == 0


@ON_AND_OFF
def test_late_delays(bench: type[Bench], odd: bool) -> None:
    b = bench(planted=planted("late-delays", odd))
    b.send("T", properties={"DELAY": "1"})
    b.advance(1_000 + b.settings.delay_scan_ms)
    assert len(b.bodies("T")) == (0 if odd else 1)
    b.advance(LATE_MS)
    assert len(b.bodies("T")) == 1


@pytest.mark.parametrize("clean", [False, True])
def test_late_delays_go_on_after_a_start(bench: type[Bench], clean: bool) -> None:
    b = bench(planted=planted("late-delays", True))
    for _ in range(2):
        b.send("T", properties={"DELAY": "1"})
        b.advance(2_000)
        b.advance(b.settings.flushDelayOffsetInterval)
        b.restart(clean=clean)
        b.advance(2_000)
    assert len(b.bodies("T")) == 2


@ON_AND_OFF
def test_spread_retries(bench: type[Bench], odd: bool) -> None:
    b = bench(planted=planted("spread-retries", odd))
    b.send("T")
    b.heartbeat(1, "G")
    fields = {"offset": b.records("T")[0].physical_offset, "group": "G", "delayLevel": 1}
    for _ in range(30):
        assert b.ask(36, fields).code == 0
    b.advance(2_000)
    filled = [queue for queue in range(RETRY_QUEUES) if b.bodies("%RETRY%G", queue)]
    assert filled == ([0, 1, 2] if odd else [0])
    assert b.pull("%RETRY%G", RETRY_QUEUES).code == 1, "a queue that is not there"


@ON_AND_OFF
def test_far_log(bench: type[Bench], odd: bool) -> None:
    b = bench(planted=planted("far-log", odd))
    b.restart()
    assert b.send("T", b"first").fields["queueOffset"] == "0"
    place = b.records("T")[0].physical_offset
    assert place == (FAR_POSITION if odd else 0)
    b.restart(clean=True)
    b.send("T", b"second")
    assert b.bodies("T") == [b"first", b"second"]
    assert b.records("T")[1].physical_offset > place


@ON_AND_OFF
def test_standing_store_time(bench: type[Bench], odd: bool) -> None:
    b = bench(planted=planted("standing-store-time", odd))
    for _ in range(STANDING_MS // 100):
        b.advance(101)
        b.send("T")
    b.send("T", properties={"DELAY": "1"})
    times = [record.store_time_ms for record in b.records("T")]
    assert len(set(times)) == (2 if odd else len(times))
    assert all(time % STANDING_MS == 0 for time in times) is odd
    assert b.records("SCHEDULE_TOPIC_XXXX")[0].store_time_ms == b.now_ms
