"""Faults of single frames: the Nth request or response of a code is lost, late, held back or comes twice.

Finer than `link`: a connection stays as it is, and what a peer sees is one answer missing, one request twice. Each is a
rule of the network (`mqcheck.links.frame_rules`) on one link or pattern of links, which the scenario names in `frames`
where they lead to brokers. A late or held request is overtaken by later ones of its connection, which no line does:
for requests of one sender that wait for their answers it makes no difference.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from mqcheck.faults.base import Fault, Ground
from mqcheck.links.frame_rules import FrameCounts, FrameRule, FrameSide, FrameVerb


@dataclass(slots=True, eq=False)
class FrameFault(Fault):
    """A fault of single frames on the links that match a pattern; its count goes over all of them together."""

    pattern: str
    """A link (``producer-1->broker-a``) or a glob over links."""
    codes: tuple[int, ...]
    """Request codes; a response is known by the request it answers."""
    side: FrameSide = "response"
    every: int = 1
    """Each so-many-th of the frames that match."""
    times: int | None = None
    """At most so many; None: until it is healed."""

    verb: ClassVar[FrameVerb]

    @property
    def link(self) -> str:
        """The link or pattern."""
        return self.pattern

    @property
    def rule(self) -> FrameRule:
        """As the network takes it."""
        return FrameRule(self.verb, self.side, frozenset(self.codes), self.every, self.times)

    def parameters(self) -> Mapping[str, Any]:
        """Which frames."""
        return {"codes": list(self.codes), "side": self.side, "every": self.every, "times": self.times}

    async def inject(self, ground: Ground) -> None:
        """Put the rule into force; raises LinkError where no link matches, or nobody sees its frames."""
        await ground.network.frames(self.pattern, self.rule)

    async def heal(self, ground: Ground) -> Mapping[str, Any]:
        """Take it out of force; what it did. `frames_seen` is what matched, and no effect."""
        counts = await ground.network.heal_frames(self.pattern, self.rule)
        return {**self.effect(counts), "frames_seen": counts.seen}

    def confirmed(self, effect: Mapping[str, Any]) -> bool:
        """At least one frame was dealt with."""
        return any(value > 0 for key, value in effect.items() if key != "frames_seen")

    @abstractmethod
    def effect(self, counts: FrameCounts) -> Mapping[str, int]:
        """What it did."""


@dataclass(slots=True, eq=False)
class DropFrame(FrameFault):
    """Loses single frames; the connection goes on. Reveals answers taken for granted, and work that is done twice."""

    kind: ClassVar[str] = "frame-drop"
    needs: ClassVar[str] = "partition"
    verb: ClassVar[FrameVerb] = "drop"

    def effect(self, counts: FrameCounts) -> Mapping[str, int]:
        """Frames that were lost."""
        return {"frames_dropped": counts.acted}


@dataclass(slots=True, eq=False)
class DelayFrame(FrameFault):
    """Hands single frames on later; others overtake them. Reveals answers that are matched by their order."""

    delay_ms: int = 500

    kind: ClassVar[str] = "frame-delay"
    needs: ClassVar[str] = "latency"
    verb: ClassVar[FrameVerb] = "delay"

    @property
    def rule(self) -> FrameRule:
        """As the network takes it."""
        return FrameRule(self.verb, self.side, frozenset(self.codes), self.every, self.times, self.delay_ms)

    def parameters(self) -> Mapping[str, Any]:
        """Which frames, and how late."""
        return {
            "codes": list(self.codes),
            "side": self.side,
            "every": self.every,
            "times": self.times,
            "delay_ms": self.delay_ms,
        }

    def effect(self, counts: FrameCounts) -> Mapping[str, int]:
        """Frames that were late."""
        return {"frames_delayed": counts.acted}


@dataclass(slots=True, eq=False)
class HoldFrame(FrameFault):
    """Keeps single frames until it is healed, then hands them on. Reveals what an answer does that nobody awaits."""

    kind: ClassVar[str] = "frame-hold"
    needs: ClassVar[str] = "partition"
    verb: ClassVar[FrameVerb] = "hold"

    def effect(self, counts: FrameCounts) -> Mapping[str, int]:
        """Frames kept, and those of them that a connection was still there for."""
        return {"frames_held": counts.acted, "frames_released": counts.released}


@dataclass(slots=True, eq=False)
class DuplicateFrame(FrameFault):
    """Hands single frames on twice, as a sender does that was told nothing. Reveals answers that are counted twice.

    A request that comes twice is worked off twice: a message sent so is stored twice, and that is no violation.
    """

    kind: ClassVar[str] = "frame-duplicate"
    needs: ClassVar[str] = "partition"
    verb: ClassVar[FrameVerb] = "duplicate"

    def effect(self, counts: FrameCounts) -> Mapping[str, int]:
        """Frames that came twice."""
        return {"frames_duplicated": counts.acted}
