"""A reference RocketMQ that runs until it is told to end: what is behind ``mqcheck serve``.

For tests in any language. Ports are looked at before anything starts, a data folder has one user at a time, and after
every end, ``kill -9`` too, no process and no temporary folder is left. How nodes are started is `cluster`'s.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import select
import signal
import socket
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TextIO

from mqcheck.embedded.cluster import RocketMQCluster
from mqcheck.errors import NodeError, SettingsError
from mqcheck.guard import Guard, start_time

NAMESERVER_PORT: Final = 9876
"""RocketMQ's own; where clients look when nobody has told them."""

BROKER_PORT: Final = 10911
"""RocketMQ's own. The VIP port is 2 below it, the HA port 1 above."""

BROKER_STEP: Final = 10
"""From one broker's port to the next one's. Ours."""

AROUND_BROKER: Final = (0, -2, 1)
"""A broker's ports, from the one it is named by."""

LOOK_SECONDS: Final = 0.2
"""How often it is looked whether every node still runs. Ours."""

LEFTOVER_SECONDS_MAX: Final = 10.0
"""How long nodes of a killed predecessor may take to be gone; its guard ends them at once. Ours."""

WILDCARDS: Final = ("0.0.0.0", "")  # noqa: S104 - to be told apart
"""Hosts that are no address for a client."""

OWN: Final = {
    "bindAddress": "--host",
    "brokerIP1": "--advertise",
    "listenPort": "--port and --broker-port",
    "haListenPort": "--broker-port (it is one above)",
    "storePathRootDir": "--data",
    "namesrvAddr": "--nameservers",
    "brokerName": "--brokers",
    "brokerId": "--slaves",
    "flushDiskType": "--flush",
}
"""Properties that an option decides."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be served. Raises SettingsError for what cannot be."""

    host: str = "127.0.0.1"
    """Where every node listens."""
    advertise: str | None = None
    """What clients are told; None: `host`, or loopback where that is no address."""
    port: int = NAMESERVER_PORT
    """Of the first NameServer, others follow by one; 0: free ones."""
    broker_port: int | None = None
    """Of the first broker, others follow by ten; 0: free ones; None: 10911, or free ones where `port` is 0."""
    data: Path | None = None
    """Keeps messages; None: a temporary folder."""
    nameservers: int = 1
    brokers: int = 1
    slaves: int = 0
    """Of each broker."""
    flush: str = "ASYNC_FLUSH"
    settings: Mapping[str, str] = field(default_factory=dict)
    """RocketMQ's properties for every broker; "namesrv.KEY" for the NameServers."""

    def __post_init__(self) -> None:
        for key in self.settings:
            option = OWN.get(key.removeprefix("namesrv.").removeprefix("broker."))
            if option is not None:
                raise SettingsError(f"the setting {key} is decided by {option}: use that")
        for option, port in (("--port", self.port), ("--broker-port", self.broker_port or 0)):
            if not 0 <= port <= 65_535:
                raise SettingsError(f"{option} {port} is no port: 0 (a free one) to 65535")

    @property
    def shown_host(self) -> str:
        """What clients are told."""
        return self.advertise or ("127.0.0.1" if self.host in WILDCARDS else self.host)

    @property
    def nameserver_ports(self) -> Sequence[int]:
        """One for each NameServer; none where they are to be free ones."""
        return range(self.port, self.port + self.nameservers) if self.port else ()

    @property
    def broker_ports(self) -> Sequence[int]:
        """One for each broker and slave; none where they are to be free ones."""
        first = self.broker_port
        if first is None:
            first = BROKER_PORT if self.port else 0
        count = self.brokers * (1 + self.slaves)
        return range(first, first + count * BROKER_STEP, BROKER_STEP) if first else ()


@dataclass(frozen=True, slots=True)
class Served:
    """What runs, as whoever wants to connect needs it."""

    nameserver_address: str
    """What clients are given: "host:port", several joined by ";"."""
    broker_addresses: Mapping[str, str]
    """Masters by brokerName, as the routes say."""
    pids: Mapping[str, int]
    """Every node's process."""
    data: str | None
    """Where messages are kept; None: nowhere."""

    def as_dict(self) -> dict[str, Any]:
        """For ``--json``."""
        return {
            "nameserver_address": self.nameserver_address,
            "broker_addresses": dict(self.broker_addresses),
            "pid": os.getpid(),
            "node_pids": dict(self.pids),
            "data": self.data,
        }


def serve(wanted: Wanted, ready: Callable[[Served], None], *, until_eof: int | None = None) -> None:
    """Serve until Ctrl-C, SIGTERM or SIGHUP, or until the file descriptor `until_eof` ends; `ready` is told once.

    For the main thread. Raises SettingsError (a port or a folder that cannot be used), NodeError (a node that ended by
    itself). Nothing is left in either case.
    """
    with ExitStack() as stack:
        guard = Guard()
        stack.callback(guard.close)
        with _interrupts():
            try:
                _refuse_taken_ports(wanted)
                folder = _folder(wanted.data, guard)
                lock = stack.enter_context(_sole_user(folder))
                cluster = _cluster(wanted, folder, guard)
                stack.callback(cluster.close)
                cluster.start()
                _note(lock, cluster)
                ready(_served(wanted, cluster))
                _wait(cluster, until_eof)
            except KeyboardInterrupt:
                pass  # the usual end
            finally:
                _deaf()
                stack.close()


def _cluster(wanted: Wanted, folder: Path, guard: Guard) -> RocketMQCluster:
    settings = {
        **wanted.settings,
        "bindAddress": wanted.host,
        "namesrv.bindAddress": wanted.host,
        "brokerIP1": wanted.shown_host,
    }
    return RocketMQCluster(
        folder,
        guard,
        nameservers=wanted.nameservers,
        brokers=wanted.brokers,
        slaves=wanted.slaves,
        flush=wanted.flush,
        settings=settings,
        ports=(wanted.nameserver_ports, wanted.broker_ports),
    )


def _served(wanted: Wanted, cluster: RocketMQCluster) -> Served:
    ports = [address.rpartition(":")[2] for address in cluster.nameserver_address.split(";")]
    return Served(
        nameserver_address=";".join(f"{wanted.shown_host}:{port}" for port in ports),
        broker_addresses=cluster.broker_addresses,
        pids={name: node.pid for name, node in cluster.nodes.items()},
        data=None if wanted.data is None else str(wanted.data.resolve()),
    )


def _wait(cluster: RocketMQCluster, until_eof: int | None) -> None:
    watched = [] if until_eof is None else [until_eof]
    while True:
        for name, node in cluster.nodes.items():
            if not node.running:
                raise NodeError(f"{name} ended by itself, so nothing is served any more; its log: {node.log_tail()}")
        readable = select.select(watched, [], [], LOOK_SECONDS)[0]
        if until_eof is not None and readable and not os.read(until_eof, 65_536):
            return


# --- what may be in the way -----------------------------------------------------------------------------------------


def _refuse_taken_ports(wanted: Wanted) -> None:
    """SettingsError that names the port, what it is for, and the way out."""
    uses = [(port, "NameServer", "--port") for port in wanted.nameserver_ports]
    for port in wanted.broker_ports:
        uses += [(port + distance, f"broker at {port}", "--broker-port") for distance in AROUND_BROKER]
    seen: dict[int, str] = {}
    for port, use, option in uses:
        if port in seen:
            raise SettingsError(f"port {port} is wanted twice, by the {seen[port]} and the {use}: move one by {option}")
        seen[port] = use
        _refuse_taken_port(wanted.host, port, use, option)


def _refuse_taken_port(host: str, port: int, use: str, option: str) -> None:
    if not 1 <= port <= 65_535:
        raise SettingsError(
            f"the {use} would need port {port}, which there is not: {option} leaves room for 2 below and 1 above"
        )
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind((host, port))
            tried.listen(1)
        except socket.gaierror as error:
            raise SettingsError(f"--host {host!r} is no IPv4 address or name: {error}") from error
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise SettingsError(
                    f"port {port} of {host}, for the {use}, is in use (by another RocketMQ?): choose one with {option}"
                    f", or take free ones with --port 0"
                ) from error
            raise SettingsError(f"cannot listen on port {port} of {host}, for the {use}: {error}") from error


def _folder(data: Path | None, guard: Guard) -> Path:
    if data is None:
        made = Path(tempfile.mkdtemp(prefix="mqcheck-serve-"))
        guard.folder(made)
        return made
    try:
        data.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(f"--data {data} cannot be a folder: {error}") from error
    return data.resolve()


@contextmanager
def _sole_user(folder: Path) -> Iterator[TextIO]:
    """Two brokers on one log would ruin it. The file names the last user's nodes, for the case that it was killed."""
    try:
        file = (folder / "serve.lock").open("a+", encoding="utf-8")
    except OSError as error:
        raise SettingsError(f"--data {folder} cannot be written: {error}") from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise SettingsError(
                f"--data {folder} is in use by another mqcheck serve: end that, or choose another folder"
            ) from error
        file.seek(0)
        _await_end(folder, file.read())
        yield file


def _await_end(folder: Path, noted: str) -> None:
    """Wait for the nodes of a user that was killed."""
    try:
        nodes = {int(pid): str(began) for pid, began in json.loads(noted or "{}").items()}
    except (ValueError, AttributeError):
        nodes = {}  # cut short by a full disk or a power cut: whoever wrote it is gone
    end = time.monotonic() + LEFTOVER_SECONDS_MAX
    while living := [pid for pid, began in nodes.items() if start_time(pid) == began]:
        if time.monotonic() > end:
            raise SettingsError(
                f"--data {folder} is in use by the processes {', '.join(map(str, living))} of an earlier mqcheck serve"
                f": end them"
            )
        time.sleep(0.02)


def _note(file: TextIO, cluster: RocketMQCluster) -> None:
    file.truncate(0)
    json.dump({node.pid: start_time(node.pid) for node in cluster.nodes.values()}, file)
    file.flush()


# --- the end --------------------------------------------------------------------------------------------------------

ENDS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def _interrupt(number: int, frame: object) -> None:
    raise KeyboardInterrupt


@contextmanager
def _interrupts() -> Iterator[None]:
    """Every ending signal is a KeyboardInterrupt; those that somebody has switched off (nohup) stay so."""
    before = {number: signal.getsignal(number) for number in ENDS}
    for number, handler in before.items():
        if handler is not signal.SIG_IGN:
            signal.signal(number, _interrupt)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _deaf() -> None:
    """A second Ctrl-C does not disturb the end, which takes seconds at most."""
    for number in ENDS:
        signal.signal(number, signal.SIG_IGN)
