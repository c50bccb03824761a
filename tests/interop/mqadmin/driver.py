"""Talks to ``Admin.java``: commands of mqadmin go in, what they print comes out."""

from __future__ import annotations

import base64
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from java_broker import jars

VERSION = "4.9.7"


@dataclass(frozen=True, slots=True)
class Said:
    """How a command ended and what it printed."""

    end: str
    """done, exit (it wanted to end the JVM), stopped (it has no end of its own) or error."""
    text: str


class Driver:
    """One JVM that runs commands one after another."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def run(self, words: Sequence[str]) -> Said:
        """Run one command, or one wish of ours. RuntimeError when the JVM is gone."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("\t".join(words) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the JVM ended before {words} was answered")
        end, _, text = line.rstrip("\n").partition("\t")
        return Said(end, base64.b64decode(text).decode("utf-8", "replace"))


@contextmanager
def admin(home: Path, endless_ms: int = 6000) -> Iterator[Driver]:
    """Compile the driver and run it below ``home``; a command without end is stopped after ``endless_ms``."""
    libs = f"{jars(VERSION)}/*"
    home.mkdir(parents=True, exist_ok=True)
    subprocess.run(
        ["javac", "-nowarn", "-cp", libs, "-d", str(home), str(Path(__file__).with_name("Admin.java"))],
        check=True,
        capture_output=True,
        timeout=120,
    )
    (home / "conf").mkdir(exist_ok=True)
    (home / "conf" / "logback_tools.xml").write_text('<configuration><root level="OFF"/></configuration>\n')
    options = [
        "-Djava.security.manager=allow",
        f"-DendlessMs={endless_ms}",
        f"-Duser.home={home}",
        f"-Djava.io.tmpdir={home}",
    ]
    options += [f"-Drocketmq.home.dir={home}", "-Duser.timezone=UTC"]
    process = subprocess.Popen(
        ["java", "-Xmx256m", *options, "-cp", f"{home}:{libs}", "Admin"],
        cwd=home,
        env={"ROCKETMQ_HOME": str(home), "PATH": "/usr/bin:/bin"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        yield Driver(process)
    finally:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.close()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()
