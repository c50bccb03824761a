"""What goes wrong with single frames, as somebody who uses this server in tests asks for it over the control socket.

A wrapper around a core, there only while a rule is: frames get lost, come late or twice, or are refused, where they
enter and leave the core. A client sees what it would see of a line or a broker that does so. Must not know sockets or
clocks: it is called as a core is. What a rule may say is ``Rule``; the words are those of the kit's own frame faults.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal, get_args

from msgspec import Struct

from reference_impl.commands import ResponseCode
from reference_impl.effects import Close, Effect, Reply
from reference_impl.frame import Command
from reference_impl.message import decode_properties
from reference_impl.sabotage.base import PassingCore
from reference_impl.server import Core

Verb = Literal["drop", "delay", "hold", "duplicate", "refuse", "close"]
"""drop: lost. delay: later. hold: once the rule is taken away. duplicate: twice. refuse: answered with ``code`` and not
served. close: instead of its answer, the connection ends.
"""
Side = Literal["request", "response"]

FIELDS: Final[Mapping[str, tuple[str, ...]]] = {
    "topic": ("topic", "b", "originTopic"),
    "group": ("consumerGroup", "producerGroup", "group", "a"),
}
"""Where requests have what a rule may ask for; one-letter names are those of SEND_MESSAGE_V2."""
OF_PROPERTIES: Final = {"keys": "KEYS", "tags": "TAGS"}
"""What a rule may ask of the message of a send, and the property's name."""


class Rule(Struct, frozen=True):
    """Which frames, and what becomes of them."""

    verb: Verb
    side: Side
    codes: frozenset[int]
    """Request codes; an answer is known by the request that it answers. Empty: every code."""
    wanted: Mapping[str, str] = {}
    """Values that a request must have besides: ``topic``, ``group``, and of a send ``keys``, ``tags``."""
    nth: int = 1
    """The first of the matching frames that is dealt with, from 1."""
    every: int = 1
    """From there on each so-many-th."""
    times: int | None = 1
    """At most so many; None: until the rule is taken away."""
    delay_ms: int = 0
    code: int = ResponseCode.SYSTEM_BUSY
    remark: str = ""

    def matches(self, command: Command) -> bool:
        """Whether it is about this request."""
        if self.codes and command.code not in self.codes:
            return False
        if self.side == "response" and command.is_oneway:
            return False
        return all(_value(command, name) == value for name, value in self.wanted.items())


class _Active(Struct):
    rule: Rule
    seen: int = 0
    acted: int = 0

    def acts(self) -> bool:
        """One more frame matches; whether it is dealt with."""
        self.seen += 1
        rule, since = self.rule, self.seen - self.rule.nth
        if since < 0 or since % rule.every or (rule.times is not None and self.acted >= rule.times):
            return False
        self.acted += 1
        return True


class _Parked(Struct, frozen=True):
    """A frame that waits."""

    number: int
    """Of the rule."""
    due_ms: int | None
    """None: until the rule is taken away."""
    conn: int
    request: tuple[tuple[str, int], Command] | None
    """Peer and command; None for an answer."""
    answer: Effect | None


class Interference(PassingCore):
    """A core some of whose frames fare badly. Counts over all connections."""

    def __init__(self, inner: Core) -> None:
        super().__init__(inner)
        self._active: dict[int, _Active] = {}
        self._count = 0
        self._awaited: dict[tuple[int, int], int] = {}
        """Connection and opaque of a request whose answer a rule waits for → the rule's number."""
        self._once: set[tuple[int, int]] = set()
        """Requests that are served twice, and one of whose answers is still to be dropped."""
        self._parked: list[_Parked] = []

    @property
    def idle(self) -> bool:
        """Whether there is no rule, and nothing that an earlier one keeps."""
        return not self._active and not self._parked

    def begin(self, rule: Rule) -> int:
        """Put a rule into force; its number."""
        self._count += 1
        self._active[self._count] = _Active(rule)
        return self._count

    def counts(self, number: int) -> dict[str, int]:
        """Frames that matched a rule (``seen``), and that it dealt with (``acted``). ValueError for an unknown one."""
        active = self._active.get(number)
        if active is None:
            raise ValueError(f"no rule {number}; there are {sorted(self._active) or 'none'}")
        return {"seen": active.seen, "acted": active.acted}

    def end(self, now_ms: int, number: int) -> tuple[dict[str, int], list[Effect]]:
        """Take a rule out of force: what it has done, and the effects of what it kept."""
        counts = self.counts(number)
        del self._active[number]
        self._awaited = {key: rule for key, rule in self._awaited.items() if rule != number}
        held = [each for each in self._parked if each.number == number]
        return counts, self._release(now_ms, held)

    def request(self, now_ms: int, conn: int, peer: tuple[str, int], command: Command) -> list[Effect]:
        """Serve it, unless a rule has something else in mind."""
        if command.is_response:
            return super().request(now_ms, conn, peer, command)
        number, rule = self._rule_for(command)
        if rule is None or number is None:
            return super().request(now_ms, conn, peer, command)
        if rule.side == "response":
            self._awaited[conn, command.opaque] = number
            return super().request(now_ms, conn, peer, command)
        if rule.verb == "refuse":
            remark = rule.remark or f"[{ResponseCode(rule.code).name}] as a test asked for"
            return [] if command.is_oneway else [Reply(conn, command.reply(rule.code, remark=remark))]
        if rule.verb == "duplicate":
            effects = super().request(now_ms, conn, peer, command)
            self._once.add((conn, command.opaque))
            return [*effects, *super().request(now_ms, conn, peer, command)]
        if rule.verb == "close":
            return [Close(conn)]
        if rule.verb != "drop":
            self._park(number, now_ms, conn, request=(peer, command))
        return []

    def review(self, now_ms: int, effects: list[Effect]) -> list[Effect]:
        """Deal with answers that a rule waits for."""
        if not self._awaited and not self._once:
            return effects
        result: list[Effect] = []
        for effect in effects:
            result += self._reviewed(now_ms, effect) if isinstance(effect, Reply) else (effect,)
        return result

    def closed(self, now_ms: int, conn: int) -> list[Effect]:
        """Nobody is left to be answered; a request that waits is still served, as one that was on its way."""
        self._awaited = {key: rule for key, rule in self._awaited.items() if key[0] != conn}
        self._once = {key for key in self._once if key[0] != conn}
        return super().closed(now_ms, conn)

    def tick(self, now_ms: int) -> list[Effect]:
        """Hand on what waited long enough."""
        due = [each for each in self._parked if each.due_ms is not None and each.due_ms <= now_ms]
        return [*self._release(now_ms, due), *super().tick(now_ms)]

    def next_deadline_ms(self) -> int | None:
        """When ``tick`` has something to do."""
        times = [each.due_ms for each in self._parked if each.due_ms is not None]
        inner = super().next_deadline_ms()
        return min(times if inner is None else [*times, inner], default=None)

    def _rule_for(self, command: Command) -> tuple[int | None, Rule | None]:
        """The first rule that acts; every rule that matches counts."""
        acting = [number for number, active in self._active.items() if active.rule.matches(command) and active.acts()]
        return (acting[0], self._active[acting[0]].rule) if acting else (None, None)

    def _reviewed(self, now_ms: int, effect: Reply) -> list[Effect]:
        key = (effect.conn, effect.command.opaque)
        number = self._awaited.pop(key, None)
        active = self._active.get(number) if number is not None else None
        if active is None or number is None:
            if key in self._once:
                # Two servings, one answer; which of the two it is makes no difference.
                self._once.discard(key)
                return []
            return [effect]
        verb = active.rule.verb
        if verb == "duplicate":
            return [effect, effect]
        if verb == "close":
            return [Close(effect.conn)]
        if verb != "drop":
            self._park(number, now_ms, effect.conn, answer=effect)
        return []

    def _park(
        self,
        number: int,
        now_ms: int,
        conn: int,
        request: tuple[tuple[str, int], Command] | None = None,
        answer: Effect | None = None,
    ) -> None:
        rule = self._active[number].rule
        due_ms = now_ms + rule.delay_ms if rule.verb == "delay" else None
        self._parked.append(_Parked(number, due_ms, conn, request, answer))

    def _release(self, now_ms: int, leaving: list[_Parked]) -> list[Effect]:
        effects: list[Effect] = []
        for each in leaving:
            self._parked.remove(each)
            if each.request is not None:
                effects += super().request(now_ms, each.conn, *each.request)
            elif each.answer is not None:
                effects.append(each.answer)
        return effects


def rule_of(asked: Mapping[str, Any]) -> Rule:
    """The rule that a line of the control socket describes. Raises ValueError that says what is wrong."""
    known = {"verb", "side", "codes", "nth", "every", "times", "delay_ms", "code", "remark", *FIELDS, *OF_PROPERTIES}
    if unknown := asked.keys() - known:
        raise ValueError(f"unknown in a rule: {', '.join(sorted(unknown))}; there are {', '.join(sorted(known))}")
    for name, kind in (("verb", Verb), ("side", Side)):
        if asked.get(name) not in get_args(kind):
            raise ValueError(f"{name} is {asked.get(name)!r}; it is one of {', '.join(get_args(kind))}")
    if asked["side"] == "response" and asked["verb"] == "refuse":
        raise ValueError("a response cannot be refused: refuse the request")
    numbers = {name: _whole(name, asked[name], least) for name, least in _LEAST.items() if name in asked}
    times = asked.get("times", 1)
    if times is not None:
        times = _whole("times", times, 1)
    wanted = {name: str(asked[name]) for name in (*FIELDS, *OF_PROPERTIES) if asked.get(name) is not None}
    codes = frozenset(_whole("codes", code, 0) for code in asked.get("codes", ()))
    if numbers.get("code", 2) not in frozenset(ResponseCode):
        raise ValueError(f"code is {numbers['code']}, which is no response code")
    remark = str(asked.get("remark", ""))
    return Rule(asked["verb"], asked["side"], codes, wanted, times=times, remark=remark, **numbers)


_LEAST: Final = {"nth": 1, "every": 1, "delay_ms": 0, "code": 0}


def _whole(name: str, value: object, least: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise ValueError(f"{name} is {value!r}; it is a whole number from {least}")
    return value


def _value(command: Command, name: str) -> str | None:
    fields = command.fields
    if name in OF_PROPERTIES:
        properties = decode_properties(fields.get("properties") or fields.get("i") or "")
        return properties.get(OF_PROPERTIES[name])
    return next((fields[each] for each in FIELDS[name] if each in fields), None)
