"""The guard: a small process that outlives the runner by just as long as it takes to clean up after it.

`Guard` is the runner's end: it starts ``python -m mqcheck.guard`` in a session of its own, which Ctrl-C does not
reach, and tells it through a pipe of every process group, container, mount and folder the run makes. When the pipe
ends, for whatever reason (orderly close, crash, ``kill -9``), the guard continues and kills the groups, removes the
containers, unmounts the mounts and removes the folders. A process is known by pid *and* start time, so that a recycled
pid is never killed. Only the standard library is used here, so that the guard starts fast.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final

from mqcheck.containers import sweep
from mqcheck.errors import HarnessError

MARK_VARIABLE: Final = "MQCHECK_GUARD"
"""Environment variable that marks what a run starts: a child is found even if the runner died before registering it."""

CLEANUP_SECONDS_MAX: Final = 15.0
"""How long the runner waits for the guard at an orderly end. Ours."""

DEATH_SECONDS_MAX: Final = 5.0
"""How long the guard waits for killed processes before it removes their folders. Ours."""

UNMOUNT_SECONDS_MAX: Final = 5.0
"""How long one unmounting may take. Ours."""

_PROC: Final = Path("/proc")


def start_time(pid: int) -> str | None:
    """When a process began, as its system says it (comparable, not readable); None when it is gone or a zombie."""
    if _PROC.is_dir():
        try:
            text = (_PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
        except OSError:
            return None
        fields = text.rpartition(")")[2].split()
        return None if fields[0] in "ZX" else fields[19]
    done = subprocess.run(
        ["/bin/ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, timeout=5, check=False
    )
    return done.stdout.strip() or None


def process_state(pid: int) -> str | None:
    """The kernel's letter for what a process is doing (``T``: stopped); None when it is gone or cannot be known."""
    try:
        text = (_PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    return text.rpartition(")")[2].split()[0]


def group_states(group: int) -> list[str]:
    """The kernel's letters for the live processes of a group; zombies are left out. Empty where there is no /proc."""
    found = []
    for entry in _PROC.glob("[0-9]*"):
        try:
            text = (entry / "stat").read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        state, _, its_group = text.rpartition(")")[2].split()[:3]
        if int(its_group) == group and state not in "ZX":
            found.append(state)
    return found


class Guard:
    """The runner's end of a guard process. One serves a whole session; every method returns at once.

    Raises HarnessError when the guard is gone: nothing may be started that nobody would clean up.
    """

    def __init__(self) -> None:
        self._mark = secrets.token_hex(16)
        environment = {key: value for key, value in os.environ.items() if key != MARK_VARIABLE}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "mqcheck.guard", self._mark],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
            env=environment,
            cwd=Path(__file__).parents[1],
        )

    @property
    def pid(self) -> int:
        """Of the guard process."""
        return self._process.pid

    @property
    def mark(self) -> str:
        """What the run's processes carry in their environment, and its containers as the label `containers.LABEL`."""
        return self._mark

    def environment(self) -> dict[str, str]:
        """The environment to start a process with, so that the guard can find it.

        The children of a run may keep compiled modules whatever the environment says: dozens of them start, and each
        would spend most of its start on compiling the same sources.
        """
        kept = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
        return {**kept, MARK_VARIABLE: self._mark}

    def process(self, pid: int) -> None:
        """Guard a process, and its group if it leads one."""
        self._tell({"do": "process", "pid": pid, "start": start_time(pid)})

    def forget(self, pid: int) -> None:
        """The process has ended and was waited for."""
        self._tell({"do": "forget", "pid": pid})

    def container(self, name: str, daemon: Path) -> None:
        """Guard a container before it is made; `daemon` is the Unix socket of its Docker daemon."""
        self._tell({"do": "container", "name": name, "daemon": str(daemon)})

    def forget_container(self, name: str) -> None:
        """The container is gone, or was never made."""
        self._tell({"do": "forget-container", "name": name})

    def mount(self, path: Path) -> None:
        """Guard a mount point: unmounted before folders are removed."""
        self._tell({"do": "mount", "path": str(path.resolve())})

    def folder(self, path: Path) -> None:
        """Guard a folder, removed with all that is in it, or a file."""
        self._tell({"do": "folder", "path": str(path.resolve())})

    def release(self, path: Path) -> None:
        """The mount or folder is gone, or is to be kept."""
        self._tell({"do": "release", "path": str(path.resolve())})

    def close(self) -> None:
        """Let the guard clean up what is still registered, and wait for it. Idempotent."""
        pipe = self._process.stdin
        if pipe is not None and not pipe.closed:
            with contextlib.suppress(OSError):
                pipe.close()
        try:
            self._process.wait(CLEANUP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _tell(self, line: Mapping[str, object]) -> None:
        pipe = self._process.stdin
        try:
            if pipe is None or pipe.closed:
                raise BrokenPipeError("its pipe is closed")
            pipe.write(json.dumps(line).encode() + b"\n")
            pipe.flush()
        except OSError as error:
            raise HarnessError(
                f"the guard process {self._process.pid} is gone ({error}), and without it a crash would leave "
                f"processes behind; run again and do not kill it"
            ) from error


@dataclass(slots=True)
class Ward:
    """What the guard process has been told of."""

    mark: str
    """Value of MARK_VARIABLE in the environment of what the run started."""
    processes: dict[int, str | None] = field(default_factory=dict)
    """Pid → start time."""
    containers: dict[str, Path] = field(default_factory=dict)
    """Name → socket of its daemon. They are removed by label: only that they may be there is known."""
    mounts: list[Path] = field(default_factory=list)
    folders: list[Path] = field(default_factory=list)

    def take(self, line: bytes) -> None:
        """Learn from one line of the pipe; a torn last line is ignored."""
        try:
            told = json.loads(line)
        except ValueError:
            return
        if told["do"] == "process":
            self.processes[told["pid"]] = told["start"]
        elif told["do"] == "forget":
            self.processes.pop(told["pid"], None)
        elif told["do"] == "container":
            self.containers[told["name"]] = Path(told["daemon"])
        elif told["do"] == "forget-container":
            self.containers.pop(told["name"], None)
        elif told["do"] == "release":
            path = Path(told["path"])
            self.mounts = [mount for mount in self.mounts if mount != path]
            self.folders = [folder for folder in self.folders if folder != path]
        else:
            {"mount": self.mounts, "folder": self.folders}[told["do"]].append(Path(told["path"]))

    def clean(self) -> None:
        """Kill, unmount, remove; whatever fails, the rest is done."""
        deadline = time.monotonic() + DEATH_SECONDS_MAX
        while alive := [*self._registered(), *_marked(self.mark)]:
            for pid in alive:
                _end(pid)
            if time.monotonic() > deadline:
                break
            time.sleep(0.01)
        for daemon in set(self.containers.values()):
            sweep(daemon, self.mark)
        for mount in self.mounts:
            unmount(mount)
        for folder in self.folders:
            if folder.is_dir():
                shutil.rmtree(folder, ignore_errors=True)
            else:
                with contextlib.suppress(OSError):
                    folder.unlink(missing_ok=True)

    def _registered(self) -> Iterator[int]:
        for pid, start in self.processes.items():
            if start is not None and start_time(pid) == start:
                yield pid


def _marked(mark: str) -> Iterator[int]:
    """Live processes whose environment carries the mark (Linux; elsewhere registration has to be enough)."""
    wanted = f"{MARK_VARIABLE}={mark}".encode()
    for entry in _PROC.glob("[0-9]*"):
        try:
            found = wanted in (entry / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        if found and start_time(int(entry.name)) is not None:
            yield int(entry.name)


def _end(pid: int) -> None:
    """Continue and kill a process, with its group if it leads one."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if os.getpgid(pid) == pid:
            os.killpg(pid, signal.SIGKILL)
            os.killpg(pid, signal.SIGCONT)
        else:
            os.kill(pid, signal.SIGKILL)
            os.kill(pid, signal.SIGCONT)


def unmount(mount: Path) -> bool:
    """Take a mount away, busy or not, whoever serves it; whether that was done. Blocks."""
    for command in (["fusermount3", "-u", "-z"], ["umount", "-l"]):
        program = shutil.which(command[0])
        if program is None:
            continue
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            done = subprocess.run(
                [program, *command[1:], str(mount)], capture_output=True, timeout=UNMOUNT_SECONDS_MAX, check=False
            )
            if done.returncode == 0:
                return True
    return False


def watch(pipe: IO[bytes] | Iterable[bytes], mark: str) -> None:
    """The guard process: learn until the pipe ends, then clean up."""
    ward = Ward(mark)
    for line in pipe:
        ward.take(line)
    ward.clean()


def main() -> None:
    """Entry point of ``python -m mqcheck.guard MARK``."""
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    watch(sys.stdin.buffer, sys.argv[1])


if __name__ == "__main__":
    main()
