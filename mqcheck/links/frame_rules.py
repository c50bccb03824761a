"""What is to happen to single frames of a network's links: lost, late, held or twice; and how often it did. Pure.

A rule knows frames by the code of the request that they are or answer. It is in force on the links of a pattern,
connections made later included; its count goes over all of them together. `frame_proxy` and `sim_network` put every
frame of a link to its `FrameLine` and hand on what that says; nothing here knows a socket.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Literal

from mqcheck.errors import LinkError

if TYPE_CHECKING:
    from mqcheck.rocketmq.frame import Command

FrameVerb = Literal["drop", "delay", "hold", "duplicate"]
"""Lost; handed on so many ms later; kept until it is healed; handed on twice."""

FrameSide = Literal["request", "response"]

HandOn = Callable[[bytes], None]
"""Sends a frame on its way."""

Way = Literal["up", "down"]

ASKED_MAX: Final = 4096
"""Unanswered requests remembered per connection and direction (ours); the answer to an older one passes untouched."""

HELD_BYTES_MAX: Final = 64 << 20
"""Bytes that one rule keeps (ours); what comes beyond them is handed on."""


@dataclass(frozen=True, slots=True)
class FrameRule:
    """Which frames, and what is done to them."""

    verb: FrameVerb
    side: FrameSide
    codes: frozenset[int]
    """Codes of requests; a response is known by the request it answers. Either may go either way."""
    every: int = 1
    """Each so-many-th of the frames that match; 1: every one."""
    times: int | None = None
    """At most so many; None: as long as it is in force. ``every=3, times=1`` is the third alone."""
    delay_ms: int = 0
    """For `delay`."""


@dataclass(slots=True)
class FrameCounts:
    """What a rule has done since it came into force."""

    seen: int = 0
    """Frames that matched."""
    acted: int = 0
    """Frames it did something to."""
    released: int = 0
    """Held and late frames that were handed on when it was healed: those whose connection was still there."""


@dataclass(slots=True, eq=False)
class _Kept:
    """A frame that is held, or late."""

    line: FrameLine
    hand_on: HandOn
    frame: bytes
    timer: Any = None
    """Hands it on in time; None: it waits until the rule is healed."""


@dataclass(slots=True, eq=False)
class _InForce:
    """A rule on the links of a pattern."""

    pattern: str
    rule: FrameRule
    counts: FrameCounts = field(default_factory=FrameCounts)
    kept: list[_Kept] = field(default_factory=list)
    """In the order they came."""

    def late(self, kept: _Kept) -> None:
        """Its time has come."""
        self.kept.remove(kept)
        if not kept.line.closed:
            kept.hand_on(kept.frame)

    def takes(self, side: FrameSide, code: int | None, size: int) -> bool:
        """Whether this frame is one that something is done to."""
        rule, counts = self.rule, self.counts
        if side != rule.side or code not in rule.codes:
            return False
        counts.seen += 1
        if counts.seen % rule.every or (rule.times is not None and counts.acted >= rule.times):
            return False
        if rule.verb in ("delay", "hold") and sum(len(each.frame) for each in self.kept) + size > HELD_BYTES_MAX:
            return False
        counts.acted += 1
        return True

    def release(self) -> None:
        """Hand on what is held or still late, in the order it came, where the connection is still there."""
        kept, self.kept = self.kept, []
        for each in kept:
            if each.timer is not None:
                each.timer.cancel()
            if not each.line.closed:
                self.counts.released += 1
                each.hand_on(each.frame)


class FrameRules:
    """The rules of one network; one event loop only."""

    def __init__(self) -> None:
        self._patterns: tuple[str, ...] = ()
        self._active: list[_InForce] = []

    def see(self, patterns: tuple[str, ...]) -> None:
        """From now on the links of these patterns are laid so that their frames are seen."""
        self._patterns = patterns

    def sees(self, link: str) -> bool:
        """Whether a link between a peer and a broker is to be laid so that its frames are seen."""
        return any(fnmatchcase(link, pattern) for pattern in self._patterns)

    def begin(self, pattern: str, rule: FrameRule) -> None:
        """Put a rule into force; LinkError when the same one is already."""
        if self._find(pattern, rule) is not None:
            raise LinkError(f"{rule.verb} of frames on {pattern} is in force already: heal it first")
        self._active.append(_InForce(pattern, rule))

    def heal(self, pattern: str, rule: FrameRule) -> FrameCounts:
        """Take a rule out of force, hand on what it holds; what it did (nothing, if it was not in force)."""
        active = self._find(pattern, rule)
        if active is None:
            return FrameCounts()
        self._active.remove(active)
        active.release()
        return active.counts

    def heal_all(self) -> None:
        """Take every rule out of force."""
        active, self._active = self._active, []
        for each in active:
            each.release()

    def line(self, link: str, call_later: Callable[[float, Callable[[], Any]], Any]) -> FrameLine:
        """For one new connection of a link; `call_later` is its event loop's."""
        return FrameLine(link, self, call_later)

    def on(self, link: str) -> Iterator[_InForce]:
        """The rules in force on a link, oldest first."""
        return (each for each in self._active if fnmatchcase(link, each.pattern))

    def _find(self, pattern: str, rule: FrameRule) -> _InForce | None:
        return next((each for each in self._active if (each.pattern, each.rule) == (pattern, rule)), None)


class FrameLine:
    """What one connection has asked, so that an answer is known by its request; what it keeps is lost when it ends."""

    def __init__(self, link: str, rules: FrameRules, call_later: Callable[[float, Callable[[], Any]], Any]) -> None:
        self._link = link
        self._rules = rules
        self._call_later = call_later
        self._asked: dict[Way, dict[int, int]] = {"up": {}, "down": {}}
        self.closed = False

    def passing(self, way: Way, command: Command, frame: bytes, hand_on: HandOn) -> None:
        """A frame has come: `hand_on` is called with it now, twice, later or never. The first rule that acts wins."""
        side: FrameSide = "response" if command.is_response else "request"
        code = self._code(way, command)
        for each in self._rules.on(self._link):
            if each.takes(side, code, len(frame)):
                self._act(each, frame, hand_on)
                return
        hand_on(frame)

    def close(self) -> None:
        """The connection has ended."""
        self.closed = True

    def _act(self, active: _InForce, frame: bytes, hand_on: HandOn) -> None:
        verb = active.rule.verb
        if verb == "duplicate":
            hand_on(frame)
            hand_on(frame)
        elif verb in ("hold", "delay"):
            kept = _Kept(self, hand_on, frame)
            active.kept.append(kept)
            if verb == "delay":
                kept.timer = self._call_later(active.rule.delay_ms / 1000, partial(active.late, kept))

    def _code(self, way: Way, command: Command) -> int | None:
        """The request's code: the frame's own, or that of the request it answers, None where that is not known."""
        if command.is_response:
            return self._asked["down" if way == "up" else "up"].pop(command.opaque, None)
        if not command.is_oneway:
            asked = self._asked[way]
            asked[command.opaque] = command.code
            if len(asked) > ASKED_MAX:
                del asked[next(iter(asked))]
        return command.code
