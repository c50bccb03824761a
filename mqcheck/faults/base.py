"""What a fault is, and the control that injects, heals and records faults.

A fault hits one node or the links of one pattern. Each kind is a small class beside this file (`process`, `power`,
`disk`, `link`); nothing here knows how any of them is done.
"""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, ClassVar

import msgspec

from mqcheck.clock import Clock
from mqcheck.errors import FaultError, SettingsError
from mqcheck.history.recorder import Recorder
from mqcheck.links.base import NetworkLike
from mqcheck.targets.base import Cluster, Victim, node_named


@dataclass(frozen=True, slots=True)
class Ground:
    """What faults act on; the same in both worlds."""

    network: NetworkLike
    cluster: Cluster
    recorder: Recorder
    clock: Clock
    rng: random.Random
    victims: dict[str, Victim] = field(default_factory=dict)
    """Clients in processes of their own, by name; the world adds them."""

    def victim(self, name: str) -> Victim:
        """The node or client process of that name; raises SettingsError that lists the nodes there are."""
        return self.victims[name] if name in self.victims else node_named(self.cluster, name)


class Fault(ABC):
    """One thing that breaks. An object is injected once at a time; after healing it may be injected again."""

    kind: ClassVar[str]
    """As the history's table `faults` names it."""
    needs: ClassVar[str]
    """The capability of a target without which it cannot be done."""

    @property
    def node(self) -> str | None:
        """The node it hits, or None for a fault of links."""
        return None

    @property
    def link(self) -> str | None:
        """The link or pattern of links it hits, or None for a fault of a node."""
        return None

    @property
    def direction(self) -> str | None:
        """`up`, `down` or `both` where the fault has a direction."""
        return None

    def parameters(self) -> Mapping[str, Any]:
        """Its numbers, with units in the names."""
        return {}

    @abstractmethod
    async def inject(self, ground: Ground) -> Mapping[str, Any] | None:
        """Break it and return when it surely is broken; the effect known by then. Raises FaultError or LinkError."""

    @abstractmethod
    async def heal(self, ground: Ground) -> Mapping[str, Any] | None:
        """Mend it and return when it surely is mended; the effect it had. Raises FaultError, LinkError, NodeError."""

    def confirmed(self, effect: Mapping[str, Any]) -> bool:
        """Did it do anything? Here: any number of the effect above zero. A fault without effect proves nothing."""
        return any(isinstance(value, (int, float)) and value > 0 for value in effect.values())

    def __str__(self) -> str:
        return f"{self.kind} on {self.node or self.link}"


@dataclass(slots=True)
class _Active:
    """A fault between `began` and `healed`."""

    op: int
    effect: dict[str, Any]


class FaultControl:
    """Injects and heals, and writes a row of `faults` with its four stamps for each."""

    def __init__(self, ground: Ground, capabilities: frozenset[str]) -> None:
        self._ground = ground
        self.capabilities = capabilities
        """What the target can take."""
        self._active: dict[Fault, _Active] = {}

    @property
    def active(self) -> tuple[Fault, ...]:
        """Faults not healed yet, oldest first."""
        return tuple(self._active)

    async def inject(self, fault: Fault) -> int:
        """Break something; the history's id of the fault. Raises FaultError when it is already broken by it."""
        if fault in self._active:
            raise FaultError(f"{fault} is already injected; heal it first")
        if fault.needs not in self.capabilities:
            raise SettingsError(
                f"{fault} needs the capability {fault.needs!r}, and this target has "
                f"{', '.join(sorted(self.capabilities))}; name it in the scenario's `needs`"
            )
        recorder = self._ground.recorder
        op = recorder.begin(
            "faults",
            kind=fault.kind,
            node=fault.node,
            link=fault.link,
            direction=fault.direction,
            parameters=_json(fault.parameters()),
            began=self._now(),
        )
        active = self._active[fault] = _Active(op, {})
        active.effect.update(await fault.inject(self._ground) or {})
        recorder.end("faults", op, active=self._now())
        return op

    async def heal(self, fault: Fault) -> None:
        """Mend it; healing what is not broken does nothing. Raises what the fault raises: a harness error."""
        active = self._active.get(fault)
        if active is None:
            return
        recorder = self._ground.recorder
        recorder.end("faults", active.op, healing=self._now())
        active.effect.update(await fault.heal(self._ground) or {})
        recorder.end(
            "faults",
            active.op,
            healed=self._now(),
            confirmed=fault.confirmed(active.effect),
            effect=_json(active.effect),
        )
        del self._active[fault]

    async def heal_all(self) -> None:
        """Mend everything, latest first, all of it even if some fail; raises FaultError naming those that did."""
        failures: list[str] = []
        for fault in reversed(self.active):
            try:
                await self.heal(fault)
            except Exception as error:  # the others must be healed all the same
                failures.append(f"{fault}: {error}")
        if failures:
            raise FaultError("not healed: " + "; ".join(failures))

    @asynccontextmanager
    async def during(self, fault: Fault) -> AsyncIterator[None]:
        """Broken inside the block, mended after it, however the block ends."""
        await self.inject(fault)
        try:
            yield
        finally:
            await self.heal(fault)

    def _now(self) -> int:
        return self._ground.clock.monotonic_ns()


def _json(data: Mapping[str, Any]) -> str:
    return msgspec.json.encode(dict(data)).decode()
