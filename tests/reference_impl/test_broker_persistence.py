"""Which table is saved when. Clause: con-offset-persist."""

from __future__ import annotations

from typing import Any

import pytest

from reference_impl.errors import StoreDamagedError
from reference_impl.store.tables import CONSUMER_OFFSETS

Bench = Any
COMMIT = {"consumerGroup": "G", "topic": "T", "queueId": 0, "commitOffset": 5}


def committed(b: Bench) -> str:
    return str(b.ask(14, {"consumerGroup": "G", "topic": "T", "queueId": 0}).fields["offset"])


def test_a_kill_takes_back_only_young_offsets(bench: type[Bench]) -> None:
    b = bench(flushConsumerOffsetInterval=5_000)
    b.send("T")
    b.ask(15, COMMIT)
    b.advance(5_000)
    b.ask(15, COMMIT | {"commitOffset": 9})
    b.advance(4_999)
    b.restart()
    assert committed(b) == "5"
    b.ask(15, COMMIT | {"commitOffset": 9})
    b.advance(5_000)
    b.restart()
    assert committed(b) == "9"


def test_a_clean_stop_takes_back_nothing_even_without_power(bench: type[Bench]) -> None:
    b = bench()
    b.ask(15, COMMIT)
    b.ask(200, body=b'{"groupName":"G","retryMaxTimes":3}')
    b.restart(clean=True)
    b.restart(power=True)
    assert committed(b) == "5"
    assert b.broker.state.groups.groups["G"].retry_max == 3


def test_a_topic_outlives_a_power_cut_from_its_first_acknowledgement_on(bench: type[Bench]) -> None:
    b = bench()
    assert b.send("T").code == 0
    b.restart(power=True)
    assert b.broker.state.topics.get("T") is not None
    b.settle(215, {"topic": "T"})
    b.restart(power=True)
    assert b.broker.state.topics.get("T") is None


def test_what_an_administrator_set_outlives_a_power_cut(bench: type[Bench]) -> None:
    b = bench()
    b.ask(200, body=b'{"groupName":"G","retryMaxTimes":3}')
    b.restart(power=True)
    assert b.broker.state.groups.groups["G"].retry_max == 3


def test_a_damaged_table_stops_the_start(bench: type[Bench]) -> None:
    b = bench()
    b.disk.replace(CONSUMER_OFFSETS, b"[]", durable=True)
    with pytest.raises(StoreDamagedError, match="consumerOffset"):
        b.restart()


def test_nothing_is_written_when_nothing_changed(bench: type[Bench], monkeypatch: pytest.MonkeyPatch) -> None:
    b = bench()
    b.advance(20_000)
    written: list[str] = []
    monkeypatch.setattr(b.disk, "replace", lambda name, data, durable: written.append(name))
    b.advance(20_000)
    assert written == []
    b.ask(15, COMMIT)
    b.advance(20_000)
    assert written == [CONSUMER_OFFSETS]


def test_a_full_disk_keeps_offsets_for_the_next_time_and_refuses_new_topics(
    bench: type[Bench], monkeypatch: pytest.MonkeyPatch
) -> None:
    b = bench()

    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "no space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(b.disk, "replace", full)
        b.ask(15, COMMIT)
        b.advance(20_000)
        assert b.send("T").code == 1
        assert b.send("T").code == 1, "the topic is there, and still not saved"
        assert b.bodies("T") == []
    b.advance(10_000)
    b.restart()
    assert committed(b) == "5"
    assert b.send("T").code == 0
