"""Where the jars of an Apache RocketMQ version are: in a release's folder, or fetched from Maven Central and kept.

Nothing is started here but ``mvn``, and that only when the jars of a version are wanted for the first time.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from mqcheck.errors import MissingToolError, SettingsError

PARTS: Final = ("namesrv", "broker")
"""Artifacts ``rocketmq-…`` whose jars, with all that they need, make both kinds of node."""

FETCH_SECONDS_MAX: Final = 600
"""How long ``mvn`` may take. Ours: it fetches up to 86 MB the first time."""

TAIL_CHARACTERS: Final = 1_000
"""How much of what ``mvn`` said an error shows. Ours."""

_POM: Final = """<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>mqcheck</groupId><artifactId>jars</artifactId><version>1</version><dependencies>{}</dependencies></project>
"""
_PART: Final = (
    "<dependency><groupId>org.apache.rocketmq</groupId><artifactId>rocketmq-{}</artifactId>"
    "<version>{}</version></dependency>"
)
_HOME: Final = "--mqcheck-rocketmq-home (or ROCKETMQ_HOME)"


def java_program(environ: Mapping[str, str]) -> str:
    """The Java to run: ``JAVA_HOME``'s, or the one on PATH. Raises MissingToolError."""
    home = environ.get("JAVA_HOME")
    own = Path(home) / "bin" / "java" if home else None
    found = str(own) if own is not None and own.is_file() else shutil.which("java", path=environ.get("PATH"))
    if found is None:
        raise MissingToolError(
            "Apache RocketMQ needs Java, and there is none in JAVA_HOME or on PATH: install a JDK or JRE, 8 or later"
        )
    return found


def cache_folder(environ: Mapping[str, str]) -> Path:
    """Where fetched jars are kept, a folder for each version."""
    base = environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "mqcheck" / "rocketmq"


def jars_of_release(version: str, home: Path) -> Path:
    """The folder of jars of a release's folder. Raises SettingsError when it is none, or one of another version."""
    lib = home / "lib"
    found = sorted(path.name for path in lib.glob("rocketmq-broker-*.jar"))
    if not found:
        raise SettingsError(
            f"{home} holds no lib/rocketmq-broker-….jar, so it is no release of Apache RocketMQ: give {_HOME} the "
            f"folder of an unpacked one, or leave it out and have the jars fetched"
        )
    wanted = f"rocketmq-broker-{version}.jar"
    if wanted not in found:
        there = ", ".join(re.sub(r"rocketmq-broker-(.*)\.jar", r"\1", name) for name in found)
        raise SettingsError(
            f"{home} holds Apache RocketMQ {there}, not {version}: say --mqcheck-target apache:{there}, or give "
            f"{_HOME} another folder"
        )
    return lib


def jars_of_maven(version: str, cache: Path, environ: Mapping[str, str]) -> Path:
    """The folder of jars of a version, fetched by ``mvn`` when it is not kept yet, once for all who ask at a time.

    Raises MissingToolError without ``mvn``, SettingsError when it cannot fetch that version.
    """
    folder = cache / version
    if folder.is_dir():
        return folder
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / f"{version}.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.is_dir():
            _fetch(version, folder, environ)
    return folder


def _fetch(version: str, folder: Path, environ: Mapping[str, str]) -> None:
    mvn = shutil.which("mvn", path=environ.get("PATH"))
    if mvn is None:
        raise MissingToolError(
            f"the jars of Apache RocketMQ {version} are fetched by Maven, and there is no mvn on PATH: install it, or "
            f"give {_HOME} the folder of a release"
        )
    with tempfile.TemporaryDirectory(prefix=f"{version}.", dir=folder.parent) as work:
        pom, libs = Path(work) / "pom.xml", Path(work) / "libs"
        pom.write_text(_POM.format("".join(_PART.format(part, version) for part in PARTS)), encoding="utf-8")
        try:
            done = subprocess.run(
                [mvn, "-q", "-B", "-f", str(pom), "dependency:copy-dependencies", f"-DoutputDirectory={libs}"],
                capture_output=True,
                text=True,
                timeout=FETCH_SECONDS_MAX,
                check=False,
                stdin=subprocess.DEVNULL,
            )
        except subprocess.TimeoutExpired:
            raise SettingsError(
                f"mvn did not fetch Apache RocketMQ {version} in {FETCH_SECONDS_MAX} s: is the network slow? Try "
                f"again, or give {_HOME} the folder of a release"
            ) from None
        if done.returncode != 0 or not libs.is_dir():
            said = (done.stdout + done.stderr).strip()[-TAIL_CHARACTERS:]
            raise SettingsError(
                f"mvn cannot fetch Apache RocketMQ {version}: is that a release of Maven Central, and is there a "
                f"network? Otherwise give {_HOME} the folder of a release. It said: {said}"
            )
        os.rename(libs, folder)
