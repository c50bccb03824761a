"""A real Apache RocketMQ, made of the jars of Maven Central: one NameServer and one broker on free ports.

For tests and benchmarks that compare the reference with it. Needs ``java`` and, for the first time, ``mvn``; the jars
are kept in ``.cache/rocketmq/<version>`` of the repository.
"""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from clients import alone
from processes import running

from mqcheck.links.ports import free_port

ROOT = Path(__file__).parents[2]
PARTS = ("client", "tools", "namesrv", "broker")
BOOT_S = 60
HEAP_MIB = 256, 512
"""-Xms and -Xmx of each process."""
_POM = """<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>x</groupId><artifactId>x</artifactId><version>1</version><dependencies>{}</dependencies></project>
"""
_PART = (
    "<dependency><groupId>org.apache.rocketmq</groupId><artifactId>rocketmq-{}</artifactId>"
    "<version>{}</version></dependency>"
)
# As RocketMQ's own start script does on Java 9 and later; without it deleting a topic fails.
_OPENED = (
    "--add-opens=java.base/java.nio=ALL-UNNAMED",
    "--add-opens=java.base/sun.nio.ch=ALL-UNNAMED",
    "--add-opens=java.base/jdk.internal.ref=ALL-UNNAMED",
)
_LOGBACK = '<configuration><root level="OFF"/></configuration>\n'


@dataclass(frozen=True, slots=True)
class JavaCluster:
    """A NameServer and a broker of Apache RocketMQ that run."""

    namesrv: str
    broker: str


def missing(*tools: str) -> str | None:
    """Why nothing can be run here, None when it can."""
    lacking = [tool for tool in tools if shutil.which(tool) is None]
    return f"needs {', '.join(lacking)}" if lacking else None


def jars(version: str) -> Path:
    """The folder with the jars of a version, fetched by ``mvn``, once for all who ask, when they are not there yet."""
    folder = ROOT / ".cache" / "rocketmq" / version
    if folder.exists():
        return folder
    with alone("java-jars"):
        if not folder.exists():
            _fetch(version, folder)
    return folder


def _fetch(version: str, folder: Path) -> None:
    work = folder.with_name(f"{version}.part")
    work.mkdir(parents=True, exist_ok=True)
    pom = work / "pom.xml"
    pom.write_text(_POM.format("".join(_PART.format(part, version) for part in PARTS)))
    libs = work / "libs"
    subprocess.run(
        ["mvn", "-q", "-f", str(pom), "dependency:copy-dependencies", f"-DoutputDirectory={libs}"],
        check=True,
        timeout=600,
    )
    libs.rename(folder)
    shutil.rmtree(work)


@contextmanager
def java_cluster(
    version: str,
    home: Path,
    broker: Mapping[str, object] | None = None,
    namesrv: Mapping[str, object] | None = None,
    heap_mib: tuple[int, int] = HEAP_MIB,
) -> Iterator[JavaCluster]:
    """Run a NameServer and a broker below ``home``; properties of both may be given. TimeoutError without a boot."""
    with (
        java_namesrv(version, home, namesrv, heap_mib) as address,
        java_broker(version, home, address, broker, heap_mib) as found,
    ):
        yield JavaCluster(address, found)


@contextmanager
def java_namesrv(
    version: str, home: Path, namesrv: Mapping[str, object] | None = None, heap_mib: tuple[int, int] = HEAP_MIB
) -> Iterator[str]:
    """Run a NameServer below ``home``; its address. TimeoutError without a boot."""
    port = free_port()
    properties = {
        "listenPort": port,
        "kvConfigPath": home / "kvConfig.json",
        "configStorePath": home / "namesrv.properties",
    }
    with _java(version, home, "namesrv", properties | dict(namesrv or {}), heap_mib):
        yield f"127.0.0.1:{port}"


@contextmanager
def java_broker(
    version: str,
    home: Path,
    namesrv: str,
    broker: Mapping[str, object] | None = None,
    heap_mib: tuple[int, int] = HEAP_MIB,
) -> Iterator[str]:
    """Run a broker below ``home``; its address. Its HA port is one above. TimeoutError without a boot."""
    port = free_port(vip=True)
    properties = {
        "brokerName": "broker-a",
        "brokerClusterName": "DefaultCluster",
        "brokerIP1": "127.0.0.1",
        "listenPort": port,
        "namesrvAddr": namesrv,
        "storePathRootDir": home / "store",
        "storePathCommitLog": home / "store" / "commitlog",
        "mappedFileSizeCommitLog": 64 << 20,
    }
    with _java(version, home, "broker", properties | dict(broker or {}), heap_mib):
        yield f"127.0.0.1:{port}"


@contextmanager
def _java(
    version: str, home: Path, role: str, properties: Mapping[str, object], heap_mib: tuple[int, int]
) -> Iterator[None]:
    (home / "conf").mkdir(parents=True, exist_ok=True)
    for name in ("namesrv", "broker", "tools"):
        (home / "conf" / f"logback_{name}.xml").write_text(_LOGBACK)
    conf = home / f"{role}.conf"
    conf.write_text("".join(f"{key}={value}\n" for key, value in properties.items()))
    said = home / f"{role}.out"
    starter = {"namesrv": "namesrv.NamesrvStartup", "broker": "broker.BrokerStartup"}[role]
    command = [
        "java",
        f"-Xms{heap_mib[0]}m",
        f"-Xmx{heap_mib[1]}m",
        *_OPENED,
        "-cp",
        f"{jars(version)}/*",
        f"-Duser.home={home}",
    ]
    with (
        said.open("wb") as out,
        running(
            [*command, f"org.apache.rocketmq.{starter}", "-c", str(conf)],
            env={"ROCKETMQ_HOME": str(home), "PATH": "/usr/bin:/bin"},
            cwd=home,
            stdout=out,
            stderr=subprocess.STDOUT,
        ) as process,
    ):
        _wait_for_boot(process, said)
        yield


def _wait_for_boot(process: subprocess.Popen[bytes], said: Path) -> None:
    end = time.monotonic() + BOOT_S
    while b"boot success" not in said.read_bytes():
        if process.poll() is not None or time.monotonic() > end:
            raise TimeoutError(f"no boot in {BOOT_S} s, exit {process.returncode}: {said.read_text()}")
        time.sleep(0.05)
