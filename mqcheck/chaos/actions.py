"""Actions of an experiment: bring up, load, consumers, faults, waiting. Chaos Toolkit calls them by name.

Each blocks until it has surely happened and returns what the journal is to say of it. What goes wrong is an error of
the kit, which fails the activity with its text.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from mqcheck.chaos import probes
from mqcheck.chaos.current import begin, current
from mqcheck.chaos.order import FLAPS, flapping_of, wishes_of
from mqcheck.chaos.stand import Leaving
from mqcheck.chaos.vocabulary import make_faults
from mqcheck.chaos.waiting import wait_of
from mqcheck.chaos.work import CONSUMERS, LOAD, consumers_of, load_of
from mqcheck.errors import HarnessError, SettingsError

EVERY_MS: Final = 100
"""How often `wait_until` asks. Ours."""


def bring_up(**arguments: Any) -> dict[str, Any]:
    """Bring a cluster up in the middle of the method, with the control's own arguments.

    Only where the control says ``bring_up: false``: it does the same before the steady state is asked for.
    """
    here = begin(wishes_of(arguments), Path.cwd())
    return {"target": here.order.target.name, "seed": here.order.seed, "nodes": list(here.stand.world.cluster.nodes)}


def start_load(
    topic: str = LOAD.topic,
    name: str = LOAD.name,
    producers: int = LOAD.producers,
    rate_per_s: float = LOAD.rate_per_s,
    workers: int = LOAD.workers,
    process: bool = LOAD.process,
) -> list[str]:
    """Producers that send steadily until `stop_load`; names of their clients (``<name>-1``, …).

    ``rate_per_s`` is all producers' together, ``workers`` one producer's sends under way at once. With ``process`` each
    is a process of its own with one send under way at a time, which faults can kill and pause.
    """
    given = {"topic": topic, "name": name, "producers": producers, "rate_per_s": rate_per_s}
    load, here = load_of({**given, "workers": workers, "process": process}), current()
    return here.bridge.call(here.stand.start_load(load))


def stop_load(name: str = LOAD.name) -> None:
    """End a load and wait for its sends under way."""
    here = current()
    here.bridge.call(here.stand.stop_load(name))


def start_consumers(
    group: str = CONSUMERS.group,
    topic: str = CONSUMERS.topic,
    members: int = CONSUMERS.members,
    work_ms: int = CONSUMERS.work_ms,
    process: bool = CONSUMERS.process,
    orderly: bool = CONSUMERS.orderly,
) -> list[str]:
    """More members of a consumer group; names of their clients (``<group>-1``, …).

    ``work_ms`` is how long a listener takes for a message; it and ``orderly`` are the whole group's, the first call's.
    """
    given = {"group": group, "topic": topic, "members": members, "work_ms": work_ms}
    consumers, here = consumers_of({**given, "process": process, "orderly": orderly}), current()
    return here.bridge.call(here.stand.start_consumers(consumers))


def stop_consumers(group: str = CONSUMERS.group, members: int | None = None, how: Leaving = "leave") -> list[str]:
    """So many members of a group go (default: all): ``leave`` in good order, ``crash``, or ``silence``."""
    if how not in ("leave", "crash", "silence"):
        raise SettingsError(f"how is {how!r}; it must be one of leave, crash, silence")
    here = current()
    return here.bridge.call(here.stand.stop_consumers(group, members, how))


def inject(fault: str, where: str | list[str], name: str | None = None, **parameters: Any) -> dict[str, Any]:
    """Break something (`mqcheck chaos faults` lists what); returns when it surely is broken.

    ``where``: a node (``broker-a``), or links (``producer-*->broker-a``); several as a list. ``name`` is what `heal` is
    told, by default the fault's kind.
    """
    here = current()
    ids = here.bridge.call(here.stand.inject(name or fault, make_faults(fault, where, parameters)))
    return {"name": name or fault, "faults": ids}


def heal(name: str) -> dict[str, Any]:
    """Mend what was injected under a name; returns when it surely is mended. Healing what is healed does nothing."""
    here = current()
    return {"name": name, "healed": here.bridge.call(here.stand.heal(name))}


def heal_all() -> dict[str, Any]:
    """Mend everything that is broken, latest first."""
    here = current()
    return {"healed": here.bridge.call(here.stand.heal_all())}


def flap(
    fault: str,
    where: str | list[str],
    name: str | None = None,
    times: int = FLAPS["times"],
    on_ms: int = FLAPS["on_ms"],
    off_ms: int = FLAPS["off_ms"],
    **parameters: Any,
) -> dict[str, Any]:
    """Break and mend the same thing so many times, broken for ``on_ms``, whole for ``off_ms``; it ends whole."""
    here = current()
    called = name or fault
    times, on_ms, off_ms = flapping_of({"times": times, "on_ms": on_ms, "off_ms": off_ms})

    async def flapping() -> None:
        for _ in range(times):
            await here.stand.inject(called, make_faults(fault, where, parameters))
            await asyncio.sleep(on_ms / 1000)
            await here.stand.heal(called)
            await asyncio.sleep(off_ms / 1000)

    here.bridge.call(flapping())
    return {"name": called, "times": times}


def wait_until(
    probe: str,
    within_s: float,
    at_least: float | None = None,
    at_most: float | None = None,
    equals: Any = None,
    arguments: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Wait until a probe's value is in bounds; fails the activity when that is not so within the deadline."""
    given = {"probe": probe, "within_s": within_s, "at_least": at_least, "at_most": at_most}
    wait = wait_of({**given, "equals": equals, "arguments": arguments})
    ask, here = getattr(probes, probe), current()
    began = time.monotonic()
    while True:
        here.stand.check_up()
        value = ask(**wait.arguments)
        waited_s = time.monotonic() - began
        if wait.met(value):
            return {"value": value, "waited_ms": round(waited_s * 1000)}
        if waited_s >= wait.within_s:
            raise HarnessError(f"waited {within_s} s for {wait}; it is {value}")
        here.bridge.call(asyncio.sleep(EVERY_MS / 1000))
