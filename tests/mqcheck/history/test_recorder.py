"""mqcheck.history.recorder: lines, their order and ids; stalls."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import pytest

from mqcheck.errors import StreamError
from mqcheck.history import recorder as module
from mqcheck.history.recorder import PROCESS_NUMBER_MAX, Recorder, StallWatch


class TickingClock:
    """Each reading is one later than the last."""

    def __init__(self) -> None:
        self.now = 0

    def monotonic_ns(self) -> int:
        self.now += 1
        return self.now

    def wall_ms(self) -> int:
        return 1_700_000_000_000


def open_recorder(folder: Path, **kwargs: Any) -> Recorder:
    return Recorder(folder, **{"run": "r1", "process": "kit", "number": 3, "clock": TickingClock(), **kwargs})


def lines(recorder: Recorder) -> list[dict[str, Any]]:
    return [json.loads(line) for line in recorder.path.read_bytes().splitlines()]


def test_header_and_orderly_end(tmp_path: Path) -> None:
    recorder = open_recorder(tmp_path / "events", life=2)
    recorder.point("config", node="*", key="a", setting="1")
    recorder.close()
    recorder.close()
    assert recorder.closed
    assert recorder.path.name == "kit.2.jsonl"
    head, _, last = lines(recorder)
    assert next(iter(head)) == "e"
    assert head == {
        "e": "streams",
        "t": 1,
        "format": 1,
        "run": "r1",
        "process": "kit",
        "number": 3,
        "life": 2,
        "pid": os.getpid(),
        "boot": module.boot_id(),
        "wall_ns": 1_700_000_000_000_000_000,
    }
    assert last == {"e": "streams", "w": "e", "t": 3, "lines": 3}


def test_operation_and_point(tmp_path: Path) -> None:
    recorder = open_recorder(tmp_path)
    op = recorder.begin("sends", topic="T", tag=None, delay_level=0)
    assert lines(recorder)[-1] == {"e": "sends", "w": "b", "t": 2, "op": op, "topic": "T", "delay_level": 0}
    recorder.end("sends", op, outcome="ok", code=None)
    assert lines(recorder)[-1] == {"e": "sends", "w": "e", "t": 3, "op": op, "outcome": "ok"}
    point = recorder.point("members", kind="closed")
    assert lines(recorder)[-1] == {"e": "members", "t": 4, "op": point, "kind": "closed"}
    assert list(lines(recorder)[-2])[:2] == ["e", "w"]
    own = recorder.new_id()
    assert recorder.begin("connections", own, conn=own) == own
    assert recorder.point("checks", own) == own


def test_a_listener_gets_every_row_after_it_is_written(tmp_path: Path) -> None:
    seen: list[tuple[dict[str, Any], int]] = []
    recorder = open_recorder(tmp_path, on_row=lambda row: seen.append((dict(row), len(lines(recorder)))))
    recorder.end("sends", recorder.begin("sends", topic="T", tag=None), outcome="ok")
    recorder.point("config", key="k")
    recorder.close()
    assert [row for row, _ in seen] == lines(recorder)[1:-1]
    assert [count for _, count in seen] == [2, 3, 4]


def test_ids_are_the_process_number_and_a_counter(tmp_path: Path) -> None:
    recorder = open_recorder(tmp_path)
    assert [recorder.new_id(), recorder.point("stalls"), recorder.begin("sends")] == [3 * 2**40 + n for n in (1, 2, 3)]
    top = open_recorder(tmp_path, process="top", number=PROCESS_NUMBER_MAX)
    assert top.new_id() < 2**53


@pytest.mark.parametrize("number", [-1, PROCESS_NUMBER_MAX + 1])
def test_process_numbers_have_a_range(tmp_path: Path, number: int) -> None:
    with pytest.raises(StreamError, match=str(number)):
        open_recorder(tmp_path, number=number)


def test_a_life_is_written_once(tmp_path: Path) -> None:
    open_recorder(tmp_path)
    with pytest.raises(StreamError, match="new life"):
        open_recorder(tmp_path)


def test_a_line_is_in_the_file_when_the_call_returns(tmp_path: Path) -> None:
    recorder = open_recorder(tmp_path)
    for expected in range(2, 20):
        recorder.point("stalls")
        assert recorder.path.read_bytes().count(b"\n") == expected


def test_short_writes_are_completed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = open_recorder(tmp_path)
    real = os.write
    monkeypatch.setattr(module.os, "write", lambda fd, data: real(fd, data[:7]))
    op = recorder.begin("sends", topic="a topic of some length")
    monkeypatch.undo()
    assert lines(recorder)[-1]["op"] == op


def test_writing_after_the_end_is_an_error(tmp_path: Path) -> None:
    recorder = open_recorder(tmp_path)
    recorder.close()
    with pytest.raises(StreamError, match="cannot append"):
        recorder.point("stalls")


def test_boot_id_is_this_boots(monkeypatch: pytest.MonkeyPatch) -> None:
    assert module.boot_id() == module.boot_id()

    def refuse(*_: Any, **__: Any) -> str:
        raise FileNotFoundError

    monkeypatch.setattr(module.Path, "read_text", refuse)
    assert module.boot_id() == ""


class SetClock(TickingClock):
    """Stands still until told."""

    def monotonic_ns(self) -> int:
        return self.now


def test_stalls_are_recorded_with_both_ends(tmp_path: Path) -> None:
    clock = SetClock()
    recorder = open_recorder(tmp_path, clock=clock)

    async def run() -> None:
        loop = asyncio.get_running_loop()
        watch = StallWatch(recorder, loop)
        watch.start()
        clock.now += 500_000_000
        await asyncio.sleep(0.05)
        clock.now += 30_000_000
        await asyncio.sleep(0.05)
        clock.now += 50_000_000
        watch.stop()
        watch.stop()

    asyncio.run(run())
    stalls = [(row["began"], row["ended"]) for row in lines(recorder) if row["e"] == "stalls"]
    assert stalls == [(20_000_000, 500_000_000), (550_000_000, 580_000_000)]
    assert all("w" not in row for row in lines(recorder)[1:])


def test_a_stall_after_the_end_of_the_stream_is_left_out(tmp_path: Path) -> None:
    clock = SetClock()
    recorder = open_recorder(tmp_path, clock=clock)

    async def run() -> None:
        watch = StallWatch(recorder, asyncio.get_running_loop())
        watch.start()
        recorder.close()
        clock.now += 500_000_000
        watch.stop()

    asyncio.run(run())
    assert [row["e"] for row in lines(recorder)] == ["streams", "streams"]
