"""Real containers: their lives, their faults, and that nothing of them is left."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from mqcheck.containers import labelled, sweep
from mqcheck.guard import Guard, start_time
from mqcheck.targets.container_life import REFUSED, ContainerProcess, ContainerSpec, Daemon, connect

pytestmark = [pytest.mark.docker, pytest.mark.slow, pytest.mark.timeout(180)]

COUNTS = "trap 'exit 7' TERM; echo up; n=0; while :; do n=$((n+1)); echo $n > count; sleep 0.02; done"
"""Writes how far it has come into its folder; ends with status 7 when it is asked to."""

RUNNER = """
import asyncio, os, sys
from pathlib import Path
from mqcheck.guard import Guard
from mqcheck.targets.container_life import ContainerProcess, ContainerSpec, connect
folder = Path(sys.argv[1])
async def main():
    guard = Guard()
    for name in ("one", "two"):
        spec = ContainerSpec(f"mqcheck-test-{guard.mark}-{name}", sys.argv[2], ["sleep", "600"], {}, [folder])
        life = ContainerProcess(
            connect(os.environ), spec, log=folder / f"{name}.log", guard=guard, on_end=lambda code: None
        )
        while life.pid is None:
            await asyncio.sleep(0.01)
        print(guard.mark, life.pid, flush=True)
        if name == "one":
            await life.pause()
    guard.container("mqcheck-test-never-made", connect(os.environ).socket)
    print("standing", flush=True)
    await asyncio.sleep(600)
asyncio.run(main())
"""


@pytest.fixture
def guard() -> Iterator[Guard]:
    guard = Guard()
    yield guard
    guard.close()


class Theatre:
    """Starts containers of the test image in one folder."""

    def __init__(self, daemon: Daemon, image: str, guard: Guard, folder: Path) -> None:
        self.known, self.image, self.guard, self.folder = daemon, image, guard, folder
        self.daemon = daemon
        """Through which containers are started."""
        self.codes: list[int] = []

    def start(self, *command: str) -> ContainerProcess:
        name = f"mqcheck-test-{self.guard.mark}-{len(self.codes)}-{time.monotonic_ns()}"
        spec = ContainerSpec(name, self.image, command, {"GREETING": "hello"}, [self.folder])
        log = self.folder / "log"
        return ContainerProcess(self.daemon, spec, log=log, guard=self.guard, on_end=self.codes.append)

    async def counts(self) -> ContainerProcess:
        """One that counts, once it does."""
        life = self.start("sh", "-c", COUNTS)
        await self.until(lambda: self.count() > 0)
        return life

    def count(self) -> int:
        path = self.folder / "count"
        return int(path.read_text() or "0") if path.exists() else 0

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(60):
            while not condition():
                await asyncio.sleep(0.01)

    def play(self, act: Callable[[], Awaitable[None]]) -> None:
        """An act, after which the daemon knows no container of the run any more."""

        async def go() -> None:
            await act()

        asyncio.run(go())
        assert labelled(self.known.socket, self.guard.mark) == []


@pytest.fixture
def theatre(daemon: Daemon, image: str, guard: Guard, tmp_path: Path) -> Theatre:
    return Theatre(daemon, image, guard, tmp_path)


def test_it_is_asked_to_end_and_what_it_said_and_wrote_is_ours(theatre: Theatre) -> None:
    async def act() -> None:
        life = await theatre.counts()
        assert len(labelled(theatre.daemon.socket, theatre.guard.mark)) == 1
        assert not life.ended
        life.signal(signal.SIGTERM)
        await life.resume()
        assert await life.wait(60)
        assert (life.exit_code, theatre.codes) == (7, [7])
        assert life.log_tail() == "up"
        life.signal(signal.SIGKILL)
        await life.kill()
        await life.removed()

    theatre.play(act)
    assert (theatre.folder / "count").stat().st_uid == os.getuid()


def test_a_paused_one_stands_still_goes_on_and_can_be_killed(theatre: Theatre) -> None:
    async def act() -> None:
        life = await theatre.counts()
        await life.pause()
        at = theatre.count()
        await asyncio.sleep(0.3)
        assert theatre.count() == at
        await life.resume()
        await theatre.until(lambda: theatre.count() > at)
        await life.pause()
        await life.kill()
        assert (life.exit_code, theatre.codes) == (137, [137])
        await life.removed()

    theatre.play(act)


def test_a_paused_one_that_is_asked_to_end_does_so_when_it_goes_on(theatre: Theatre) -> None:
    async def act() -> None:
        life = await theatre.counts()
        await life.pause()
        life.signal(signal.SIGTERM)
        await life.resume()
        assert await life.wait(60)
        assert life.exit_code == 7
        await life.removed()

    theatre.play(act)


def test_a_crash_is_seen(theatre: Theatre) -> None:
    async def act() -> None:
        life = await theatre.counts()
        await theatre.until(lambda: life.pid is not None)
        assert life.pid is not None
        os.kill(life.pid, signal.SIGKILL)
        assert await life.wait(60)
        assert theatre.codes == [137]
        await life.removed()

    theatre.play(act)


def test_one_that_is_killed_while_it_starts_is_gone(theatre: Theatre) -> None:
    async def act() -> None:
        life = theatre.start("sleep", "600")
        await life.kill()
        assert life.ended
        await life.removed()

    theatre.play(act)


def test_it_sees_its_environment_and_not_ours(theatre: Theatre, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OURS", "here")

    async def act() -> None:
        life = theatre.start("sh", "-c", 'echo "$GREETING, $ROCKETMQ_VERSION, ${OURS:-nobody}"; pwd')
        assert await life.wait(60)
        assert life.exit_code == 0
        assert life.log_tail().splitlines() == ["hello, 5.4.0, nobody", str(theatre.folder)]
        await life.removed()

    theatre.play(act)


def test_what_the_daemon_refuses_is_told_in_its_words(theatre: Theatre) -> None:
    async def act() -> None:
        life = theatre.start("no-such-program")
        assert await life.wait(60)
        assert life.exit_code == REFUSED
        assert "no-such-program" in str(life.refusal)
        assert "no-such-program" in life.log_tail()
        await life.pause()
        await life.removed()

    theatre.play(act)


class Relay:
    """A socket before the daemon's, which can be cut."""

    def __init__(self, path: Path, daemon: Path) -> None:
        self._daemon = daemon
        self._open: list[socket.socket] = []
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(path))
        self._listener.listen()
        threading.Thread(target=self._serve, daemon=True).start()

    def cut(self) -> None:
        for each in (self._listener, *self._open):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def close(self) -> None:
        self.cut()
        for each in self._open:
            each.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                far.connect(str(self._daemon))
                self._open += [near, far]
                for pair in ((near, far), (far, near)):
                    threading.Thread(target=self._pump, args=pair, daemon=True).start()

    @staticmethod
    def _pump(source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)


@pytest.mark.filterwarnings("ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning")
def test_a_daemon_that_is_gone_is_told_and_the_guard_does_not_forget(
    theatre: Theatre, daemon: Daemon, tmp_path: Path
) -> None:
    relay = Relay(tmp_path / "relay", daemon.socket)
    theatre.daemon = connect({"DOCKER_HOST": f"unix://{tmp_path}/relay"})

    async def act() -> None:
        life = await theatre.counts()
        await theatre.until(lambda: life.pid is not None)
        relay.cut()
        assert await life.wait(120)
        assert life.exit_code == REFUSED
        assert life.refusal is None
        assert "the Docker daemon failed" in life.log_tail()
        await life.removed()
        assert len(labelled(daemon.socket, theatre.guard.mark)) == 1
        sweep(daemon.socket, theatre.guard.mark)

    try:
        theatre.play(act)
    finally:
        theatre.daemon.client.close()
        relay.close()
        gc.collect()  # the SDK leaves a socket open when nobody answers; the warning belongs to this test


def test_kill_9_of_the_runner_leaves_no_container(daemon: Daemon, image: str, tmp_path: Path) -> None:
    runner = subprocess.Popen(
        [sys.executable, "-c", RUNNER, str(tmp_path), image], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert runner.stdout is not None
    with runner.stdout:
        lines = [runner.stdout.readline().split() for _ in range(3)]
    assert lines[2] == ["standing"]
    mark, pids = lines[0][0], [int(line[1]) for line in lines[:2]]
    assert len(labelled(daemon.socket, mark)) == 2
    assert all(start_time(pid) for pid in pids)
    runner.kill()
    runner.wait()
    deadline = time.monotonic() + 60
    while labelled(daemon.socket, mark) or any(start_time(pid) for pid in pids):
        assert time.monotonic() < deadline, "they are still there"
        time.sleep(0.05)


def test_only_containers_of_the_run_are_swept(theatre: Theatre, daemon: Daemon) -> None:
    async def act() -> None:
        life = theatre.start("sleep", "600")
        await theatre.until(lambda: life.pid is not None)
        await asyncio.to_thread(sweep, daemon.socket, "0" * 32)
        assert len(labelled(daemon.socket, theatre.guard.mark)) == 1
        await asyncio.to_thread(sweep, daemon.socket, theatre.guard.mark)
        assert await life.wait(60)
        await life.removed()

    theatre.play(act)
