"""Retention by age, by hour and by a full disk. Clauses: sto-retention, sto-diskfull, sto-min-offset."""

from __future__ import annotations

from typing import Any

import pytest

from reference_impl.disk.base import Space

Bench = Any
HOUR_MS = 3_600_000
FILE_BYTES = 2000


def jump(b: Bench, ms: int) -> None:
    """Let time pass at once: every job runs once."""
    b.now_ms += ms
    b.carry(b.core.tick(b.now_ms))


def filled(bench: type[Bench], count: int = 60, **settings: Any) -> Bench:
    """A broker at midnight whose log has several files."""
    b = bench(mappedFileSizeCommitLog=FILE_BYTES, **settings)
    jump(b, -b.now_ms % (24 * HOUR_MS))
    for number in range(count):
        b.send("T", b"m%d" % number, properties={"KEYS": f"k{number}"})
    b.flush()
    return b


def use(b: Bench, monkeypatch: pytest.MonkeyPatch, percent: int, free: int = 1000) -> None:
    """Let the disk say how full it is."""
    total = free * 100 // (100 - percent)
    monkeypatch.setattr(type(b.disk), "space", lambda self: Space(total, total - free, free))


def min_offset(b: Bench) -> int:
    return int(b.ask(31, {"topic": "T", "queueId": 0}).fields["offset"])


def test_old_files_go_at_their_hour_and_not_before(bench: type[Bench]) -> None:
    b = filled(bench)
    jump(b, 75 * HOUR_MS)
    assert min_offset(b) == 0, "older than 72 h, but it is three o'clock"
    files = len(b.disk.list("commitlog/"))
    jump(b, HOUR_MS + 20_000)
    assert min_offset(b) > 0
    assert len(b.disk.list("commitlog/")) == 1 < files, "the file that is written to stays"
    answer = b.pull("T")
    assert (answer.code, answer.fields["nextBeginOffset"]) == (21, str(min_offset(b)))
    assert b.bodies("T")[-1] == b"m59"
    assert b.ask(12, {"topic": "T", "key": "k0", "maxNum": 1, "beginTimestamp": 0, "endTimestamp": 1 << 62}).code == 22
    before = min_offset(b)
    b.restart()
    assert min_offset(b) == before


def test_nothing_goes_before_the_first_look(bench: type[Bench]) -> None:
    hours = ";".join(f"{hour:02}" for hour in range(24))
    b = bench(mappedFileSizeCommitLog=FILE_BYTES, fileReservedTime=0, deleteWhen=hours, first_clean_ms=60_000)
    for _ in range(60):
        b.send("T", bytes(100))
    b.flush()
    jump(b, 59_000)
    assert min_offset(b) == 0
    jump(b, 10_000)
    assert min_offset(b) > 0


def test_young_files_stay(bench: type[Bench]) -> None:
    b = filled(bench)
    jump(b, 28 * HOUR_MS)
    assert min_offset(b) == 0, "four o'clock, 28 h old"
    jump(b, 43 * HOUR_MS)
    assert b.ask(329).code == 0
    assert min_offset(b) == 0


def test_an_administrator_need_not_wait_for_the_hour(bench: type[Bench]) -> None:
    b = filled(bench)
    jump(b, 73 * HOUR_MS)
    assert min_offset(b) == 0
    b.ask(329)
    assert min_offset(b) > 0


def test_a_fuller_disk_takes_old_files_at_any_hour(bench: type[Bench], monkeypatch: pytest.MonkeyPatch) -> None:
    b = filled(bench)
    use(b, monkeypatch, 80)
    b.advance(60_000)
    assert min_offset(b) == 0, "not old"
    jump(b, 73 * HOUR_MS)
    assert min_offset(b) > 0


def test_a_nearly_full_disk_takes_young_ones_too(bench: type[Bench], monkeypatch: pytest.MonkeyPatch) -> None:
    b = filled(bench)
    use(b, monkeypatch, 86)
    b.advance(10_000)
    assert min_offset(b) > 0
    assert b.send("T").code == 0


def test_a_full_disk_refuses_sends_and_serves_reads(bench: type[Bench], monkeypatch: pytest.MonkeyPatch) -> None:
    b = filled(bench, cleanFileForciblyEnable=False)
    use(b, monkeypatch, 95)
    b.advance(10_000)
    answer = b.send("T", b"no")
    assert answer.code == 14
    assert "disk is full" in answer.remark
    assert b.pull("T").code == 0
    use(b, monkeypatch, 50)
    b.advance(10_000)
    assert b.send("T", b"yes").code == 0
    assert b.bodies("T")[-2:] == [b"m59", b"yes"]


def test_with_enough_room_no_ratio_is_full(bench: type[Bench], monkeypatch: pytest.MonkeyPatch) -> None:
    b = filled(bench)
    use(b, monkeypatch, 99, free=200 << 20)
    b.advance(10_000)
    assert b.send("T").code == 0
    assert min_offset(b) == 0


def test_at_most_ten_files_go_at_once(bench: type[Bench], monkeypatch: pytest.MonkeyPatch) -> None:
    b = filled(bench, 200)
    files = len(b.disk.list("commitlog/"))
    assert files > 12
    use(b, monkeypatch, 88)
    b.advance(10_000)
    assert len(b.disk.list("commitlog/")) == files - 10


def test_messages_that_still_wait_come_in_time(bench: type[Bench], monkeypatch: pytest.MonkeyPatch) -> None:
    b = bench(mappedFileSizeCommitLog=FILE_BYTES)
    b.send("D", b"lost", properties={"DELAY": "4"})
    for _ in range(40):
        b.send("T", b"x" * 50)
    b.send("D", b"kept", properties={"DELAY": "4"})
    b.flush()
    use(b, monkeypatch, 88)
    b.advance(30_200)
    assert b.bodies("D") == [b"kept"], "what waited in a removed file is gone, the rest is not held up by it"
