"""Faults of what a broker finds when it starts: a log that ends in a damaged record, queues that are gone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from mqcheck.errors import FaultError, NodeEndedError
from mqcheck.faults.base import Fault, Ground
from mqcheck.faults.power import SAID_CHARACTERS_MAX
from mqcheck.rocketmq.tail import Spoil
from mqcheck.targets.base import node_named


@dataclass(frozen=True, slots=True, eq=False)
class BadTail(Fault):
    """A broker's machine loses power in the middle of a write: its log ends in a damaged record. Healed by starting it.

    Reveals recoveries that show what is broken, or give up for it.
    """

    kind: ClassVar[str] = "bad-tail"
    needs: ClassVar[str] = "bad-tail"

    victim: str
    """Name of a broker node."""
    how: Spoil
    """What is wrong with the record."""

    @property
    def node(self) -> str:
        """The node it hits."""
        return self.victim

    def parameters(self) -> Mapping[str, Any]:
        """What is wrong with the record."""
        return {"how": self.how}

    async def inject(self, ground: Ground) -> Mapping[str, Any]:
        """Cut, then damage; effect: what the cut dropped, and the bytes written."""
        node = node_named(ground.cluster, self.victim)
        if not node.running:
            raise FaultError(f"{self} hits nothing: {self.victim} is not running; start it first")
        cut = await node.power_cut(ground.rng, torn=False)
        return {**cut, **await node.spoil_tail(ground.rng, self.how)}

    async def heal(self, ground: Ground) -> Mapping[str, Any] | None:
        """Start it again; one that ends by itself on what it found stays down, and the effect says so."""
        try:
            await node_named(ground.cluster, self.victim).start()
        except NodeEndedError as error:
            return {"did_not_start": str(error)[-SAID_CHARACTERS_MAX:]}
        return None

    def confirmed(self, effect: Mapping[str, Any]) -> bool:
        """Was anything damaged?"""
        return bool(effect.get("bytes_written"))


@dataclass(frozen=True, slots=True, eq=False)
class LostQueues(Fault):
    """A broker is stopped and finds its log alone when it is started again: consume queues and index are gone.

    Reveals recoveries that trust files which they could make anew.
    """

    kind: ClassVar[str] = "lost-queues"
    needs: ClassVar[str] = "lost-queues"

    victim: str
    """Name of a broker node."""

    @property
    def node(self) -> str:
        """The node it hits."""
        return self.victim

    async def inject(self, ground: Ground) -> Mapping[str, Any]:
        """Stop, then remove; effect: files removed."""
        node = node_named(ground.cluster, self.victim)
        if not node.running:
            raise FaultError(f"{self} hits nothing: {self.victim} is not running; start it first")
        await node.stop()
        return await node.lose_queues()

    async def heal(self, ground: Ground) -> None:
        """Start it again."""
        await node_named(ground.cluster, self.victim).start()
