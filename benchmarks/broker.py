"""How fast is the reference, compared with Apache RocketMQ 4.9.7 on the same machine under the same official client?

``python benchmarks/broker.py`` runs both in turn, several rounds, under ``Load.java``, prints medians and their ratios
and, with ``--markdown FILE``, writes them down. ``--quick`` takes one round of a quarter of the messages, ``--parts``
chooses. Needs ``java``, ``javac`` and, for the first time, ``mvn``. Other work on the machine disturbs: the load
average before each run is printed, and only ratios of one invocation mean something.

Ratios are the reference's figure divided by Java's for rates, and Java's divided by the reference's for times, so that
more is always better for the reference.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import statistics
import subprocess
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from systems import ROOT, VERSION, System, end_on_signals, folder, jars, java, machine, missing, running, start

LOAD_S = 240
WARM_UP = "async:256:256:30000"
"""Goes before every part, in full and uncounted: a JVM compiles while it runs."""
SENDS = {
    "1 thread, 256 B": "sync:1:256:2000",
    "64 threads, 256 B": "sync:64:256:40000",
    "64 threads, 4 KiB": "sync:64:4096:15000",
    "256 outstanding, 256 B": "async:256:256:60000",
    "256 outstanding, 4 KiB": "async:256:4096:20000",
}
CONSUMPTION = {
    "consume a backlog, 256 B": "consume:1:256:60000",
    "consume a backlog, 4 KiB": "consume:1:4096:20000",
    "producer to consumer, 200/s of 256 B": "through:200:256:1500",
}
PARTS = {
    "sync": ("SYNC_FLUSH", SENDS),
    "async": ("ASYNC_FLUSH", SENDS),
    "consume": ("ASYNC_FLUSH", CONSUMPTION),
}
HEAPS_MIB = (48, 32, 24, 16)
TARGETS = {
    ("ready", ""): 15.0,
    ("sync", "64 threads, 256 B"): 1.0,
    ("async", "256 outstanding, 256 B"): 0.7,
    ("consume", "consume a backlog, 256 B"): 0.7,
}
Figures = dict[str, float]


@dataclass(slots=True)
class Results:
    """What was measured, by system."""

    ready_s: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    phases: dict[tuple[str, str, str], list[Figures]] = field(default_factory=lambda: defaultdict(list))
    """By part, phase and system."""
    rss_mib: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    anonymous_mib: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    smallest_heap_mib: int | None = None
    smallest_rss_mib: float = 0.0
    smallest_anonymous_mib: float = 0.0
    busiest: float = 0.0
    """Highest load average before a run."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table."""

    part: str
    phase: str
    reference: str
    java: str
    ratio: float
    cpu: tuple[str, str] = ("", "")
    """Processor time of the reference and of Java, µs per message."""

    @property
    def target(self) -> float | None:
        """What issue and README promise, where they do."""
        return TARGETS.get((self.part, self.phase))


@contextmanager
def compiled() -> Iterator[list[str]]:
    """The command that runs Load.java."""
    libraries = f"{jars(VERSION)}/*"
    with folder("load-") as home:
        source = Path(__file__).with_name("Load.java")
        subprocess.run(["javac", "-proc:none", "-cp", libraries, "-d", str(home), str(source)], check=True)
        quiet = home / "logback.xml"
        quiet.write_text('<configuration><root level="OFF"/></configuration>\n', encoding="ascii")
        yield [
            "java",
            "-Xms256m",
            "-Xmx512m",
            f"-Duser.home={home}",
            f"-Dlogback.configurationFile={quiet}",
            "-cp",
            f"{home}:{libraries}",
            "Load",
        ]


def load(command: list[str], system: System, phases: list[str]) -> list[Figures]:
    """Run phases against one system. CalledProcessError where a send failed, TimeoutExpired where one never ended.

    To what the client tells of each phase comes ``cpu_us``: processor time of the system's processes per message.
    """
    found: list[Figures] = []
    began_s = system.cpu_s()
    whole = [*command, system.namesrv, *phases]
    with running(whole, end_s=5, stdout=subprocess.PIPE, text=True) as process:
        too_late = threading.Event()

        def end() -> None:
            too_late.set()
            process.kill()

        late = threading.Timer(LOAD_S, end)
        late.start()
        try:
            assert process.stdout is not None
            for line in process.stdout:
                if line.startswith("begin"):
                    # The clock of the client begins here; an earlier one was of what goes before.
                    began_s = system.cpu_s()
                elif line.startswith("{"):
                    figures = json.loads(line)
                    found.append(figures | {"cpu_us": (system.cpu_s() - began_s) * 1e6 / figures["count"]})
            status = process.wait()
        finally:
            late.cancel()
    if too_late.is_set():
        raise subprocess.TimeoutExpired(whole, LOAD_S)
    if status:
        raise subprocess.CalledProcessError(status, whole)
    return found


def run_part(command: list[str], part: str, name: str, share: int, results: Results) -> None:
    """Start one system, load it, note everything."""
    flush, phases = PARTS[part]
    busy = os.getloadavg()[0]
    results.busiest = max(results.busiest, busy)
    print(f"{part:8} {name:10} (load average before: {busy:.1f})", flush=True)
    with start(name, flush) as system:
        results.ready_s[name].append(system.ready_s)
        _, *found = load(command, system, [WARM_UP, *(_shorter(phase, share) for phase in phases.values())])
        results.rss_mib[name].append(system.rss_mib())
        results.anonymous_mib[name].append(system.anonymous_mib())
    for phase, figures in zip(phases, found, strict=True):
        results.phases[part, phase, name].append(figures)
        print(f"    {phase:36} {_told(figures)}", flush=True)


def find_smallest_heap(command: list[str], results: Results) -> None:
    """The smallest heap, of those tried, with which Java gets through the asynchronous part and the consumption."""
    phases = [_shorter(phase, 4) for phase in (*SENDS.values(), *CONSUMPTION.values())]
    for heap in HEAPS_MIB:
        try:
            with java("ASYNC_FLUSH", (heap, heap)) as system:
                load(command, system, phases)
                rss, anonymous = system.rss_mib(), system.anonymous_mib()
        except (TimeoutError, subprocess.SubprocessError) as error:
            print(f"heap {heap:4} MiB: not enough ({type(error).__name__})", flush=True)
            return
        print(f"heap {heap:4} MiB: enough, {rss:.0f} MiB resident", flush=True)
        results.smallest_heap_mib, results.smallest_rss_mib = heap, rss
        results.smallest_anonymous_mib = anonymous


def _shorter(phase: str, share: int) -> str:
    kind, width, body, count = phase.split(":")
    return f"{kind}:{width}:{body}:{max(500, int(count) // share)}"


def _told(figures: Figures) -> str:
    latency = f", p50 {figures['p50_us']:,} µs, p99 {figures['p99_us']:,} µs" if "p50_us" in figures else ""
    return f"{figures['rate']:,.0f}/s{latency}"


def _cpu(figures: Figures) -> str:
    return f"{figures['cpu_us']:,.0f} µs"


def rows(results: Results) -> list[Row]:
    """The table: medians of all rounds."""
    table: list[Row] = []
    ready = {name: statistics.median(times) for name, times in results.ready_s.items()}
    if len(ready) == 2:
        slower = ready["java"] / ready["reference"]
        table.append(Row("ready", "", f"{ready['reference']:.2f} s", f"{ready['java']:.2f} s", slower))
    for part, phase, name in results.phases:
        if name != "reference" or not results.phases[part, phase, "java"]:
            continue
        ours, theirs = _medians(results.phases[part, phase, name]), _medians(results.phases[part, phase, "java"])
        ratio = ours["rate"] / theirs["rate"]
        if phase.startswith("producer to"):
            ratio = theirs["p50_us"] / ours["p50_us"]
        table.append(Row(part, phase, _told(ours), _told(theirs), ratio, (_cpu(ours), _cpu(theirs))))
    return table


def _medians(rounds: list[Figures]) -> Figures:
    return {name: round(statistics.median(figures[name] for figures in rounds)) for name in rounds[0]}


def memory(results: Results) -> list[str]:
    """What is to be said about memory."""
    lines = []
    for name in results.rss_mib:
        rss, anonymous = max(results.rss_mib[name]), max(results.anonymous_mib[name])
        lines.append(
            f"{name} after the benchmark: {rss:.0f} MiB resident, {anonymous:.0f} MiB of it not pages of files."
        )
    if results.smallest_heap_mib is not None:
        lines.append(
            f"The smallest heap with which Java got through a quarter of it, of {HEAPS_MIB} MiB tried downwards: "
            f"{results.smallest_heap_mib} MiB for each of its two processes, "
            f"{results.smallest_rss_mib:.0f} MiB resident, "
            f"{results.smallest_anonymous_mib:.0f} MiB of it not pages of files."
        )
    return lines


def markdown(results: Results, arguments: argparse.Namespace) -> str:
    """docs/benchmarks.md."""
    java_version = subprocess.run(["java", "-version"], check=True, stderr=subprocess.PIPE, text=True).stderr
    lines = [
        "# The reference beside Apache RocketMQ",
        "",
        f"Written by `python benchmarks/broker.py --markdown docs/benchmarks.md` on {datetime.date.today()}.",
        f"Machine: {machine()}, {java_version.splitlines()[0]}.",
        f"Apache RocketMQ {VERSION} and its official Java client from Maven Central; heaps of 256 to 512 MiB.",
        f"Medians of {1 if arguments.quick else arguments.rounds} rounds, the two systems in turn; the client, "
        f"always the same program, shares the cores. Highest load average before a run, earlier runs included: "
        f"{results.busiest:.1f}.",
        "A ratio above 1 means that the reference is better. Times are of one send, or from producer to consumer.",
        "CPU: processor time of NameServer and broker per message, users' and kernel's, while the client measures.",
        "",
        "| | reference | Java | ratio | CPU, reference | CPU, Java | target |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    names = {"ready": "NameServer and broker ready", "sync": "SYNC_FLUSH", "async": "ASYNC_FLUSH", "consume": ""}
    for row in rows(results):
        what = ", ".join(part for part in (names[row.part], row.phase) if part)
        target = "" if row.target is None else f"≥ {row.target:g}: {'held' if row.ratio >= row.target else 'missed'}"
        cells = (what, row.reference, row.java, f"{row.ratio:.2f}", *row.cpu, target)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, "", *memory(results), ""])


def main() -> int:
    """Parse the command line, run, print; 1 when a target that was measured is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="times that each part is run with each system (3)")
    parser.add_argument("--quick", action="store_true", help="one round, a quarter of the messages")
    parser.add_argument("--parts", nargs="+", choices=[*PARTS, "memory"], default=[*PARTS, "memory"])
    parser.add_argument("--markdown", type=Path, help="write the table to this file")
    arguments = parser.parse_args()
    if lacking := missing("java", "javac"):
        parser.error(lacking)
    end_on_signals()
    results = Results()
    rounds, share = (1, 4) if arguments.quick else (arguments.rounds, 1)
    with compiled() as command:
        for number in range(rounds):
            for part in PARTS:
                for name in ("reference", "java") if number % 2 == 0 else ("java", "reference"):
                    if part in arguments.parts:
                        run_part(command, part, name, share, results)
        if "memory" in arguments.parts:
            find_smallest_heap(command, results)
    table = rows(results)
    for row in table:
        told = f"{row.reference:>48} | {row.java:>48} | {row.ratio:.2f}"
        print(f"{row.part:8} {row.phase:36} {told} | CPU {row.cpu[0]:>8} {row.cpu[1]:>8}")
    print(*memory(results), sep="\n")
    if arguments.markdown is not None:
        arguments.markdown.write_text(markdown(results, arguments), encoding="utf-8")
    return 1 if any(row.target is not None and row.ratio < row.target for row in table) else 0


if __name__ == "__main__":
    os.chdir(ROOT)
    raise SystemExit(main())
