"""The network of one scenario in the simulation: every pair of peer and server gets a relay on a host of its own.

Implements `NetworkLike` on a simulated loop's network, with everything a real link can suffer. What a real network
finds out from sockets is known here: counters are exact, and traffic round the links is told by the nodes themselves.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Mapping
from fnmatch import fnmatchcase
from typing import Any, Final

from mqcheck.errors import FrameError, LinkError
from mqcheck.history.recorder import Recorder
from mqcheck.links.base import Counters, Direction
from mqcheck.links.frame_proxy import (
    GET_BROKER_CLUSTER_INFO,
    GET_BROKER_MEMBER_GROUP,
    GET_ROUTEINFO_BY_TOPIC,
    PENDING_MAX,
    ConnectionWatcher,
)
from mqcheck.links.frame_rules import FrameCounts, FrameLine, FrameRule, FrameRules, Way
from mqcheck.links.rewrite import FrameCutter, addresses, rewrite
from mqcheck.links.sim_relay import Relay, Trouble, Wire
from mqcheck.links.tap import RegistrationTap
from mqcheck.rocketmq.frame import Command, decode

ARROW: Final = "->"

VIP_DISTANCE: Final = 2
"""How far below its main port a broker's VIP port is [MixAll.brokerVIPChannel]."""

BODY_CODES: Final = frozenset({GET_ROUTEINFO_BY_TOPIC, GET_BROKER_CLUSTER_INFO, GET_BROKER_MEMBER_GROUP})
"""Requests whose answers hold broker addresses in the body."""


class SimNetwork:
    """Lays links, hurts and heals them, counts what passes. `loop` is a simulated one."""

    def __init__(self, loop: Any, recorder: Recorder, seed: object) -> None:
        self._loop = loop
        self._recorder = recorder
        self._rng = random.Random(f"{seed}/links")  # noqa: S311 - plans, not secrets
        self._nameservers: dict[str, str] = {}
        self._brokers: dict[str, str] = {}
        self._relays: dict[str, Relay] = {}
        self._active: dict[tuple[str, str], Trouble] = {}
        self._seen: dict[str, Collection[str]] = {}
        self._rules = FrameRules()

    # -- nodes ---------------------------------------------------------------------------------------------------

    async def add_nameserver(self, name: str, address: str) -> None:
        """See `NetworkLike`."""
        self._nameservers[name] = address

    async def add_broker(
        self, name: str, broker_name: str, broker_id: int, address: str, ha_address: str | None = None
    ) -> None:
        """See `NetworkLike`; no link of the simulation leads to an HA port."""
        self._brokers[name] = address

    def share_servers(self) -> None:
        """See `NetworkLike`: in a simulation nobody else is there."""

    def see_frames(self, patterns: tuple[str, ...]) -> None:
        """See `NetworkLike`."""
        self._rules.see(patterns)

    async def nameserver_addresses(self, peer: str) -> tuple[str, ...]:
        """See `NetworkLike`."""
        if not self._nameservers:
            raise LinkError(f"{peer} asks for its NameServers and none was added: add_nameserver comes first")
        return tuple(self._relay(peer, name).address() for name in self._nameservers)

    async def broker_address(self, peer: str, node: str) -> str:
        """See `NetworkLike`."""
        return self._relay(peer, node).address()

    async def vip_address(self, peer: str, node: str) -> str:
        """See `NetworkLike`."""
        if node not in self._brokers:
            raise LinkError(f"{peer}{ARROW}{node}: {node} is no broker and has no VIP port: ask for that of a broker")
        return self._relay(peer, node).address(VIP_DISTANCE)

    def links(self, pattern: str = "*") -> list[str]:
        """See `NetworkLike`."""
        return [name for name in self._relays if fnmatchcase(name, pattern)]

    def guard(self, node: str, seen: Collection[str]) -> None:
        """Told by the target: the collection in which a node notes the hosts that have asked it something."""
        self._seen[node] = seen

    def dead(self, node: str) -> None:
        """Told by the target: a node was killed, and its kernel resets every connection it had."""
        for relay in self._relays.values():
            peer, _, server = relay.name.partition(ARROW)
            for wire in list(relay.connections):
                side = wire.server if server == node else wire.peer if peer == node else None
                if side is not None:
                    side.abort()

    # -- verbs ---------------------------------------------------------------------------------------------------

    async def latency(
        self, pattern: str, ms: int, jitter_ms: int = 0, direction: Direction = "both"
    ) -> Mapping[str, Counters]:
        """See `NetworkLike`, as for all verbs."""
        return self._disturb(pattern, Trouble("latency", direction, ms, jitter_ms))

    async def bandwidth(self, pattern: str, kb_per_s: int, direction: Direction = "both") -> Mapping[str, Counters]:
        """Limit the rate."""
        return self._disturb(pattern, Trouble("bandwidth", direction, kb_per_s))

    async def blackhole(self, pattern: str, direction: Direction = "both") -> Mapping[str, Counters]:
        """Hold every byte."""
        return self._disturb(pattern, Trouble("blackhole", direction))

    async def drop(self, pattern: str, after_ms: int = 0, direction: Direction = "both") -> Mapping[str, Counters]:
        """Lose every byte, then close."""
        return self._disturb(pattern, Trouble("drop", direction, after_ms))

    async def reset(self, pattern: str, after_ms: int = 0, direction: Direction = "both") -> Mapping[str, Counters]:
        """Reset connections."""
        return self._disturb(pattern, Trouble("reset", direction, after_ms))

    async def slow_close(self, pattern: str, ms: int, direction: Direction = "both") -> Mapping[str, Counters]:
        """Delay closing."""
        return self._disturb(pattern, Trouble("slow_close", direction, ms))

    async def slice_(
        self,
        pattern: str,
        average_bytes: int,
        variation_bytes: int = 0,
        delay_us: int = 0,
        direction: Direction = "both",
    ) -> Mapping[str, Counters]:
        """Cut into pieces."""
        return self._disturb(pattern, Trouble("slice_", direction, average_bytes, variation_bytes, delay_us))

    async def limit_data(self, pattern: str, limit_bytes: int, direction: Direction = "both") -> Mapping[str, Counters]:
        """Close after so many bytes."""
        return self._disturb(pattern, Trouble("limit_data", direction, limit_bytes))

    async def down(self, pattern: str) -> Mapping[str, Counters]:
        """Close and refuse."""
        return self._disturb(pattern, Trouble("down"))

    async def up(self, pattern: str) -> Mapping[str, Counters]:
        """Undo `down`."""
        return await self.heal(pattern, only="down")

    async def frames(self, pattern: str, rule: FrameRule) -> None:
        """See `NetworkLike`."""
        if all(self._relays[name].editor is None for name in self._matching(pattern)):
            raise LinkError(f"nobody sees single frames of {pattern}: the scenario must name its links in `frames`")
        self._rules.begin(pattern, rule)

    async def heal_frames(self, pattern: str, rule: FrameRule) -> FrameCounts:
        """See `NetworkLike`."""
        return self._rules.heal(pattern, rule)

    async def heal(self, pattern: str, *, only: str | None = None) -> Mapping[str, Counters]:
        """See `NetworkLike`."""
        for key in [key for key in self._active if fnmatchcase(key[0], pattern) and only in (None, key[1])]:
            del self._active[key]
        before = self._counts(self.links(pattern))
        for name in before:
            self._relays[name].heal(only)
        return before

    async def heal_all(self) -> None:
        """See `NetworkLike`."""
        self._active.clear()
        self._rules.heal_all()
        await self.heal("*")

    # -- measuring -----------------------------------------------------------------------------------------------

    async def counters(self, link: str) -> Counters:
        """See `NetworkLike`."""
        return sum(self._counts(self.links(link)).values(), Counters())

    async def connections(self, pattern: str = "*") -> Mapping[str, int]:
        """See `NetworkLike`."""
        return {name: len(self._relays[name].connections) for name in self.links(pattern)}

    async def leak_check(self, allow: Collection[str] = ()) -> None:
        """See `NetworkLike`; a node notes who asks it, so what never asked anything is not seen."""
        allowed = {address.rpartition(":")[0] for address in allow}
        for node, seen in self._seen.items():
            own = {relay.host_name for relay in self._relays.values() if relay.name.endswith(f"{ARROW}{node}")}
            strangers = set(seen) - own - allowed
            if strangers:
                raise LinkError(
                    f"{', '.join(sorted(strangers))} reached {node} round its links. "
                    "Clients and nodes must be given nameserver_addresses and find brokers through routes"
                )

    async def close(self) -> None:
        """See `NetworkLike`."""
        relays, self._relays = list(self._relays.values()), {}
        for relay in relays:
            relay.close()

    # -- laying --------------------------------------------------------------------------------------------------

    def _relay(self, peer: str, server: str) -> Relay:
        name = f"{peer}{ARROW}{server}"
        if name in self._relays:
            return self._relays[name]
        known = {**self._nameservers, **self._brokers}
        if server not in known:
            raise LinkError(f"{name}: {server} is no node of this network; known: {', '.join(known) or 'none'}")
        is_nameserver = server in self._nameservers

        def upstream(distance: int) -> str:
            host, _, port = (self._nameservers if is_nameserver else self._brokers)[server].rpartition(":")
            return f"{host}:{int(port) - distance}"

        def editor(wire: Wire) -> FrameEditor:
            tap = RegistrationTap(self._recorder, name, peer, server).connected() if is_nameserver else None
            return FrameEditor(self, peer, tap, self._rules.line(name, self._loop.call_later), wire)

        distances = (0,) if is_nameserver else (0, VIP_DISTANCE)
        seen = is_nameserver or self._rules.sees(name)
        relay = Relay(self._loop, self._rng, name, upstream, distances, editor if seen else None)
        self._relays[name] = relay
        for (pattern, _), trouble in self._active.items():
            if fnmatchcase(name, pattern):
                relay.disturb(trouble)
        return relay

    def as_seen_by(self, peer: str, found: frozenset[str]) -> dict[str, str]:
        """Real addresses of brokers, as this peer is to see them; lays what is missing. A broker keeps its own."""
        return {
            address: self._relay(peer, node).address()
            for node, address in self._brokers.items()
            if address in found and node != peer
        }

    def as_known_to_server(self, peer: str, found: frozenset[str]) -> dict[str, str]:
        """This peer's relays of brokers, by the addresses the NameServer knows."""
        return {
            relay.address(): relay.upstream(0)
            for relay in self._relays.values()
            if relay.name.startswith(f"{peer}{ARROW}")
            and relay.name.partition(ARROW)[2] in self._brokers
            and relay.address() in found
        }

    # -- helpers -------------------------------------------------------------------------------------------------

    def _matching(self, pattern: str) -> list[str]:
        names = self.links(pattern)
        peer, _, server = pattern.partition(ARROW)
        if not names and not set(pattern) & set("*?[") and server:
            names = [self._relay(peer, server).name]
        if not names:
            raise LinkError(f"no link matches {pattern!r}; laid so far: {', '.join(self._relays) or 'none'}")
        return names

    def _disturb(self, pattern: str, trouble: Trouble) -> Mapping[str, Counters]:
        names = self._matching(pattern)
        self._active[pattern, trouble.verb] = trouble
        before = self._counts(names)
        for name in names:
            self._relays[name].disturb(trouble)
        return before

    def _counts(self, names: Collection[str]) -> dict[str, Counters]:
        return {name: self._relays[name].counters for name in names}


class FrameEditor:
    """One connection of one peer to a server: what `frame_proxy` does over sockets.

    Before a NameServer (`watcher` is given) addresses are changed and registrations recorded; `line` decides about
    single frames. A stream that cannot be cut into frames passes untouched from there on.
    """

    def __init__(
        self, network: SimNetwork, peer: str, watcher: ConnectionWatcher | None, line: FrameLine, wire: Wire
    ) -> None:
        self._network = network
        self._peer = peer
        self._watcher = watcher
        self._line = line
        self._wire = wire
        self._pending: dict[int, int] = {}
        self._cutters: dict[Way, FrameCutter] = {"up": FrameCutter(), "down": FrameCutter()}
        self._parts: list[bytes] | None = None
        """What is handed on at once, while frames are being looked at."""

    def upwards(self, data: bytes) -> bytes:
        """See `sim_relay.Editor`."""
        return self._each("up", data)

    def downwards(self, data: bytes) -> bytes:
        """See `sim_relay.Editor`."""
        return self._each("down", data)

    def closed(self, by: str) -> None:
        """See `sim_relay.Editor`."""
        self._line.close()
        if self._watcher is not None:
            self._watcher.closed(by)

    def _each(self, way: Way, data: bytes) -> bytes:
        change, hand_on = (self._upwards, self._hand_up) if way == "up" else (self._downwards, self._hand_down)
        cutter, self._parts = self._cutters[way], []
        for frame in cutter.feed(data):
            try:
                command = decode(frame[4:])
                changed = frame if self._watcher is None else change(self._watcher, command, frame)
            except FrameError:
                cutter.broken = True
                self._parts.append(frame)
            else:
                self._line.passing(way, command, changed, hand_on)
        if cutter.broken:
            self._parts.append(cutter.rest())
        parts, self._parts = self._parts, None
        return b"".join(parts)

    def _hand_up(self, frame: bytes) -> None:
        (self._wire.hand_up if self._parts is None else self._parts.append)(frame)

    def _hand_down(self, frame: bytes) -> None:
        (self._wire.hand_down if self._parts is None else self._parts.append)(frame)

    def _upwards(self, watcher: ConnectionWatcher, command: Command, frame: bytes) -> bytes:
        found = addresses(frame, body=False)
        changed = rewrite(frame, self._network.as_known_to_server(self._peer, found), body=False) if found else frame
        if not command.is_response:
            if not command.is_oneway:
                self._pending[command.opaque] = command.code
                if len(self._pending) > PENDING_MAX:
                    del self._pending[next(iter(self._pending))]
            watcher.request(command)
        return changed

    def _downwards(self, watcher: ConnectionWatcher, command: Command, frame: bytes) -> bytes:
        body = False
        if command.is_response:
            body = self._pending.pop(command.opaque, None) in BODY_CODES
            watcher.answer(command)
        found = addresses(frame, body=body)
        return rewrite(frame, self._network.as_seen_by(self._peer, found), body=body) if found else frame
