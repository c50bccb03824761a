"""Watched processes: lines, ends, pauses, and errors that show the log."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

import pytest

from mqcheck.guard import Guard, process_state, start_time
from mqcheck.targets.processes import WatchedProcess

TALKER = "import sys, time; print('one', flush=True); print('two', flush=True); sys.stderr.write('oops'); {}"


def start(tmp_path: Path, guard: Guard, then: str, lines: list[bytes], ends: list[int]) -> WatchedProcess:
    return WatchedProcess(
        [sys.executable, "-c", TALKER.format(then)],
        log=tmp_path / "logs" / "talker.log",
        guard=guard,
        on_line=lines.append,
        on_end=ends.append,
    )


def test_lines_come_before_the_end_and_stay_in_the_log(tmp_path: Path, guard: Guard) -> None:
    lines: list[bytes] = []
    ends: list[int] = []

    async def go() -> None:
        process = start(tmp_path, guard, "sys.exit(3)", lines, ends)
        assert await process.wait(20)
        assert (process.exit_code, process.ended) == (3, True)
        assert sorted(process.log_tail().replace("oops", "").split()) == ["one", "two"]
        await process.kill()

    asyncio.run(go())
    assert (lines, ends) == ([b"one\n", b"two\n"], [3])


@pytest.mark.slow
def test_a_paused_process_stands_still_and_can_be_killed(tmp_path: Path, guard: Guard) -> None:
    ends: list[int] = []

    async def go() -> int:
        process = start(tmp_path, guard, "time.sleep(60)", [], ends)
        assert not await process.wait(0.05)
        await process.pause()
        assert process_state(process.pid) == "T"
        process.signal(signal.SIGCONT)
        await process.pause()
        await process.kill()
        return process.pid

    assert start_time(asyncio.run(go())) is None
    assert ends == [-signal.SIGKILL]
