"""benchmarks/broker.py: processor time per message, and the table it writes."""

from __future__ import annotations

import argparse
import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
CLIENT = """
import sys
for count in (10, 20):
    print("begin", flush=True)
    print("chatter", flush=True)
    print('{"count": %d, "rate": 5.0}' % count, flush=True)
raise SystemExit(int(sys.argv[2]))
"""


@pytest.fixture(scope="module")
def broker() -> ModuleType:
    """The program as a module; it finds its own neighbours."""
    spec = importlib.util.spec_from_file_location("benchmarks_broker", BENCHMARKS / "broker.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    sys.path.append(str(BENCHMARKS))
    try:
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(BENCHMARKS))
    return module


class Worker:
    """A system that has worked for 3 ms more each time it is looked at."""

    namesrv = "127.0.0.1:1"

    def __init__(self) -> None:
        self.used_s = 1.0

    def cpu_s(self) -> float:
        self.used_s += 0.003
        return self.used_s


def test_processor_time_is_of_what_is_measured(broker: ModuleType) -> None:
    found = broker.load([sys.executable, "-c", CLIENT], Worker(), ["0"])
    assert [(figures["count"], round(figures["cpu_us"])) for figures in found] == [(10, 300), (20, 150)]
    with pytest.raises(subprocess.CalledProcessError):
        broker.load([sys.executable, "-c", CLIENT], Worker(), ["7"])


def test_a_client_that_never_ends(broker: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broker, "LOAD_S", 0.3)
    with pytest.raises(subprocess.TimeoutExpired):
        broker.load([sys.executable, "-c", "import time; time.sleep(60)"], Worker(), ["0"])


def test_the_table(broker: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    told: Any = subprocess.CompletedProcess([], 0, stderr="openjdk 17\n")
    monkeypatch.setattr(broker.subprocess, "run", lambda *_, **__: told)
    results = broker.Results()
    for name, ready_s, rate, cpu_us in (("reference", 0.1, 200.0, 41.0), ("java", 2.0, 100.0, 95.4)):
        results.ready_s[name].append(ready_s)
        figures = {"count": 5, "rate": rate, "p50_us": 4, "p99_us": 9, "cpu_us": cpu_us}
        results.phases["async", "64 threads, 256 B", name].append(figures)
    lines = broker.markdown(results, argparse.Namespace(quick=True, rounds=1)).splitlines()
    table = [line for line in lines if line.startswith("|")]
    assert table == [
        "| | reference | Java | ratio | CPU, reference | CPU, Java | target |",
        "| --- | --- | --- | --- | --- | --- | --- |",
        "| NameServer and broker ready | 0.10 s | 2.00 s | 20.00 |  |  | ≥ 15: held |",
        "| ASYNC_FLUSH, 64 threads, 256 B | 200/s, p50 4 µs, p99 9 µs | 100/s, p50 4 µs, p99 9 µs | 2.00 "
        "| 41 µs | 95 µs |  |",
    ]
