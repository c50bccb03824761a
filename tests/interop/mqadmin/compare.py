"""Runs every case against one cluster, and judges two runs: what works, and whether the texts are the same."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from java_broker import ROOT, JavaCluster, java_cluster
from mqadmin.commands import CASES, FIRST, REASONS, SEED, Case
from mqadmin.driver import VERSION, Driver, Said, admin

_FORGET = (
    (r"\r", ""),
    (r"(?m)^\s+at .*$|^\s+\.\.\. \d+ more$", ""),
    (r"[0-9A-F]{32,}", "ID"),
    (r"127\.0\.0\.1:\d+", "ADDRESS"),
    (r"\d{4}-\d\d-\d\d[ #]\d\d:\d\d:\d\d([,:]\d+)?|\b\d{13}\b|\b20\d{12,15}\b", "TIME"),
    (r"\$\$Lambda\S*|@[0-9a-f]{5,8}\b", "OBJECT"),
    (r"\b\d+ ?ms\b|spentTimeMills=\d+", "MS"),
    (r"(?m)\btrue +\d+$", "true MS"),
    (r"\d+\.\d+(E-?\d+)?", "RATE"),
    (r"(commitLogOffset|physicOffset|CommitLog Offset)[=: ]+\d+", "POSITION"),
    (r"(?m)OK, \d+$", "OK, TOPICS"),
    (r"(?m)^%RETRY%\S+\s+broker-a\s.*$", ""),
    (r"[ \t]+", " "),
)
"""What may differ between any two runs, and what stands for it. A client knows the retry topic from its next look at
the route on, which may be now or half a minute later; the tool's own consumers may have made theirs.
"""


@dataclass(frozen=True, slots=True)
class Row:
    """How one case went on both."""

    case: Case
    real: bool
    reference: bool
    only_real: tuple[str, ...]
    """Lines that only the real one's text has."""
    only_reference: tuple[str, ...]
    said: tuple[Said, Said]
    """What the real one and the reference printed."""

    @property
    def same(self) -> bool:
        """Whether both texts are the same, apart from what differs between any two runs."""
        return not self.only_real and not self.only_reference


@contextmanager
def reference_cluster(home: Path) -> Iterator[JavaCluster]:
    """Run the reference's NameServer and broker below ``home``."""
    properties = ("namesrv.listenPort=0", "broker.listenPort=0", f"storePathRootDir={home / 'store'}")
    words = [word for text in properties for word in ("-p", text)]
    process = subprocess.Popen(
        [sys.executable, "-m", "reference_impl", "all", *words], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    try:
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline())
        yield JavaCluster(ready["namesrv"]["address"], ready["broker"]["address"])
    finally:
        process.terminate()
        process.communicate(timeout=20)


@contextmanager
def cluster(kind: str, home: Path) -> Iterator[JavaCluster]:
    """The ``real`` one or the ``reference``."""
    with java_cluster(VERSION, home) if kind == "real" else reference_cluster(home) as found:
        yield found


def run_all(kind: str, home: Path) -> list[Said]:
    """What every case prints against a fresh cluster, in their order."""
    with cluster(kind, home / "cluster") as found, admin(home / "admin") as driver:
        names = {"broker": found.broker}

        def run(case: Case) -> Said:
            words = [*(word.format(**names) for word in case.line.split()), "-n", found.namesrv]
            return driver.run(["@endless", *words] if case.endless else words)

        said = [run(case) for case in FIRST]
        names |= _seed(driver)
        return [*said, *(run(case) for case in CASES)]


def _seed(driver: Driver) -> dict[str, str]:
    told = [driver.run(line.split()) for line in SEED]
    for line, said in zip(SEED, told, strict=True):
        if said.end != "done":
            raise RuntimeError(f"{line}: {said.text}")
    unique_key, msg_id, _, _ = told[1].text.splitlines()[0].split()
    return {"client": told[0].text.strip(), "unique_key": unique_key, "msg_id": msg_id}


def plain_lines(text: str) -> list[str]:
    """The lines of a text without what differs between any two runs, in one order."""
    for pattern, word in _FORGET:
        text = re.sub(pattern, word, text)
    return sorted(line.strip() for line in text.splitlines() if line.strip())


def judge(real: Sequence[Said], reference: Sequence[Said]) -> list[Row]:
    """Put both runs side by side."""
    rows = []
    for case, one, other in zip((*FIRST, *CASES), real, reference, strict=True):
        ours, theirs = plain_lines(other.text), plain_lines(one.text)
        rows.append(
            Row(
                case,
                case.works(one),
                case.works(other),
                tuple(line for line in theirs if line not in ours),
                tuple(line for line in ours if line not in theirs),
                (one, other),
            )
        )
    return rows


def complaints(rows: Sequence[Row]) -> list[str]:
    """What is wrong and not explained."""
    found = []
    for row in rows:
        case = row.case
        if row.real == bool(case.broken):
            found.append(f"{case.line}: {'works' if row.real else 'does not work'} on the real one: {row.said[0]}")
        if row.real and row.reference == bool(case.lacks):
            found.append(
                f"{case.line}: {'works' if row.reference else 'does not work'} on the reference: {row.said[1]}"
            )
        if row.real and row.reference and not row.same and not case.differs:
            found.append(f"{case.line}: only real {row.only_real[:4]}, only reference {row.only_reference[:4]}")
    return found


def table(rows: Sequence[Row]) -> str:
    """The page of the documentation."""
    lines = [
        "# mqadmin against the reference",
        "",
        f"Every sub-command of `mqadmin` (rocketmq-tools {VERSION}), run with realistic arguments against Apache",
        f"RocketMQ {VERSION} (one NameServer, one master) and against the reference. Generated by",
        "`python tests/interop/mqadmin/page.py`; `tests/interop/mqadmin` fails when it is not true any more.",
        "",
        _summary(rows),
        "",
        f"| arguments | {VERSION} | reference | remark |",
        "| --- | --- | --- | --- |",
    ]
    for row in rows:
        case = row.case
        done = "refused, as it should be" if case.refused else "works"
        real, ours = (done if works else "does not work" for works in (row.real, row.reference))
        reason = case.broken or case.lacks or (f"text differs: {_reason(case.differs)}" if case.differs else "")
        arguments = case.line.replace("|", "\\|")
        lines.append(f"| `{arguments}` | {real} | {ours} | {_reason(reason)} |")
    return "\n".join(lines) + "\n"


def _reason(text: str) -> str:
    return REASONS.get(text, text)


def _summary(rows: Sequence[Row]) -> str:
    names = list(dict.fromkeys(row.case.name for row in rows))
    broken = [name for name in names if not any(row.real for row in rows if row.case.name == name)]
    lacking = [name for name in names if any(row.real > row.reference for row in rows if row.case.name == name)]
    shown = ", ".join(f"`{name}`" for name in lacking) or "none"
    return (
        f"{len(names)} sub-commands in {len(rows)} runs. {len(names) - len(broken)} work on the real one; "
        f"of these do not (wholly) work on the reference: {shown}."
    )
