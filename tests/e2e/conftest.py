"""The real thing as a user starts it: pytest in a process of its own, its report, and what it has left behind."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from planted_bugs import ALL, CAUGHT, OVER_SOCKETS

from mqcheck.commands import plugin_arguments

RUN_SECONDS_MAX = 150.0
"""Longest wait for one run on a busy machine."""
GONE_SECONDS_MAX = 20.0
"""Longest wait for a run's leavings to go once it has ended; the guard takes a fraction of a second."""
POLL_SECONDS = 0.05
PLUGINS = ("cacheprovider", "randomly", "asyncio", "hypothesispytest", "faker")
"""Plugins of the surrounding pytest that a user of the kit need not have; some take as long to start as the kit."""
MARK = "E2E_RUN"
"""Environment variable that marks a run and whatever it starts."""
LISTEN = "0A"
"""The kernel's name of the state, in /proc/net/tcp."""

DISKS = ("disk-error", "disk-full", "power-cut")
"""Scenarios that are judged alike on both disks."""
HEALTHY = tuple(sorted({*DISKS, *(CAUGHT[bug][1] for bug in (CAUGHT if ALL else OVER_SOCKETS))}))
"""Scenarios that are run once without any planted bug."""


@dataclass
class Result:
    """What one `pytest --mqcheck` has told and written."""

    folder: Path
    """Its report and histories."""
    output: str = ""
    status: int | None = None
    """Its exit status; None: its end was not waited for."""

    @property
    def report(self) -> dict[str, Any]:
        """Its report.json."""
        path = self.folder / "report.json"
        assert path.is_file(), f"status {self.status}, no report:\n{self.output}"
        data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return data

    def verdicts(self, wanted: str) -> dict[tuple[str, str], dict[str, Any]]:
        """Verdicts of that kind by (scenario, guarantee)."""
        found = [each for each in self.report["verdicts"] if each["verdict"] == wanted]
        return {(each["scenario"], each["guarantee"]): each for each in found}

    def rows(self, scenario: str, table: str) -> list[dict[str, Any]]:
        """A table's rows of a history that may still be growing."""
        found: dict[int, dict[str, Any]] = {}
        for stream in (self.folder / "history" / scenario / "events").glob("*.jsonl"):
            text = stream.read_text(encoding="utf-8")
            for line in text[: text.rfind("\n") + 1].splitlines():
                row = json.loads(line)
                if row["e"] == table:
                    found.setdefault(row["op"], {}).update(row)
        return list(found.values())


@dataclass(kw_only=True)
class Run(Result):
    """One that was started in a session of its own, as a shell starts it."""

    process: subprocess.Popen[str]
    temporary: Path
    """Its folder for temporary files."""
    mark: str
    sockets: set[str] = field(default_factory=set)
    """Inodes of listening sockets that were seen to be its own."""

    def finish(self) -> Run:
        """Wait for its end."""
        try:
            self.output, _ = self.process.communicate(timeout=RUN_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.output, _ = self.process.communicate(timeout=GONE_SECONDS_MAX)
            pytest.fail(f"the run did not end within {RUN_SECONDS_MAX} s:\n{self.output}")
        self.status = self.process.returncode
        return self

    def alive(self) -> dict[int, str]:
        """Command lines of live processes that carry the mark, by process id."""
        wanted = f"{MARK}={self.mark}".encode()
        found = {}
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                if wanted in (entry / "environ").read_bytes().split(b"\0"):
                    found[int(entry.name)] = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue
        return found

    def watch(self) -> dict[int, str]:
        """Remember which sockets it listens on at this moment; its processes."""
        alive = self.alive()
        inodes = set()
        for pid in alive:
            with contextlib.suppress(OSError):
                for entry in Path(f"/proc/{pid}/fd").iterdir():
                    with contextlib.suppress(OSError):
                        inodes.add(os.readlink(entry).removeprefix("socket:[").removesuffix("]"))
        self.sockets |= inodes & set(listening())
        return alive

    def leavings(self) -> list[str]:
        """Processes, listening ports, mounts, node folders and temporary files that are there now."""
        listen = listening()
        mounts = Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines()
        return [
            *(f"process {pid}: {command}" for pid, command in self.alive().items()),
            *(f"port {listen[inode]} still listens" for inode in self.sockets & set(listen)),
            *(f"mount {line}" for line in mounts if str(self.folder) in line or str(self.temporary) in line),
            *(f"folder {path}" for path in self.folder.glob("history/*/nodes")),
            *(f"temporary {path}" for path in self.temporary.iterdir()),
        ]

    def assert_nothing_left(self) -> None:
        """Fail when something of it is there still, however long one waits."""
        deadline = time.monotonic() + GONE_SECONDS_MAX
        while left := self.leavings():
            assert time.monotonic() < deadline, "left behind:\n" + "\n".join(left) + f"\n{self.output}"
            time.sleep(POLL_SECONDS)

    def wait_until(self, condition: Callable[[], object], what: str) -> None:
        """Poll for something while the run goes on."""
        deadline = time.monotonic() + RUN_SECONDS_MAX
        while not condition():
            assert self.process.poll() is None, f"the run ended before {what}:\n{self.process.communicate()[0]}"
            assert time.monotonic() < deadline, f"waited {RUN_SECONDS_MAX} s for {what}"
            time.sleep(POLL_SECONDS)


Start = Callable[..., Run]


def listening() -> dict[str, str]:
    """Every listening TCP socket of this host: port by inode."""
    found = {}
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with contextlib.suppress(OSError):
            for line in Path(table).read_text(encoding="ascii").splitlines()[1:]:
                columns = line.split()
                if columns[3] == LISTEN:
                    found[columns[9]] = str(int(columns[1].rpartition(":")[2], 16))
    return found


def environment(mark: str, temporary: Path) -> dict[str, str]:
    """This one, without what the surrounding pytest and its user have set for themselves."""
    foreign = ("PYTEST", "MQCHECK", "COV")
    kept = {key: value for key, value in os.environ.items() if not key.startswith(foreign)}
    return {**kept, MARK: mark, "TMPDIR": str(temporary), "PYTHONPATH": str(Path(__file__).parents[2])}


def start_run(base: Path, *arguments: str, mqcheck: bool = True, tests: Path | None = None) -> Run:
    """Start pytest below `base`; `tests` is where it works, an empty folder by default."""
    temporary, folder, work = base / "tmp", base / "report", tests or base / "work"
    temporary.mkdir(parents=True)
    work.mkdir(exist_ok=True)
    (work / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    command = [sys.executable, "-m", "pytest", *(word for name in PLUGINS for word in ("-p", f"no:{name}"))]
    command += [*plugin_arguments(), "--basetemp", str(base / "basetemp")]
    command += ["--mqcheck", "--mqcheck-report", str(folder)] if mqcheck else []
    mark = uuid.uuid4().hex
    process = subprocess.Popen(
        [*command, *arguments],
        cwd=work,
        env=environment(mark, temporary),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    return Run(folder, process=process, temporary=temporary, mark=mark)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts runs below the test's own folder; whatever of them is left at the test's end is killed."""
    runs: list[Run] = []

    def begin(*arguments: str, **options: Any) -> Run:
        runs.append(start_run(tmp_path / f"run-{len(runs)}", *arguments, **options))
        return runs[-1]

    yield begin
    for run in runs:
        for pid in run.alive():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if run.process.stdout is not None:
            run.process.stdout.close()
        run.process.wait()


@pytest.fixture
def play(start: Start) -> Callable[..., Run]:
    """Runs to the end; nothing may be left, whatever the verdicts."""

    def run(*arguments: str, **options: Any) -> Run:
        run = start(*arguments, **options).finish()
        run.assert_nothing_left()
        return run

    return run


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Callable[..., Result]:
    """Results of runs at which several tests look; each is made once, by the worker that needs it first."""
    home = tmp_path_factory.getbasetemp()
    home = home if worker_id == "master" else home.parent

    def made(name: str, *arguments: str) -> Result:
        base = home / f"shared-{name}"
        told = base / "told"
        with (home / f"{base.name}.lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not told.exists():
                run = start_run(base, *arguments).finish()
                run.assert_nothing_left()
                told.write_text(f"{run.status}\n{run.output}", encoding="utf-8")
        status, _, output = told.read_text(encoding="utf-8").partition("\n")
        return Result(base / "report", output, int(status))

    return made


@pytest.fixture(scope="session")
def healthy(shared: Callable[..., Result]) -> Path:
    """The run folder of one run of `HEALTHY` on the reference as it is."""
    return shared("healthy", *(word for name in HEALTHY for word in ("--mqcheck-select", name))).folder


@pytest.fixture(scope="session")
def broken(shared: Callable[..., Result]) -> Callable[[str], Result]:
    """A run of the scenario that catches a planted bug, with that bug."""

    def made(bug: str) -> Result:
        _, scenario = CAUGHT[bug]
        return shared(bug, "--mqcheck-select", scenario, "--mqcheck-sabotage", bug)

    return made
