"""Watched processes: lines, ends, pauses, and errors that show the log."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from mqcheck.guard import Guard, group_states, process_state, start_time
from mqcheck.targets.processes import WatchedProcess, executed

TALKER = "import sys, time; print('one', flush=True); print('two', flush=True); sys.stderr.write('oops'); {}"


def start(tmp_path: Path, guard: Guard, then: str, lines: list[bytes], ends: list[int]) -> WatchedProcess:
    return WatchedProcess(
        executed([sys.executable, "-c", TALKER.format(then)], guard),
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


@pytest.mark.slow
def test_it_lives_as_long_as_anything_in_its_group(tmp_path: Path, guard: Guard) -> None:
    """The leader ends at once; what it left behind can still be paused, and its end is the end."""
    ends: list[int] = []

    async def go() -> None:
        process = WatchedProcess(
            executed(["sh", "-c", "sleep 60 >/dev/null 2>&1 & exit 5"], guard),
            log=tmp_path / "group.log",
            guard=guard,
            on_line=lambda line: None,
            on_end=ends.append,
        )
        while process_state(process.pid) is not None:
            await asyncio.sleep(0.005)
        assert not process.ended
        await process.pause()
        assert group_states(process.pid) == ["T"]
        await process.kill()
        assert group_states(process.pid) == []

    asyncio.run(go())
    assert ends == [5]


def test_a_program_that_is_not_there_is_told_and_its_environment_is_its_own(tmp_path: Path, guard: Guard) -> None:
    async def go() -> list[bytes]:
        lines: list[bytes] = []
        more: dict[str, Any] = {"log": tmp_path / "env.log", "guard": guard, "on_end": lambda code: None}
        with pytest.raises(FileNotFoundError):
            WatchedProcess(executed(["no-such-program"], guard), on_line=lines.append, **more)
        told = {"TOLD": "this"}
        start = executed(["sh", "-c", "echo $TOLD"], guard, environment=told)
        process = WatchedProcess(start, on_line=lines.append, **more)
        assert await process.wait(20)
        return lines

    assert asyncio.run(go()) == [b"this\n"]
