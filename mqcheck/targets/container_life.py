"""One life of a node in a container: made, started, watched and removed through the Docker SDK.

A container runs in the host's network and sees the node's folders where they are on the host, so that to the rest of
the kit it is a process like any other (ADR 9). The SDK blocks; each life has a thread that watches it and one that
carries out, in order, what is asked of it.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from mqcheck.containers import LABEL
from mqcheck.errors import MissingToolError, NodeError, SettingsError
from mqcheck.guard import Guard
from mqcheck.targets.processes import LOG_TAIL_BYTES

DEFAULT_HOST: Final = "unix:///var/run/docker.sock"

CALL_SECONDS_MAX: Final = 60
"""How long one call to the daemon may take. Ours: making a container of a new image takes seconds on a slow disk."""

LOG_MEGABYTES_MAX: Final = 64
"""How much of a container's output the daemon keeps while it runs. Ours; all of it goes to the scenario's logs."""

UNPAUSE_SECONDS_MAX: Final = 5.0
"""How long the daemon may take to know what it has paused. Ours."""

UNPAUSE_POLL_SECONDS: Final = 0.01
"""How often it is asked. Ours."""

REFUSED: Final = 125
"""Exit status of a container that the daemon did not start, as `docker run` has it."""


@dataclass(frozen=True, slots=True)
class Daemon:
    """A Docker daemon on this host, asked through the SDK."""

    socket: Path
    client: Any
    """A docker.DockerClient; the SDK has no types."""
    errors: tuple[type[Exception], ...]
    """What its calls raise."""

    def image(self, name: str) -> Mapping[str, Any]:
        """The configuration of an image. Raises SettingsError when the daemon does not have it."""
        try:
            found: Mapping[str, Any] = self.client.images.get(name).attrs["Config"] or {}
        except self.errors as error:
            raise SettingsError(
                f"the Docker daemon at {self.socket} cannot say what the image {name!r} is: {error}; fetch it with "
                f"docker pull, or name one out of docker images"
            ) from error
        return found


@dataclass(frozen=True, slots=True)
class ContainerSpec:
    """What a container is made of."""

    name: str
    image: str
    command: Sequence[str]
    environment: Mapping[str, str]
    """Added to the image's own."""
    folders: Sequence[Path]
    """Folders of the host, found in the container at the same place; it begins in the first."""


def connect(environ: Mapping[str, str]) -> Daemon:
    """The daemon of ``DOCKER_HOST``, by default the system's. Raises MissingToolError or SettingsError."""
    try:
        import docker
        import requests
        import urllib3
    except ImportError as error:
        raise MissingToolError(
            f'containers need the Docker SDK, and it cannot be imported ({error}): pip install "mqcheck[docker]"'
        ) from error
    host = environ.get("DOCKER_HOST") or DEFAULT_HOST
    if not host.startswith("unix://"):
        raise SettingsError(
            f"DOCKER_HOST is {host}, and containers must share this host's network and folders: name the Unix socket "
            f"of a daemon that runs here, such as {DEFAULT_HOST}"
        )
    path = Path(host.removeprefix("unix://"))
    errors = (docker.errors.DockerException, requests.RequestException, urllib3.exceptions.HTTPError, OSError)
    try:
        path.stat()  # the SDK leaves a socket open when there is nothing to connect to
        client = docker.DockerClient(base_url=host, version="auto", timeout=CALL_SECONDS_MAX)
        about = client.info()
    except errors as error:
        raise MissingToolError(
            f"no Docker daemon answers at {host} ({error}): start one, or name its socket with DOCKER_HOST=unix://PATH"
        ) from error
    if reason := elsewhere(about):
        raise SettingsError(
            f"the Docker daemon at {host} {reason}, and containers must share this host's network, where mqcheck "
            f"listens: use the system's daemon on Linux"
        )
    return Daemon(path, client, errors)


def elsewhere(about: Mapping[str, Any]) -> str | None:
    """Why containers of a daemon that says this of itself are not in this host's network; None when they can be."""
    if not sys.platform.startswith("linux"):
        return f"is asked from {sys.platform}, where containers run in a virtual machine"
    if any("rootless" in option for option in about.get("SecurityOptions") or ()):
        return "is rootless, with a network of its own"
    system = str(about.get("OperatingSystem", ""))
    return f"runs in a virtual machine ({system})" if "Docker Desktop" in system else None


class ContainerProcess:
    """A container from its making to its removal; see `NodeProcess`."""

    def __init__(
        self, daemon: Daemon, spec: ContainerSpec, *, log: Path, guard: Guard, on_end: Callable[[int], None]
    ) -> None:
        """Begin to make and start it; one that the daemon refuses has ended with `refusal`, status `REFUSED`.

        `on_end` gets the exit status in the loop's own turn.
        """
        self._loop = asyncio.get_running_loop()
        self._daemon = daemon
        self._spec = spec
        self._guard = guard
        self._on_end = on_end
        self._ended = asyncio.Event()
        self._removed = asyncio.Event()
        self._begun = threading.Event()
        self._made: Any = None
        self._container: Any = None
        """The one that was made, once it was started too."""
        self._paused = False
        self._exit_code: int | None = None
        self.pid: int | None = None
        self.refusal: str | None = None
        """What the daemon said instead of starting it."""
        self.log = log
        log.parent.mkdir(parents=True, exist_ok=True)
        self._log = log.open("ab", buffering=0)
        self._calls = ThreadPoolExecutor(1, thread_name_prefix=f"mqcheck-{spec.name}")
        guard.container(spec.name, daemon.socket)
        threading.Thread(target=self._watch, name=f"mqcheck-watch-{spec.name}", daemon=True).start()

    @property
    def ended(self) -> bool:
        """True once the daemon said so."""
        return self._ended.is_set()

    @property
    def exit_code(self) -> int | None:
        """As the daemon has it: 128 and a signal's number where one ended it; None before the end."""
        return self._exit_code

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the container's first process, after whatever was asked before."""
        if not self.ended:
            self._calls.submit(self._attempt, lambda container: container.kill(signal=number.name))

    async def wait(self, seconds: float) -> bool:
        """Wait for its end; False when it takes longer."""
        try:
            await asyncio.wait_for(self._ended.wait(), seconds)
        except TimeoutError:
            return False
        return True

    async def kill(self) -> None:
        """SIGKILL for all of it, paused or not; wait. Raises NodeError when the daemon cannot."""
        error = await self._ask(lambda container: container.kill())
        if error is not None and not await self.wait(CALL_SECONDS_MAX):
            raise NodeError(f"container {self._spec.name} cannot be killed: {error}")
        await self._ended.wait()

    async def pause(self) -> None:
        """Freeze all of it; the daemon answers when it stands still. Raises NodeError."""
        error = await self._ask(lambda container: container.pause())
        if error is not None:
            raise NodeError(f"container {self._spec.name} cannot be paused: {error}")
        self._paused = True

    async def resume(self) -> None:
        """Let it go on; nothing happens when it is not paused. Raises NodeError."""
        if not self._paused:
            return
        error = await self._ask(self._unpause)
        if error is not None and not self.ended:
            raise NodeError(f"container {self._spec.name} cannot go on: {error}")
        self._paused = False

    async def removed(self) -> None:
        """Wait until the daemon was told to remove it, soon after its end, and has done so or failed."""
        await self._removed.wait()

    def log_tail(self) -> str:
        """The end of its output, for an error message."""
        return self.log.read_bytes()[-LOG_TAIL_BYTES:].decode("utf-8", "replace").strip() or "(its log is empty)"

    def _unpause(self, container: Any) -> None:
        """A signal makes a paused container go on by itself, and the daemon knows of that a moment later."""
        deadline = time.monotonic() + UNPAUSE_SECONDS_MAX
        while True:
            try:
                container.unpause()
            except self._daemon.errors:
                container.reload()
                if container.status == "paused" and time.monotonic() < deadline:
                    time.sleep(UNPAUSE_POLL_SECONDS)
                    continue
                if container.status == "paused":
                    raise
            return

    async def _ask(self, deed: Callable[[Any], object]) -> Exception | None:
        """Carry it out once the container was started and what was asked before is done; what went wrong."""
        if self.ended:
            return None
        return await self._loop.run_in_executor(self._calls, self._attempt, deed)

    def _attempt(self, deed: Callable[[Any], object]) -> Exception | None:
        self._begun.wait()
        if self._container is None:
            return None  # it was never started: nothing to do
        try:
            deed(self._container)
        except self._daemon.errors as error:
            return error
        return None

    def _watch(self) -> None:
        """The thread: make it, start it, keep its output, wait for the end, remove it."""
        code = REFUSED
        try:
            code = self._live()
        except self._daemon.errors as error:
            if not self._begun.is_set():
                self.refusal = str(error)
            self._log.write(f"mqcheck: the Docker daemon failed: {error}\n".encode())
        finally:
            self._begun.set()
            self._log.close()
            self._call(self._reap, code)
            self._call(self._gone, self._remove())

    def _live(self) -> int:
        """Its life, seen from the daemon; its exit status."""
        made = self._made = _made(self._daemon.client, self._spec, self._guard.mark)
        made.start()
        made.reload()
        self.pid = made.attrs["State"]["Pid"] or None
        self._container = made
        self._begun.set()
        for chunk in made.logs(stream=True, follow=True):
            self._log.write(chunk)
        return int(made.wait()["StatusCode"])

    def _remove(self) -> bool:
        """Whether the daemon surely has it no more."""
        try:
            if self._made is not None:
                self._made.remove(v=True, force=True)
        except self._daemon.errors:
            return False
        return self._made is not None

    def _call(self, callback: Callable[..., None], *arguments: object) -> None:
        with suppress(RuntimeError):  # the loop was closed: nobody is left to tell
            self._loop.call_soon_threadsafe(callback, *arguments)

    def _reap(self, code: int) -> None:
        self._exit_code = code
        self._calls.shutdown(wait=False)
        self._ended.set()
        self._on_end(code)

    def _gone(self, surely: bool) -> None:
        """A container that the daemon may still have, or may still make, is left to the guard."""
        if surely:
            self._guard.forget_container(self._spec.name)
        self._removed.set()


def _made(client: Any, spec: ContainerSpec, mark: str) -> Any:
    """A container that is not started yet; what it writes belongs to whoever runs mqcheck."""
    return client.containers.create(
        spec.image,
        list(spec.command[1:]),
        entrypoint=[spec.command[0]],
        name=spec.name,
        environment=dict(spec.environment),
        labels={LABEL: mark},
        network_mode="host",
        user=f"{os.getuid()}:{os.getgid()}",
        volumes={str(folder): {"bind": str(folder), "mode": "rw"} for folder in spec.folders},
        working_dir=str(spec.folders[0]),
        log_config={"Type": "json-file", "Config": {"max-size": f"{LOG_MEGABYTES_MAX}m"}},
    )
