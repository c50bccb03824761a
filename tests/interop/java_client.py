"""The official Java clients: builds our program against one version and runs it."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from clients import Cluster, Result, alone, results_of
from java_broker import jars

SOURCES = Path(__file__).parent / "java"
AT_ONCE = 5
"""Features that run at the same time."""
RUN_S_MAX = 600
MOVED_IN_5 = {
    "org.apache.rocketmq.common.protocol.": "org.apache.rocketmq.remoting.protocol.",
    "org.apache.rocketmq.common.subscription.": "org.apache.rocketmq.remoting.protocol.subscription.",
}
"""Packages that have another name from 5.0 on."""


def build(version: str) -> Path:
    """Compile our program against a version's jars; the folder of its classes, made once for each state of it."""
    libraries = jars(version)
    sources = sorted([*SOURCES.glob("*.java"), *(SOURCES / f"v{version[0]}").glob("*.java")])
    texts = {source.name: source.read_text(encoding="utf-8") for source in sources}
    state = hashlib.sha256("".join(texts.values()).encode()).hexdigest()[:12]
    with alone(f"java-{version}-{state}") as folder:
        if not (folder / "built").exists():
            for name, text in texts.items():
                (folder / name).write_text(_moved(text) if version.startswith("5") else text, encoding="utf-8")
            command = ["javac", "-nowarn", "-encoding", "UTF-8", "-cp", f"{libraries}/*", *texts]
            subprocess.run(command, cwd=folder, check=True, timeout=120, capture_output=True)
            (folder / "built").touch()
    return folder


def _moved(text: str) -> str:
    for old, new in MOVED_IN_5.items():
        text = text.replace(old, new)
    return text


def run(
    version: str,
    cluster: Cluster,
    home: Path,
    features: Sequence[str] = (),
    *,
    binary: bool = False,
    properties: Mapping[str, str] | None = None,
) -> list[Result]:
    """Run features, all when none is named; ``binary``: with RocketMQ's binary headers; ``properties``: of Java."""
    client = f"java-{version}-binary" if binary else f"java-{version}"
    options = [f"-Duser.home={home}", "-Drocketmq.client.logLevel=ERROR", f"-Drocketmq.client.logRoot={home}"]
    options += [f"-D{key}={setting}" for key, setting in (properties or {}).items()]
    if binary:
        options.append("-Drocketmq.serialize.type=ROCKETMQ")
    path = f"{build(version)}:{jars(version)}/*"
    command = ["java", "-Xmx512m", *options, "-cp", path, "Harness", cluster.namesrv, cluster.broker, str(AT_ONCE)]
    done = subprocess.run([*command, *features], capture_output=True, text=True, timeout=RUN_S_MAX, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return results_of(client, done.stdout)


def names(version: str) -> list[str]:
    """All features that our program knows."""
    command = ["java", "-cp", f"{build(version)}:{jars(version)}/*", "Harness", "", "", "1", "list"]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.split()
