"""What a JVM has read and verified of a broker's jars, kept as a file that the next ones map.

With such a class data archive a node of Apache RocketMQ starts in two thirds of the processor time, and behaves the
same: a JVM takes nothing from one that does not fit its jars or itself. Made once for a version and a Java, by
starting a broker that nobody uses and ending it. Source: JEP 350.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from mqcheck.targets.ports import HeldPorts

SECONDS_MAX: Final = 60
"""How long making one may take before it is given up, with the broker ended. Ours: it takes six."""

LOOK_SECONDS: Final = 0.1
"""Time between two looks whether the broker is up. Ours."""

BOOTED: Final = b"boot success"
"""What a broker prints once all of it runs."""

OPENS: Final = ("java.nio", "sun.nio.ch", "jdk.internal.ref")
"""Packages of java.base that RocketMQ's start scripts open for Java 9 and later."""

_CONFIGURATION: Final = """listenPort={port}
haListenPort={ha_port}
brokerIP1=127.0.0.1
namesrvAddr=127.0.0.1:{port}
storePathRootDir={folder}/data
storePathCommitLog={folder}/data/commitlog
mappedFileSizeCommitLog=1048576
"""


def class_archive(java: str, jars: Path, cache: Path, environ: Mapping[str, str]) -> Path:
    """The archive for these jars and this Java, made when it is not kept yet, once for all who ask at a time.

    Where none can be made (Java before 13, a broker that does not come up, no coreutils) there is no such file, which
    JVMs pass over. Called by the target `apache`, in a thread.
    """
    archive = cache / f"classes-{_digest(java, jars)}.jsa"
    if archive.is_file():
        return archive
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / f"{archive.stem}.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not archive.is_file():
            with tempfile.TemporaryDirectory(prefix=f"{archive.stem}.", dir=cache) as work:
                if _made(java, jars, Path(work), environ):
                    os.rename(Path(work) / "made.jsa", archive)
    return archive


def _digest(java: str, jars: Path) -> str:
    """Of what an archive fits."""
    parts = [Path(java).resolve(), *sorted(jars.glob("*.jar"))]
    text = "".join(f"{path} {found.st_size} {found.st_mtime_ns}\n" for path in parts for found in [path.stat()])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _made(java: str, jars: Path, work: Path, environ: Mapping[str, str]) -> bool:
    """Start a broker in `work`, and end it once it is up: the JVM writes ``made.jsa`` as it ends."""
    timeout = shutil.which("timeout", path=environ.get("PATH"))
    if timeout is None:
        return False
    ports = HeldPorts(broker=True)
    try:
        text = _CONFIGURATION.format(port=ports.port, ha_port=ports.port + 1, folder=work)
        (work / "broker.conf").write_text(text, encoding="utf-8")
        (work / "conf").mkdir()
        (work / "conf" / "logback_broker.xml").write_text("<configuration/>", encoding="utf-8")
        # `timeout`: it ends also when this process is killed meanwhile.
        command = [
            *(timeout, "-k", "30", str(SECONDS_MAX), java, "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"),
            *(f"-XX:ArchiveClassesAtExit={work}/made.jsa", "-Dtls.server.mode=disabled", "-XX:-UsePerfData"),
            *(f"--add-opens=java.base/{package}=ALL-UNNAMED" for package in OPENS),
            *(f"-Duser.home={work}", f"-Djava.io.tmpdir={work}", "-cp", f"{jars}/*"),
            *("org.apache.rocketmq.broker.BrokerStartup", "-c", str(work / "broker.conf")),
        ]
        with (work / "output").open("wb") as output:
            broker = subprocess.Popen(
                command,
                env={**environ, "ROCKETMQ_HOME": str(work)},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
            try:
                while broker.poll() is None and BOOTED not in (work / "output").read_bytes():
                    time.sleep(LOOK_SECONDS)
            finally:
                broker.send_signal(signal.SIGTERM)
                broker.wait()
    finally:
        ports.close()
    return BOOTED in (work / "output").read_bytes() and (work / "made.jsa").is_file()
