"""The command line: ``python -m reference_impl namesrv|broker|all|fork-server [-c FILE] [-p key=value …]``.

Holds arguments, files, signals and the real resources (sockets, disk, clock, threads); everything else is a
node's. Prints one JSON line when ready; notes and errors go to stderr. SIGTERM or SIGINT stops cleanly:
everything is on the disk, the NameServers know, exit status 0.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import random
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from reference_impl.connection import Listener
from reference_impl.errors import ReferenceError_, SettingsError
from reference_impl.loose_json import dumps
from reference_impl.node import BrokerNode, NameServerNode, World, start_broker, start_nameserver, with_port
from reference_impl.ports import bind
from reference_impl.settings import BrokerSettings, Loaded, NameServerSettings, load, parse_arguments, parse_properties

if TYPE_CHECKING:
    from reference_impl.control import Deed
    from reference_impl.disk import FaultyDisk
    from reference_impl.sabotage import Sabotage


def _arguments(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m reference_impl", description="A NameServer and broker of RocketMQ 4.9."
    )
    parser.add_argument(
        "role",
        choices=("namesrv", "broker", "all", "fork-server"),
        help="what runs in this process; fork-server: starts others quickly, as it is told through --control",
    )
    parser.add_argument("-c", metavar="FILE", action="append", default=[], help="properties file; later ones win")
    parser.add_argument("-p", metavar="KEY=VALUE", action="append", default=[], help="a property; wins over files")
    parser.add_argument("--sabotage", metavar="NAME", help="plant a bug: breaks one promise")
    parser.add_argument("--odd", metavar="NAME", help="be odd in a permitted way")
    parser.add_argument("--control", metavar="FD", type=int, help="inherited socket that takes JSON lines")
    parser.add_argument(
        "--clock-ahead", metavar="MS", type=int, default=0, help="how far its clock is ahead: as an earlier life's was"
    )
    return parser.parse_args(argv)


def _load(arguments: argparse.Namespace) -> Loaded:
    properties: dict[str, str] = {}
    for name in arguments.c:
        try:
            properties |= parse_properties(Path(name).read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(f"-c {name!r} cannot be read: {error}") from error
    return load(arguments.role, properties | parse_arguments(arguments.p))


def _planted(arguments: argparse.Namespace) -> tuple[Sabotage, ...]:
    if arguments.sabotage is None and arguments.odd is None:
        return ()
    from reference_impl.sabotage import find

    return tuple(bug for role in ("namesrv", "broker") for bug in find(arguments.sabotage, arguments.odd, role))


def _log(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


class _Clock:
    """The wall clock, and how far from it this process lives."""

    def __init__(self, ahead_ms: int) -> None:
        self.ahead_ms = ahead_ms

    def __call__(self) -> int:
        return time.time_ns() // 1_000_000 + self.ahead_ms


class _Process:
    """The nodes of this process, from start to stop."""

    def __init__(self, role: str, loaded: Loaded, world: World, clock: _Clock) -> None:
        self.role = role
        self.clock = clock
        self.loaded = loaded
        self.world = world
        self.nameserver: NameServerNode | None = None
        self.broker: BrokerNode | None = None
        self.disk: FaultyDisk | None = None

    async def start(self) -> None:
        if self.role != "broker":
            self.nameserver = await self._start_nameserver(self.loaded.nameserver)
        if self.role != "namesrv":
            self.broker = await self._start_broker(self.loaded.broker)

    async def _start_nameserver(self, settings: NameServerSettings) -> NameServerNode:
        block = bind(settings.bindAddress, settings.listenPort, broker=False, rng=self.world.rng)
        settings = replace(settings, listenPort=block.port)
        disk = None
        if settings.kvConfigPath:
            from reference_impl.disk import RealDisk

            disk = RealDisk(Path(settings.kvConfigPath).parent, record=False)
        listeners = [Listener(settings.bindAddress, block.port, block.main)]
        return await start_nameserver(settings, self.world, listeners, disk)

    async def _start_broker(self, settings: BrokerSettings) -> BrokerNode:
        from reference_impl.disk import FaultyDisk, RealDisk
        from reference_impl.vip import refuse_on_vip

        if self.nameserver is not None:
            own = _address(self.nameserver.settings.bindAddress, self.nameserver.settings.listenPort)
            settings = replace(settings, namesrvAddr=";".join((own, *settings.nameservers)))
        block = bind(
            settings.bindAddress, settings.listenPort, broker=True, rng=self.world.rng, ha_port=settings.haListenPort
        )
        memory_bytes = settings.physical_memory_bytes or os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        settings = replace(with_port(settings, block.port), physical_memory_bytes=memory_bytes)
        self.disk = FaultyDisk(RealDisk(Path(settings.storePathRootDir)), time.sleep)
        listeners = [
            Listener(settings.bindAddress, block.port, block.main),
            Listener(settings.bindAddress, block.port - 2, block.vip, refuse_on_vip),
            Listener(settings.bindAddress, settings.ha_port, block.ha, stream=True),
        ]
        return await start_broker(settings, self.disk, self.world, listeners)

    async def stop(self) -> None:
        """The broker first: it says goodbye to the NameServer."""
        if self.broker is not None:
            await self.broker.stop()
        if self.nameserver is not None:
            await self.nameserver.stop()

    def ready(self) -> dict[str, Any]:
        """The ready line."""
        nameserver = None if self.nameserver is None else _shown("namesrv", self.nameserver.settings)
        broker = None if self.broker is None else _shown("broker", self.broker.settings)
        if nameserver is None or broker is None:
            return {"role": self.role, "pid": os.getpid()} | (nameserver or broker or {})
        head = {"role": "all", "address": nameserver["address"], "pid": os.getpid(), "settings": {}}
        for prefix, shown in (("namesrv", nameserver), ("broker", broker)):
            head["settings"] |= {f"{prefix}.{key}": value for key, value in shown["settings"].items()}
        return head | {"namesrv": nameserver, "broker": broker}

    def deeds(self) -> Mapping[str, Deed]:
        """What the control socket can ask for."""
        return {
            "ping": self._ping,
            "empty": self._empty,
            "disk": self._set_disk,
            "advance": self._advance,
            "frames": self._frames,
        }

    @property
    def _nodes(self) -> list[NameServerNode | BrokerNode]:
        return [node for node in (self.nameserver, self.broker) if node is not None]

    async def _advance(self, asked: Mapping[str, Any]) -> Mapping[str, Any]:
        from reference_impl.deeds import advance

        return advance(self.clock, self._nodes, asked)

    async def _frames(self, asked: Mapping[str, Any]) -> Mapping[str, Any]:
        from reference_impl.deeds import frames

        return frames(self.clock, self._nodes, asked)

    async def _ping(self, asked: Mapping[str, Any]) -> None:
        del asked

    async def _empty(self, asked: Mapping[str, Any]) -> None:
        del asked
        if self.nameserver is not None:
            self.nameserver.empty()
        if self.broker is not None:
            await self.broker.empty()

    async def _set_disk(self, asked: Mapping[str, Any]) -> Mapping[str, int]:
        if self.disk is None:
            raise ValueError("this process has no disk: it is a NameServer")
        switches = {key: value for key, value in asked.items() if key != "do"}
        if any(not isinstance(value, int) or value < 0 for value in switches.values()):
            raise ValueError("write delays and percents as whole numbers from 0, errors as true or false")
        try:
            self.disk.set(**switches)
        except TypeError as error:
            raise ValueError(f"unknown switch of a disk: {error}") from error
        return self.disk.counts()


def _address(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _shown(role: str, settings: NameServerSettings | BrokerSettings) -> dict[str, Any]:
    shown: dict[str, Any] = {"address": _address(settings.bindAddress, settings.listenPort)}
    if isinstance(settings, BrokerSettings):
        shown["address"] = _address(settings.brokerIP1, settings.listenPort)
        shown["brokerName"] = settings.brokerName
    return shown | {"settings": settings.effective()} | ({"role": role})


async def _run(arguments: argparse.Namespace) -> None:
    loaded = _load(arguments)
    for note in loaded.notes:
        _log(note)
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="sync") as executor:
        clock = _Clock(arguments.clock_ahead)
        world = World(clock, random.Random(), executor, _log, _planted(arguments), time.sleep)  # noqa: S311 - no secret
        process = _Process(arguments.role, loaded, world, clock)
        await process.start()
        control = None
        if arguments.control is not None:
            from reference_impl.control import open_control

            control = await open_control(arguments.control, process.deeds())
        sys.stdout.write(dumps(process.ready()).decode() + "\n")
        sys.stdout.flush()
        # What is there now stays: the collector need not look at it again.
        gc.freeze()
        gc.enable()
        await stop.wait()
        if control is not None:
            control.cancel()
        await process.stop()


def _fork_nodes(control: int | None) -> int:
    """Be a fork server, and then, in each process that it forks, the node that was asked for."""
    from reference_impl.fork_server import serve

    if control is None:
        _log("fork-server is told what to start through an inherited socket: give its number with --control")
        return 2
    node = serve(control)
    return 0 if node is None else main(node)


def main(argv: Sequence[str] | None = None) -> int:
    """Run until stopped; gives the exit status: 0 clean stop, 1 disk or socket failed, 2 unusable setting."""
    arguments = _arguments(sys.argv[1:] if argv is None else argv)
    if arguments.role == "fork-server":
        return _fork_nodes(arguments.control)
    try:
        asyncio.run(_run(arguments))
    except ReferenceError_ as error:
        _log(f"{type(error).__name__}: {error}")
        return 2
    except OSError as error:
        _log(f"{type(error).__name__}: {error}")
        return 1
    return 0
