"""Planted bugs around disks: each breaks its promise, and only with it."""

from __future__ import annotations

from typing import Any

import pytest

from reference_impl.disk import FaultyDisk
from reference_impl.errors import StoreDamagedError
from reference_impl.sabotage import SABOTAGES

Bench = Any


def planted(name: str, on: bool) -> list[Any]:
    return [SABOTAGES[name]] if on else []


class Failing:
    """Puts a disk that can fail under a bench, below the bug's own wrapper; no bug itself."""

    def __init__(self) -> None:
        self.disk: Any = None

    def wrap_disk(self, disk: Any, sleep: Any) -> Any:
        self.disk = FaultyDisk(disk, sleep)
        return self.disk

    def wrap_store(self, store: Any) -> Any:
        return store

    def wrap_core(self, core: Any, settings: Any) -> Any:
        return core


@pytest.mark.parametrize("bug", [False, True])
def test_ack_failed_write(bench: type[Bench], bug: bool) -> None:
    failing = Failing()
    broker = bench(flushDiskType="SYNC_FLUSH", planted=[failing, *planted("ack-failed-write", bug)])
    first = broker.begin(310, broker.send_fields("T"), b"first")
    broker.flush()
    assert broker.answer(first).code == 0
    failing.disk.set(write_error=True)
    second = broker.begin(310, broker.send_fields("T"), b"second")
    broker.flush()
    assert broker.answer(second).code == (0 if bug else 1)
    broker.restart(power=True)
    assert broker.bodies("T") == [b"first"]


@pytest.mark.parametrize("bug", [False, True])
@pytest.mark.parametrize("rest", [b"\x00", b"\x00\x00\x00\x40 and what is no record"])
def test_refuse_bad_tail(bench: type[Bench], bug: bool, rest: bytes) -> None:
    broker = bench(planted=planted("refuse-bad-tail", bug))
    broker.send("T", b"first")
    broker.restart(clean=True)
    assert broker.bodies("T") == [b"first"]
    (name,) = broker.disk.list("commitlog/")
    broker.disk.replace(name, broker.disk.read_file(name) + rest, durable=True)
    if bug:
        with pytest.raises(StoreDamagedError):
            broker.restart()
    else:
        broker.restart()
        assert broker.bodies("T") == [b"first"]


@pytest.mark.parametrize("bug", [False, True])
def test_number_anew(bench: type[Bench], bug: bool) -> None:
    broker = bench(planted=planted("number-anew", bug))
    broker.send("T", b"old")
    broker.restart()
    broker.send("T", b"new")
    offsets = [(record.body, record.queue_offset) for record in broker.records("T")]
    assert offsets == [(b"old", 1 if bug else 0), (b"new", 1)]


@pytest.mark.parametrize("bug", [False, True])
def test_take_when_full(bench: type[Bench], bug: bool) -> None:
    failing = Failing()
    broker = bench(planted=[failing, *planted("take-when-full", bug)])
    assert broker.send("T").code == 0
    failing.disk.set(used_percent=97)
    broker.advance(broker.settings.cleanResourceInterval)
    assert broker.send("T").code == (0 if bug else 14)
    assert broker.pull("T").code == 0


@pytest.mark.parametrize("bug", [False, True])
def test_remove_early(bench: type[Bench], bug: bool) -> None:
    broker = bench(mappedFileSizeCommitLog=1024, planted=planted("remove-early", bug))
    for _ in range(4):
        broker.send("T", bytes(600))
    broker.flush()
    broker.advance(broker.settings.cleanResourceInterval)
    assert broker.store.min_offset("T", 0) == (3 if bug else 0)


@pytest.mark.parametrize("bug", [False, True])
def test_store_busy(bench: type[Bench], bug: bool) -> None:
    broker = bench(planted=planted("store-busy", bug))
    broker.send("T", b"first")
    broker.core.arrived(broker.now_ms, 2)
    broker.now_ms += broker.settings.waitTimeMillsInSendQueue
    assert broker.send("T", b"second").code == 2
    assert broker.send("T", b"third").code == 2, "what waits behind it has waited as long"
    assert broker.send("T", b"fourth").code == 0
    refused = [b"second", b"third"] if bug else []
    assert broker.bodies("T") == [b"first", *refused, b"fourth"]


@pytest.mark.parametrize("bug", [False, True])
def test_mute_when_busy(bench: type[Bench], bug: bool) -> None:
    broker = bench(planted=planted("mute-when-busy", bug))
    broker.core.arrived(broker.now_ms, 1)
    broker.now_ms += broker.settings.waitTimeMillsInSendQueue
    answer = broker.answer(broker.begin(310, broker.send_fields("T"), b"late"))
    assert (answer and answer.code) == (None if bug else 2)
    assert broker.send("T", b"in time").code == 0
    assert broker.bodies("T") == [b"in time"]
