"""The two systems that ``broker.py`` compares, each a NameServer and a broker, started and stopped alike."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "interop")]

from java_broker import jars, java_cluster, missing  # noqa: E402 - after the path
from processes import end_on_signals, folder, running  # noqa: E402

from reference_impl.frame import Command, FrameReader, encode  # noqa: E402

VERSION = "4.9.7"
READY_S = 60
__all__ = [
    "ROOT", "VERSION", "System", "end_on_signals", "folder", "jars", "java", "machine", "missing", "running", "start"
]  # fmt: skip
ROUTE_OF_TOPIC, RUNTIME_INFO = 105, 28
# Both wait as long as it takes instead of refusing, so that each send is one of the count.
PATIENT = {"waitTimeMillsInSendQueue": 60_000, "osPageCacheBusyTimeOutMills": 60_000}


@dataclass(frozen=True, slots=True)
class System:
    """A NameServer and a broker that answer."""

    namesrv: str
    pids: tuple[int, ...]
    ready_s: float
    """From the start of the first process to the answers of both."""

    def rss_mib(self) -> float:
        """Resident memory of all its processes."""
        return sum(_status_kib(pid, "VmRSS") for pid in self.pids) / 1024

    def cpu_s(self) -> float:
        """Processor time that all its processes have used, of users' and of the kernel's, in steps of a clock tick."""
        return sum(_ticks(pid) for pid in self.pids) / os.sysconf("SC_CLK_TCK")

    def anonymous_mib(self) -> float:
        """The part of it that is not pages of files, such as mapped logs and shared libraries."""
        return sum(_status_kib(pid, "RssAnon") for pid in self.pids) / 1024


@contextmanager
def reference(flush: str) -> Iterator[System]:
    """The reference: both roles in one process."""
    with folder("reference-") as home:
        settings = {
            "namesrv.listenPort": 0,
            "broker.listenPort": 0,
            "flushDiskType": flush,
            "storePathRootDir": f"{home}/store",
            **PATIENT,
        }
        options = [part for key, value in settings.items() for part in ("-p", f"{key}={value}")]
        began = time.perf_counter()
        command = [sys.executable, "-m", "reference_impl", "all", *options]
        with running(command, cwd=ROOT, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            line = json.loads(process.stdout.readline())
            address = line["namesrv"]["address"]
            _wait_until_ready(address, line["broker"]["address"])
            yield System(address, (process.pid,), time.perf_counter() - began)


@contextmanager
def java(flush: str, heap_mib: tuple[int, int] = (256, 512)) -> Iterator[System]:
    """Apache RocketMQ: a process for each role, the broker started once the NameServer is there."""
    properties = {"flushDiskType": flush, "mappedFileSizeCommitLog": 1 << 30, **PATIENT}
    with folder("rocketmq-") as home:
        began = time.perf_counter()
        with java_cluster(VERSION, home / "home", properties, heap_mib=heap_mib) as cluster:
            _wait_until_ready(cluster.namesrv, cluster.broker)
            yield System(cluster.namesrv, _children(), time.perf_counter() - began)


SYSTEMS = {"reference": reference, "java": java}


def start(name: str, flush: str) -> AbstractContextManager[System]:
    """Start one of the two by name."""
    return SYSTEMS[name](flush)


def _wait_until_ready(namesrv: str, broker: str) -> None:
    """The NameServer knows the broker, and the broker answers."""
    end = time.monotonic() + READY_S
    while not (_ask(namesrv, ROUTE_OF_TOPIC, {"topic": "TBW102"}) == 0 and _ask(broker, RUNTIME_INFO, {}) == 0):
        if time.monotonic() > end:
            raise TimeoutError(f"{namesrv} and {broker} are not ready after {READY_S} s")
        time.sleep(0.005)


def _ask(address: str, code: int, fields: dict[str, str]) -> int | None:
    """The code of the answer; None when nobody answers."""
    host, _, port = address.rpartition(":")
    reader = FrameReader()
    try:
        with socket.create_connection((host, int(port)), timeout=5) as connection:
            connection.sendall(encode(Command(code, 1, fields=fields)))
            while data := connection.recv(65536):
                if found := reader.feed(data):
                    return found[0].code
    except OSError:
        pass  # not yet
    return None


def _children() -> tuple[int, ...]:
    """The processes that this one has started and that run."""
    return tuple(map(int, Path(f"/proc/self/task/{os.getpid()}/children").read_text(encoding="ascii").split()))


def _status_kib(pid: int, name: str) -> int:
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1])
    raise ValueError(f"process {pid} tells no {name}")


def _ticks(pid: int) -> int:
    """utime and stime of a process, 14th and 15th of what it tells; the name before them may hold spaces."""
    told = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
    return int(told[11]) + int(told[12])


def machine() -> str:
    """What the figures are from."""
    return f"{os.cpu_count()} cores, Linux {os.uname().release.split('-')[0]}, Python {sys.version.split()[0]}"
