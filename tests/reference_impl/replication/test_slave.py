"""The slave's side, against a real master's core: the log stays a prefix of the master's whatever happens to the
connection. Clauses: rep-prefix, rep-offset-same, rep-resume, rep-ha-idle.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_impl.disk import MemoryDisk
from reference_impl.effects import Effect, StreamClose, StreamOpen, StreamSend
from reference_impl.message import decode_record
from reference_impl.replication import Master, Slave
from reference_impl.replication.master import WINDOW_BYTES
from reference_impl.replication.wire import HaFrame, encode_frame, encode_report
from reference_impl.settings import BrokerSettings
from reference_impl.store import Store

FILE_BYTES = 4096
SETTINGS = BrokerSettings(haTransferBatchSize=300, haMasterAddress="m:10912", ha_reconnect_ms=1_000)


def sent(effects: list[Effect]) -> bytes:
    return b"".join(effect.data for effect in effects if isinstance(effect, StreamSend))


def new_slave(store: Store, settings: BrokerSettings = SETTINGS) -> tuple[Slave, int]:
    slave = Slave(store, settings)
    (opened,) = slave.tick(0)
    assert isinstance(opened, StreamOpen)
    return slave, opened.stream


class Pair:
    """A master and a slave, and the connection between them."""

    def __init__(self, master: Store, slave: Store) -> None:
        self.stores = master, slave
        self.master, self.slave = Master(master, SETTINGS), Slave(slave, SETTINGS)
        self.number = 0
        self.now_ms = 0

    def connect(self) -> bytes:
        """Open the connection; what the master sends first."""
        self.now_ms += 1_000
        (opened,) = self.slave.tick(self.now_ms)
        assert isinstance(opened, StreamOpen)
        self.number = opened.stream
        effects, _ = self.slave.stream(self.now_ms, self.number, b"")
        self.master.stream(self.now_ms, -self.number, b"")
        return self.to_master(sent(effects))

    def to_master(self, data: bytes) -> bytes:
        return sent(self.master.stream(self.now_ms, -self.number, data)) if data else b""

    def to_slave(self, data: bytes) -> bytes:
        effects, _ = self.slave.stream(self.now_ms, self.number, data)
        assert not [effect for effect in effects if isinstance(effect, StreamClose)], effects
        return sent(effects)

    def cut(self) -> None:
        self.master.stream(self.now_ms, -self.number, None)
        self.slave.stream(self.now_ms, self.number, None)

    def run(self, data: bytes, sizes: list[int], stop_after: int | None = None) -> None:
        """Carry bytes in pieces until nothing is left, or until so many have reached the slave."""
        carried = turn = 0
        while data:
            size = sizes[turn % len(sizes)]
            if stop_after is not None:
                size = min(size, stop_after - carried)
            piece, data = data[:size], data[size:]
            data += self.to_master(self.to_slave(piece))
            carried, turn = carried + len(piece), turn + 1
            if carried == stop_after:
                return


@given(
    sizes=st.lists(st.integers(1, 700), min_size=1, max_size=5),
    cuts=st.lists(st.integers(1, 9_000), max_size=6),
    counts=st.lists(st.integers(0, 12), min_size=1, max_size=7),
)
def test_a_log_is_copied_across_any_cuts(
    new_store: Any, filled: Any, whole_log: Any, sizes: list[int], cuts: list[int], counts: list[int]
) -> None:
    master, slave = new_store(), new_store()
    pair = Pair(master, slave)
    filled(master, counts[0])
    begin = master.last_file_position
    for cut, count in zip(cuts, counts[1:], strict=False):
        pair.run(pair.connect(), sizes, stop_after=cut)
        pair.cut()
        assert whole_log(master, begin).startswith(whole_log(slave, begin))
        if not slave.appended_position:
            begin = master.last_file_position
        filled(master, count)
        if not slave.appended_position:
            begin = master.last_file_position
    pair.run(pair.connect(), sizes)
    assert whole_log(slave, begin) == whole_log(master, begin)
    assert slave.appended_position in (0, master.appended_position)
    assert pair.master.acked_position in (0, master.appended_position)
    for queue in slave.queues():
        first = slave.min_offset(*queue)
        assert slave.read(*queue, first, 99, 1 << 20).records == master.read(*queue, first, 99, 1 << 20).records


def test_a_copy_survives_a_kill_and_goes_on(new_store: Any, filled: Any, whole_log: Any) -> None:
    disk = MemoryDisk()
    master, slave = new_store(), new_store(disk)
    filled(master, 30)
    pair = Pair(master, slave)
    pair.run(pair.connect(), [97], stop_after=2_000)
    disk.crash(power=False, rng=None)  # type: ignore[arg-type]
    again = new_store(disk)
    assert again.appended_position == slave.appended_position
    begin = master.last_file_position
    pair = Pair(master, again)
    pair.run(pair.connect(), [1_000])
    assert whole_log(again, begin) == whole_log(master, begin)


def test_a_report_follows_each_append(new_store: Any, filled: Any) -> None:
    master, store = new_store(), new_store()
    filled(master, 2)
    slave, number = new_slave(store)
    effects, _ = slave.stream(0, number, b"")
    assert sent(effects) == encode_report(0)
    data = master.read_log(0, 1_000)
    first = decode_record(data).size
    effects, records = slave.stream(1, number, encode_frame(HaFrame(0, data[: first + 10])))
    assert sent(effects) == encode_report(first + 10)
    assert store.appended_position == first
    assert [record.topic for record in records] == ["T"]
    effects, records = slave.stream(2, number, encode_frame(HaFrame(first + 10, b"")))
    assert effects == records == []
    effects, records = slave.stream(3, number, encode_frame(HaFrame(first + 10, data[first + 10 :])))
    assert sent(effects) == encode_report(len(data))


@pytest.mark.parametrize(
    ("frame", "told"),
    [
        (HaFrame(1, b"x" * 9), "this log ends at"),
        (HaFrame(0, b"x" * 9), "no record at"),
        (HaFrame(0, bytes(9)), "no record at"),
        (HaFrame(0, (1 << 30).to_bytes(4, "big") + bytes.fromhex("DAA320A7")), "no record at"),
    ],
)
def test_what_is_no_continuation_closes_the_connection(new_store: Any, filled: Any, frame: HaFrame, told: str) -> None:
    store = new_store()
    filled(store, 1)
    end = store.appended_position
    slave, number = new_slave(store)
    slave.stream(0, number, b"")
    begin = frame.position + (end if frame.position == 0 else 0)
    effects, records = slave.stream(5, number, encode_frame(HaFrame(begin, frame.body)))
    (closed,) = effects
    assert isinstance(closed, StreamClose)
    assert told in closed.reason
    assert not records
    assert store.appended_position == end
    assert slave.stream(6, number, b"more") == ([], [])
    assert slave.next_deadline_ms() == 1_000


def test_another_file_size_is_told(new_store: Any, filled: Any) -> None:
    master, store = new_store(), new_store(file_bytes=8192)
    filled(master, 30)
    slave, number = new_slave(store)
    slave.stream(0, number, b"")
    data = b""
    while piece := master.read_log(len(data), 4_096):
        effects, _ = slave.stream(1, number, encode_frame(HaFrame(len(data), piece)))
        data += piece
        if closed := [effect for effect in effects if isinstance(effect, StreamClose)]:
            break
    assert "mappedFileSizeCommitLog" in closed[0].reason


def test_a_lost_connection_is_made_anew_at_once_but_not_again_and_again(new_store: Any) -> None:
    slave, number = new_slave(new_store())
    slave.stream(0, number, b"")
    (opened,), _ = slave.stream(5_000, number, None)
    assert isinstance(opened, StreamOpen)
    assert opened.stream != number
    assert slave.stream(5_001, opened.stream, None) == ([], [])
    assert slave.next_deadline_ms() == 6_000
    assert slave.tick(5_999) == []
    (opened,) = slave.tick(6_000)
    assert isinstance(opened, StreamOpen)


def test_silence_is_filled_and_ends_the_connection(new_store: Any) -> None:
    settings = BrokerSettings(haSendHeartbeatInterval=5, haHousekeepingInterval=20, haMasterAddress="m:1")
    slave, number = new_slave(new_store(), settings)
    assert slave.next_deadline_ms() is None
    slave.stream(0, number, b"")
    assert slave.connected
    assert slave.next_deadline_ms() == 5
    assert sent(slave.tick(5)) == encode_report(0)
    slave.stream(10, number, encode_frame(HaFrame(0, b"")))
    slave.tick(29)
    (closed,) = slave.tick(30)
    assert isinstance(closed, StreamClose)
    assert "nothing for 20 ms" in closed.reason
    assert not slave.connected


def test_the_master_may_move(new_store: Any) -> None:
    slave = Slave(new_store(), BrokerSettings())
    assert slave.tick(0) == []
    (opened,) = slave.follow(1, "a:1")
    assert isinstance(opened, StreamOpen)
    assert slave.follow(2, "a:1") == []
    closed, moved = slave.follow(3, "b:1")
    assert isinstance(closed, StreamClose)
    assert closed.stream == opened.stream
    assert isinstance(moved, StreamOpen)
    assert moved.address == "b:1"
    assert slave.stream(4, opened.stream, None) == ([], [])


def test_a_record_longer_than_what_may_be_on_its_way_arrives(new_store: Any, filled: Any) -> None:
    master, slave = new_store(file_bytes=64 << 20), new_store(file_bytes=64 << 20)
    filled(master, 1, 2 * WINDOW_BYTES)
    filled(master, 1)
    pair = Pair(master, slave)
    pair.run(pair.connect(), [1 << 16])
    assert slave.appended_position == master.appended_position == pair.master.acked_position


def test_a_wrong_record_is_not_acknowledged_with_the_good_ones_before_it(new_store: Any, filled: Any) -> None:
    master, store = new_store(), new_store()
    filled(master, 2)
    slave, number = new_slave(store)
    slave.stream(0, number, b"")
    data = bytearray(master.read_log(0, 4_096))
    data[-60] ^= 1
    (closed,), (record,) = slave.stream(1, number, encode_frame(HaFrame(0, bytes(data))))
    assert isinstance(closed, StreamClose)
    assert store.appended_position == record.size
