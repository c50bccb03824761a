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
from mqcheck.chaos.order import wishes_of
from mqcheck.chaos.stand import Leaving
from mqcheck.chaos.vocabulary import make_faults
from mqcheck.errors import HarnessError, SettingsError

EVERY_MS: Final = 100
"""How often `wait_until` asks. Ours."""

WAITED_FOR: Final = ("success_rate", "latency_ms", "per_second", "consumer_lag", "routes", "acknowledged", "running")
"""Probes that can be waited for."""


def bring_up(**arguments: Any) -> dict[str, Any]:
    """Bring a cluster up in the middle of the method, with the control's own arguments.

    Only where the control says ``bring_up: false``: it does the same before the steady state is asked for.
    """
    here = begin(wishes_of(arguments), Path.cwd())
    return {"target": here.order.target.name, "seed": here.order.seed, "nodes": list(here.stand.world.cluster.nodes)}


def start_load(
    topic: str = "orders",
    name: str = "producer",
    producers: int = 2,
    rate_per_s: float = 60.0,
    workers: int = 2,
    process: bool = False,
) -> list[str]:
    """Producers that send steadily until `stop_load`; names of their clients (``<name>-1``, …).

    ``rate_per_s`` is all producers' together, ``workers`` one producer's sends under way at once. With ``process`` each
    is a process of its own, which faults can kill and pause.
    """
    here = current()
    return here.bridge.call(here.stand.start_load(topic, name, producers, rate_per_s, workers, process))


def stop_load(name: str = "producer") -> None:
    """End a load and wait for its sends under way."""
    here = current()
    here.bridge.call(here.stand.stop_load(name))


def start_consumers(
    group: str = "billing",
    topic: str = "orders",
    members: int = 2,
    work_ms: int = 0,
    process: bool = False,
    orderly: bool = False,
) -> list[str]:
    """More members of a consumer group; names of their clients (``<group>-1``, …).

    ``work_ms`` is how long a listener takes for a message; it and ``orderly`` are the whole group's, the first call's.
    """
    here = current()
    return here.bridge.call(here.stand.start_consumers(group, topic, members, work_ms, process, orderly))


def stop_consumers(group: str = "billing", members: int | None = None, how: Leaving = "leave") -> list[str]:
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
    times: int = 3,
    on_ms: int = 500,
    off_ms: int = 500,
    **parameters: Any,
) -> dict[str, Any]:
    """Break and mend the same thing so many times, broken for ``on_ms``, whole for ``off_ms``; it ends whole."""
    here = current()
    called = name or fault

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
    if probe not in WAITED_FOR:
        raise SettingsError(f"no probe {probe!r} can be waited for; there are {', '.join(WAITED_FOR)}")
    if at_least is None and at_most is None and equals is None:
        raise SettingsError(f"wait_until {probe}: say at_least, at_most or equals")
    ask, here = getattr(probes, probe), current()
    began = time.monotonic()
    while True:
        value = ask(**(arguments or {}))
        waited_s = time.monotonic() - began
        if _within(value, at_least, at_most, equals):
            return {"value": value, "waited_ms": round(waited_s * 1000)}
        if waited_s >= within_s:
            bounds = {"at_least": at_least, "at_most": at_most, "equals": equals}
            wanted = ", ".join(f"{key} {bound}" for key, bound in bounds.items() if bound is not None)
            raise HarnessError(f"waited {within_s} s for {probe} {dict(arguments or {})} to be {wanted}; it is {value}")
        here.bridge.call(asyncio.sleep(EVERY_MS / 1000))


def _within(value: Any, at_least: float | None, at_most: float | None, equals: Any) -> bool:
    return (
        (at_least is None or value >= at_least)
        and (at_most is None or value <= at_most)
        and (equals is None or value == equals)
    )
