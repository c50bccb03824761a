"""A Docker daemon and an image to test with: the machine's own daemon, or one that is started for the tests."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from docker_image import import_command, make_root

from mqcheck.containers import DaemonConnection
from mqcheck.errors import UserError
from mqcheck.guard import Guard
from mqcheck.targets.apache import TRIED
from mqcheck.targets.container_life import DEFAULT_HOST, Daemon, connect
from mqcheck.targets.releases import cache_folder, jars_of_maven

VERSION = TRIED[-1]
IMAGE = f"mqcheck-test/rocketmq:{VERSION}"
READY_SECONDS_MAX = 60.0
"""Longest wait for a daemon on a busy machine."""


@pytest.fixture(scope="session")
def daemon() -> Iterator[Daemon]:
    """The one that ``DOCKER_HOST`` names or that the system runs, or one of our own in a folder that is removed."""
    pytest.importorskip("docker", reason='needs the Docker SDK: pip install "mqcheck[docker]"')
    if os.environ.get("DOCKER_HOST") or _answers(Path(DEFAULT_HOST.removeprefix("unix://"))):
        try:
            found = connect(os.environ)
        except UserError as error:
            pytest.skip(str(error))
        yield found
        found.client.close()
        return
    program = shutil.which("dockerd")
    if program is None or os.geteuid() != 0:
        pytest.skip("needs a Docker daemon, or dockerd and the right (root) to start one: apt-get install docker.io")
    guard = Guard()
    folder = Path(tempfile.mkdtemp(prefix="mqcheck-docker-"))  # the path of a socket must be short
    guard.folder(folder)
    guard.mount(folder / "exec" / "netns" / "default")  # dockerd leaves it behind
    process = None
    try:
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [program, *_options(folder)], stdout=log, stderr=log, env=guard.environment(), start_new_session=True
            )
        guard.process(process.pid)
        _wait(process, folder)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("DOCKER_HOST", f"unix://{folder}/socket")
            found = connect(os.environ)
            yield found
            found.client.close()
    finally:
        if process is not None:
            process.terminate()
            process.wait(READY_SECONDS_MAX)
        guard.close()


@pytest.fixture(scope="session")
def image(daemon: Daemon, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An image of Apache RocketMQ, and of a shell."""
    for program in ("jlink", "mvn", "ldd"):
        if shutil.which(program) is None:
            pytest.skip(f"needs {program} to make an image; install a JDK and Maven")
    jars = jars_of_maven(VERSION, cache_folder(os.environ), os.environ)
    work = tmp_path_factory.mktemp("image")
    root = make_root(work, VERSION, jars)
    name, _, tag = IMAGE.rpartition(":")
    daemon.client.api.import_image_from_file(str(root), repository=name, tag=tag, changes=import_command(VERSION))
    shutil.rmtree(work)
    yield IMAGE
    daemon.client.images.remove(IMAGE, force=True)


def _options(folder: Path) -> list[str]:
    """No bridge and no rules in the firewall: containers of the kit use the host's network."""
    return [
        f"--data-root={folder}/data",
        f"--exec-root={folder}/exec",
        f"--pidfile={folder}/pid",
        f"--host=unix://{folder}/socket",
        "--bridge=none",
        "--iptables=false",
    ]


def _wait(process: subprocess.Popen[bytes], folder: Path) -> None:
    deadline = time.monotonic() + READY_SECONDS_MAX
    while not _answers(folder / "socket"):
        if process.poll() is not None or time.monotonic() > deadline:
            said = (folder / "log").read_text(errors="replace").strip().splitlines()[-3:]
            pytest.skip(f"dockerd cannot run here: {' '.join(said)}")
        time.sleep(0.05)


def _answers(socket: Path) -> bool:
    connection = DaemonConnection(socket)
    try:
        connection.request("GET", "/_ping")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()
