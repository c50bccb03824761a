"""Toxiproxy that stands still is a stall in the history; a late loop of the kit's own is not told a second time."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mqcheck.clock import RealClock
from mqcheck.history.recorder import Recorder
from mqcheck.links.pulse import LATE_MS, PERIOD_MS, LateTimes, Pulses
from mqcheck.links.toxiproxy import ToxiproxyServer

MS = 1_000_000


def running_until(times: LateTimes, began_ms: int, ended_ms: int) -> None:
    for at in range(began_ms, ended_ms, PERIOD_MS):
        times.look(at * MS)


def echo(times: LateTimes, sent_ms: int, now_ms: int) -> list[tuple[int, int]]:
    return [(began // MS, ended // MS) for began, ended in times.echo(sent_ms * MS, now_ms * MS)]


def test_a_quick_echo_is_no_stall() -> None:
    times = LateTimes(0)
    assert echo(times, 10, 10 + LATE_MS) == []


def test_a_late_echo_is_one() -> None:
    times = LateTimes(0)
    running_until(times, 0, 1_000)
    assert echo(times, 100, 1_000) == [(100, 1_000)]


def test_the_loop_s_own_stall_is_not_the_lane_s() -> None:
    times = LateTimes(0)
    times.look(0)
    assert echo(times, 0, 900) == []
    times.look(900 * MS)
    running_until(times, 1_000, 1_500)
    assert echo(times, 50, 1_500) == [(50, 100), (900, 1_500)]


def test_nothing_is_told_twice() -> None:
    times = LateTimes(0)
    running_until(times, 0, 1_500)
    assert echo(times, 100, 1_200) == [(100, 1_200)]
    assert echo(times, 300, 1_500) == [(1_200, 1_500)]
    assert echo(times, 1_100, 1_250) == []


def test_short_pieces_beside_a_late_loop_are_no_stall() -> None:
    times = LateTimes(0)
    times.look(0)
    times.look(800 * MS)
    assert echo(times, 40, 830) == []


@pytest.fixture
def recorder(tmp_path: Path) -> Iterator[Recorder]:
    recorder = Recorder(tmp_path, run="r", process="kit", number=0, clock=RealClock())
    yield recorder
    recorder.close()


def stalls(recorder: Recorder) -> list[dict[str, Any]]:
    lines = map(json.loads, recorder.path.read_text().splitlines())
    return [line for line in lines if line["e"] == "stalls"]


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.02)


def beating(lane: ToxiproxyServer) -> bool:
    return lane.accepted("pulse-0") + lane.accepted("pulse-1") > 0


@pytest.mark.e2e
def test_a_lane_that_stood_still_is_told(recorder: Recorder) -> None:
    server = ToxiproxyServer.start()

    async def run() -> None:
        pulses = Pulses(server, RealClock())
        other = server.lane(1)
        pulses.tell(recorder)
        await until(lambda: beating(server) and beating(other))
        await asyncio.sleep(2 * PERIOD_MS / 1000)
        os.kill(other.pid, signal.SIGSTOP)
        await asyncio.sleep(6 * PERIOD_MS / 1000)
        os.kill(other.pid, signal.SIGCONT)
        await until(lambda: [row for row in stalls(recorder) if row["part"] == "toxiproxy 2"])
        await pulses.leave(recorder)
        assert server._call("get", "/proxies").json() == other._call("get", "/proxies").json() == {}

    try:
        asyncio.run(run())
    finally:
        server.stop()
    longest = max(row["ended"] - row["began"] for row in stalls(recorder) if row["part"] == "toxiproxy 2")
    assert longest >= 3 * PERIOD_MS * MS


@pytest.mark.e2e
@pytest.mark.parametrize("how", ["the end of the scenario", "the end of the lane"])
def test_a_lane_that_never_comes_back_is_told(recorder: Recorder, how: str) -> None:
    server = ToxiproxyServer.start()

    async def run() -> None:
        pulses = Pulses(server, RealClock())
        pulses.tell(recorder)
        await until(lambda: beating(server))
        await asyncio.sleep(2 * PERIOD_MS / 1000)
        os.kill(server.pid, signal.SIGSTOP)
        await asyncio.sleep(6 * PERIOD_MS / 1000)
        if how == "the end of the lane":
            os.kill(server.pid, signal.SIGKILL)
            await until(lambda: [row for row in stalls(recorder) if row["part"] == "toxiproxy 1"])
        else:
            leaving = asyncio.create_task(pulses.leave(recorder))
            await until(lambda: [row for row in stalls(recorder) if row["part"] == "toxiproxy 1"])
            os.kill(server.pid, signal.SIGCONT)
            await leaving
        await pulses.leave(recorder)

    try:
        asyncio.run(run())
    finally:
        server.stop()
    longest = max(row["ended"] - row["began"] for row in stalls(recorder))
    assert longest >= 3 * PERIOD_MS * MS


@pytest.mark.e2e
def test_a_loop_that_stood_still_is_not(recorder: Recorder) -> None:
    server = ToxiproxyServer.start()

    async def run() -> None:
        pulses = Pulses(server, RealClock())
        pulses.tell(recorder)
        await until(lambda: beating(server))
        before = len(stalls(recorder))
        blocked: list[int] = []
        for _ in range(5):
            began = time.monotonic_ns()
            threading.Event().wait(0.4)
            blocked += [began, time.monotonic_ns()]
            await asyncio.sleep(3 * PERIOD_MS / 1000)
        told = stalls(recorder)[before:]
        inside = [
            row
            for row in told
            if any(a <= row["began"] and row["ended"] <= b for a, b in zip(blocked[::2], blocked[1::2], strict=True))
        ]
        assert inside == []
        await pulses.leave(recorder)

    try:
        asyncio.run(run())
    finally:
        server.stop()
