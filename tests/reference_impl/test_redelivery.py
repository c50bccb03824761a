"""Delayed messages. Clauses: dly-not-early, dly-alo, dly-none."""

from __future__ import annotations

from typing import Any

import pytest

from reference_impl.message import Message
from reference_impl.redelivery import DelaySchedule, awakened, delay_level, scheduled

Bench = Any
SCHEDULE = "SCHEDULE_TOPIC_XXXX"
LEVELS_S = (1, 5, 10, 30, 60, 120, 180, 240, 300, 360, 420, 480, 540, 600, 1200, 1800, 3600, 7200)


def message(properties: dict[str, str], queue: int = 3) -> Message:
    return Message("T", queue, b"x", properties, 0, 0, 0, ("127.0.0.1", 1))


@pytest.mark.parametrize(("text", "level"), [(None, 0), ("3", 3), ("0", 0), ("-1", 0), ("x", 0), ("99", 99)])
def test_the_level_asked_for(text: str | None, level: int) -> None:
    assert delay_level(message({} if text is None else {"DELAY": text})) == level


def test_the_waiting_form_remembers_where_the_message_belongs() -> None:
    waiting = scheduled(message({"DELAY": "99", "A": "b"}), 99, 18)
    assert (waiting.topic, waiting.queue_id) == (SCHEDULE, 17)
    assert waiting.properties == {"DELAY": "18", "A": "b", "REAL_TOPIC": "T", "REAL_QID": "3"}


@pytest.mark.parametrize("level", range(1, 19))
def test_every_level_is_never_early_and_hardly_late(bench: type[Bench], level: int) -> None:
    b = bench()
    b.advance(37)
    b.send("T", b"later", queue=1, properties={"DELAY": str(level), "UNIQ_KEY": "u"})
    assert b.bodies("T", 1) == []
    assert len(b.bodies(SCHEDULE, level - 1)) == 1
    sent_ms = b.now_ms
    b.advance(LEVELS_S[level - 1] * 1000 - 1)
    assert b.bodies("T", 1) == []
    b.advance(100)
    record = b.records("T", 1)[0]
    assert record.body == b"later"
    assert record.store_time_ms >= sent_ms + LEVELS_S[level - 1] * 1000
    assert record.born_time_ms == sent_ms
    kept = {"DELAY": str(level), "UNIQ_KEY": "u", "REAL_TOPIC": "T", "REAL_QID": "1", "CLUSTER": "DefaultCluster"}
    assert record.properties == kept


def test_the_answer_names_the_waiting_record(bench: type[Bench]) -> None:
    b = bench()
    b.send("T", properties={"DELAY": "2"})
    answer = b.send("T", queue=3, properties={"DELAY": "2"})
    assert (answer.fields["queueId"], answer.fields["queueOffset"]) == ("3", "1")


def test_a_delivered_copy_wakes_a_held_pull(bench: type[Bench]) -> None:
    b = bench()
    b.send("T", properties={"DELAY": "1"})
    opaque = b.begin(11, b.pull_fields("T", sysFlag=6, suspendTimeoutMillis=15_000))
    b.advance(999)
    assert b.answer(opaque) is None
    b.advance(101)
    assert b.answer(opaque).code == 0


def test_order_within_a_level_and_a_backlog(bench: type[Bench]) -> None:
    b = bench()
    for number in range(1_200):
        b.send("T", b"%d" % number, properties={"DELAY": "1"})
    b.advance(1_200)
    assert b.bodies("T") == [b"%d" % number for number in range(1_200)]


def test_progress_is_saved_and_a_kill_repeats_only_what_came_after(bench: type[Bench]) -> None:
    b = bench()
    b.send("T", b"a", properties={"DELAY": "1"})
    b.advance(12_000)
    b.send("T", b"b", properties={"DELAY": "1"})
    b.advance(1_500)
    assert b.bodies("T") == [b"a", b"b"]
    b.restart()
    b.advance(200)
    assert b.bodies("T") == [b"a", b"b", b"b"]
    b.restart(clean=True)
    b.advance(200)
    assert b.bodies("T") == [b"a", b"b", b"b"]


def test_what_waits_survives_a_kill(bench: type[Bench]) -> None:
    b = bench()
    b.send("T", b"a", properties={"DELAY": "3"})
    b.advance(4_000)
    b.restart()
    b.advance(5_999)
    assert b.bodies("T") == []
    b.advance(101)
    assert b.bodies("T") == [b"a"]


def test_saved_progress_beyond_a_log_that_lost_its_end(bench: type[Bench]) -> None:
    b = bench()
    schedule = DelaySchedule((1000,), 100)
    schedule.load_json({"offsetTable": {"1": 7}})
    schedule.resume(b.store, b.now_ms)
    assert schedule.to_json() == {"offsetTable": {"1": 0}}
    assert schedule.next_due_ms() is None


def test_a_clock_that_was_set_back_does_not_hold_messages_longer(bench: type[Bench]) -> None:
    b = bench()
    for body in (b"a", b"b"):
        b.send("T", body, properties={"DELAY": "2"})
    b.now_ms -= 3_600_000
    b.carry(b.core.tick(b.now_ms))
    b.advance(4_999)
    assert b.bodies("T") == []
    b.advance(101)
    assert b.bodies("T") == [b"a", b"b"]


def test_a_record_without_its_topic_is_passed_over(bench: type[Bench]) -> None:
    b = bench()
    stored = b.store.append(Message(SCHEDULE, 0, b"?", {}, 0, 0, 0, ("127.0.0.1", 1)), b.now_ms, ("127.0.0.1", 1))
    assert awakened(b.store.record_at(stored.physical_offset)) is None
    b.send("T", b"a", properties={"DELAY": "1"})
    b.broker.state.schedule.resume(b.store, b.now_ms)
    b.advance(1_200)
    assert b.bodies("T") == [b"a"]


def test_a_failing_disk_delays_and_does_not_lose(bench: type[Bench], monkeypatch: pytest.MonkeyPatch) -> None:
    b = bench()
    b.send("T", b"a", properties={"DELAY": "1"})

    def full(*_: Any) -> None:
        raise OSError(28, "no space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(b.store, "append", full)
        b.advance(3_000)
        assert b.bodies("T") == []
    b.advance(200)
    assert b.bodies("T") == [b"a"]
