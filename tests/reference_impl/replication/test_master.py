"""The master's side: where a slave begins, what it is sent, and which reports count. Clauses: rep-sync-ack, rep-resume,
rep-ha-idle.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_impl.effects import Effect, StreamClose, StreamSend
from reference_impl.replication import Master
from reference_impl.replication.master import SLAVES_MAX, WINDOW_BYTES
from reference_impl.replication.wire import HaFrame, HaFrameReader, encode_report
from reference_impl.settings import BrokerSettings

SETTINGS = BrokerSettings(haTransferBatchSize=256, haSlaveFallbehindMax=2_000)


def frames(effects: list[Effect]) -> list[HaFrame]:
    reader = HaFrameReader()
    return [frame for effect in effects if isinstance(effect, StreamSend) for frame in reader.feed(effect.data)]


def reasons(effects: list[Effect]) -> list[str]:
    return [effect.reason for effect in effects if isinstance(effect, StreamClose)]


def begun(master: Master, position: int, number: int = 1) -> list[Effect]:
    master.stream(0, number, b"")
    return master.stream(0, number, encode_report(position))


def test_a_new_slave_begins_with_the_last_file_and_one_that_comes_back_where_it_was(
    new_store: Any, filled: Any, whole_log: Any
) -> None:
    store = new_store()
    filled(store, 40)
    assert store.last_file_position > 0
    for report, begin in (
        (0, store.last_file_position),
        (777, 777),
        (store.appended_position, store.appended_position),
    ):
        sent = frames(begun(Master(store, SETTINGS), report))
        assert b"".join(frame.body for frame in sent) == whole_log(store, begin)
        assert all(0 < len(frame.body) <= 256 for frame in sent)
        position = begin
        for frame in sent:
            assert frame.position == position
            position += len(frame.body)


def test_no_frame_crosses_the_end_of_a_file(new_store: Any, filled: Any) -> None:
    store = new_store()
    filled(store, 40)
    for frame in frames(begun(Master(store, SETTINGS), 1)):
        assert frame.position // 4096 == (frame.position + len(frame.body) - 1) // 4096


def test_what_is_appended_later_is_sent_at_once(new_store: Any, filled: Any) -> None:
    store = new_store()
    master = Master(store, SETTINGS)
    assert begun(master, 0) == []
    filled(store, 1)
    (frame,) = frames(master.appended(5))
    assert frame == HaFrame(0, store.read_log(0, 1000))
    assert master.appended(6) == []


def test_only_a_report_of_what_was_sent_since_acknowledges(new_store: Any, filled: Any) -> None:
    store = new_store()
    filled(store, 2)
    master = Master(store, SETTINGS)
    end = store.appended_position
    begun(master, end)
    assert master.acked_position == 0
    filled(store, 1)
    master.appended(1)
    master.stream(1, 1, encode_report(end))
    assert master.acked_position == 0
    master.stream(1, 1, encode_report(store.appended_position))
    assert master.acked_position == store.appended_position


@given(data=st.binary(min_size=1, max_size=64))
def test_garbage_acknowledges_nothing(data: bytes) -> None:
    class Log:
        appended_position = 1_000_000
        last_file_position = 0

        def read_log(self, position: int, size: int) -> bytes:
            return bytes(min(size, self.appended_position - position))

    master = Master(Log(), BrokerSettings())
    master.stream(0, 1, b"")
    effects = master.stream(0, 1, data)
    assert reasons(effects) or not master.slaves or 0 <= master.slaves[0][1] <= Log.appended_position
    positions = [int.from_bytes(data[at : at + 8], "big", signed=True) for at in range(0, len(data) - 7, 8)]
    assert master.acked_position == 0 or master.acked_position in positions[1:]


@pytest.mark.parametrize(("report", "told"), [(10_000, "follows another log"), (-1, "follows another log")])
def test_a_slave_of_another_log_is_not_served(new_store: Any, report: int, told: str) -> None:
    (reason,) = reasons(begun(Master(new_store(), SETTINGS), report))
    assert told in reason


def test_a_report_beyond_what_was_sent_ends_the_connection(new_store: Any, filled: Any) -> None:
    store = new_store()
    filled(store, 1)
    master = Master(store, SETTINGS)
    begun(master, 0)
    (reason,) = reasons(master.stream(0, 1, encode_report(store.appended_position + 1)))
    assert "no more than" in reason
    assert master.acked_position == 0
    assert not master.usable(0)


def test_a_slave_is_usable_while_it_is_near(new_store: Any, filled: Any) -> None:
    store = new_store()
    master = Master(store, SETTINGS)
    assert not master.usable(0)
    master.stream(0, 1, b"")
    assert not master.usable(0), "it has not said where it is"
    master.stream(0, 1, encode_report(0))
    assert master.usable(1_999)
    assert not master.usable(2_000)
    master.stream(0, 1, None)
    assert not master.usable(0)


def test_silence_is_filled_and_ends_a_connection(new_store: Any) -> None:
    master = Master(new_store(), BrokerSettings(haSendHeartbeatInterval=5, haHousekeepingInterval=20))
    begun(master, 0)
    assert master.next_deadline_ms() == 5
    assert master.tick(4) == []
    assert frames(master.tick(5)) == [HaFrame(0, b"")]
    master.stream(15, 1, encode_report(0))
    assert frames(master.tick(15)) == [HaFrame(0, b"")]
    master.tick(34)
    (reason,) = reasons(master.tick(35))
    assert "nothing for 20 ms" in reason
    assert master.next_deadline_ms() is None
    assert master.stream(36, 1, encode_report(0)) == []


def test_what_is_on_its_way_is_limited(new_store: Any, filled: Any) -> None:
    store = new_store(file_bytes=64 << 20)
    filled(store, 12, 1 << 19)
    master = Master(store, BrokerSettings())
    sent = frames(begun(master, 0))
    assert WINDOW_BYTES <= sum(len(frame.body) for frame in sent) <= WINDOW_BYTES + 32_768
    more = frames(master.stream(1, 1, encode_report(sent[-1].position)))
    assert more[0].position == sent[-1].position + len(sent[-1].body)


def test_connections_are_limited(new_store: Any) -> None:
    master = Master(new_store(), SETTINGS)
    for number in range(1, SLAVES_MAX + 1):
        assert begun(master, 0, number) == []
    assert reasons(master.stream(0, SLAVES_MAX + 1, b""))


def test_what_is_no_longer_there_is_told(new_store: Any, filled: Any) -> None:
    store = new_store()
    filled(store, 1)
    store.empty()
    filled(store, 1)
    (reason,) = reasons(begun(Master(store, SETTINGS), 5))
    assert "no longer there" in reason
