"""The network of one scenario: every pair of peer and server gets a link of its own through Toxiproxy.

    client, broker -> Toxiproxy -> frame proxy -> NameServer      (named ``<peer>->nameserver-1``)
    client, slave  -> Toxiproxy -> broker, its VIP and HA ports   (named ``<peer>->broker-a``)

A link to a broker has a frame proxy too, but before its HA port, where a scenario asks for single frames.

Links are laid when first needed: a peer asks for its NameServers, and the routes it gets from them name its own
proxies. Several networks may share one Toxiproxy server; each touches only proxies of its prefix. Nothing here judges
what a fault has proved, and nothing but `toxiproxy` talks to the server.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Final, TypeVar

from mqcheck.errors import LinkError, PortTakenError
from mqcheck.links import disturbance, ports, sockets
from mqcheck.links.address import HA, MAIN, VIP, BrokerPlace, registered_place, resolved, shown_names
from mqcheck.links.base import Counters, Direction
from mqcheck.links.disturbance import Disturbance
from mqcheck.links.frame_proxy import FrameProxy
from mqcheck.links.frame_rules import FrameCounts, FrameRule, FrameRules
from mqcheck.links.leaks import Guarded, describe, guarded_servers, leaks, own_processes
from mqcheck.links.proxies import LinkProxy
from mqcheck.links.sampling import Sampling
from mqcheck.links.sampling import ports as ports_of
from mqcheck.links.tap import RegistrationTap, RegistrationWatcher

if TYPE_CHECKING:
    from mqcheck.history.recorder import Recorder
    from mqcheck.links.pulse import Pulses
    from mqcheck.links.toxiproxy import ToxiproxyServer
    from mqcheck.rocketmq.frame import Command

T = TypeVar("T")

_serial = count(1)
"""Numbers the networks of this process."""

ARROW: Final = "->"
WORKERS_MAX: Final = 2
"""Calls to Toxiproxy under way at a time per network (ours); every further thread would delay the event loop's turn."""

LANES_MAX: Final = 24
"""Server processes per session at most (ours); with more peers than that, links of two peers share their counters."""

PORT_ATTEMPTS_MAX: Final = 8
"""Ports tried for one proxy (ours): somebody else may take one between our look and our use."""

LEAK_PAUSES_MS: Final = (0, 20, 100, 400)
"""Pauses between looks at who is connected (ours): a connection that is just being made or closed, perhaps in a busy
process, is nobody's for a moment; only what stays is traffic."""


@dataclass(slots=True)
class _Link:
    name: str
    peer: str
    server: str
    proxies: dict[str, LinkProxy] = field(default_factory=dict)
    frames: dict[str, FrameProxy] = field(default_factory=dict)
    """What stands behind the proxies of these roles."""

    def real(self, role: str) -> str:
        """The server's address behind everything."""
        return self.frames[role].upstream if role in self.frames else self.proxies[role].upstream


class Network:
    """Lays links, hurts and heals them, counts what passes, finds what goes round them; one event loop only.

    Implements `NetworkLike`; made by the runner, closed by it before the recorder is.
    """

    def __init__(
        self,
        recorder: Recorder | None,
        server: ToxiproxyServer,
        *,
        prefix: str = "mqcheck",
        vip: bool = True,
        pulses: Pulses | None = None,
    ) -> None:
        """`vip`: whether clients may use brokers' VIP ports, so that their links have them from the start. `pulses`:
        who sees the server stand still, and is to tell the recorder.
        """
        self._recorder = recorder
        self._pulses = pulses
        self._roles = (MAIN, VIP) if vip else (MAIN,)
        self._toxiproxy = server
        # Proxies of an earlier network with this prefix are still in the server's counts: names are used once.
        self._prefix = f"{re.sub(r'[^A-Za-z0-9._-]', '-', prefix)}~{next(_serial)}"
        self._nameservers: dict[str, str] = {}
        self._brokers: dict[str, BrokerPlace] = {}
        self._links: dict[str, _Link] = {}
        self._active: dict[tuple[str, str], Disturbance] = {}
        self._rules = FrameRules()
        self._lanes: dict[str, int] = {}
        self._sampling = Sampling(server, self._by_link, self._call)
        self._laying = asyncio.Lock()
        self._moves: set[asyncio.Task[None]] = set()
        self._failures: list[Exception] = []
        self._pool = ThreadPoolExecutor(WORKERS_MAX, thread_name_prefix="mqcheck-links")
        self._closed = False
        self._shared = False

    # -- nodes ---------------------------------------------------------------------------------------------------

    async def add_nameserver(self, name: str, address: str) -> None:
        """See `NetworkLike`."""
        self._nameservers[name] = address
        for link in self._links.values():
            if link.server == name:
                link.frames[MAIN].upstream = address

    async def add_broker(
        self, name: str, broker_name: str, broker_id: int, address: str, ha_address: str | None = None
    ) -> None:
        """See `NetworkLike`. A broker that registers through a link is added by that, if the target is later."""
        self._brokers[name] = BrokerPlace(broker_name, broker_id, await resolved(address), ha_address, address)
        await self._move(name)

    def share_servers(self) -> None:
        """See `NetworkLike`."""
        self._shared = True

    def see_frames(self, patterns: tuple[str, ...]) -> None:
        """See `NetworkLike`."""
        self._rules.see(patterns)

    async def nameserver_addresses(self, peer: str) -> tuple[str, ...]:
        """See `NetworkLike`."""
        if not self._nameservers:
            raise LinkError(f"{peer} asks for its NameServers and none was added: add_nameserver comes first")
        return tuple([(await self._link(peer, name)).proxies[MAIN].listen for name in self._nameservers])

    async def broker_address(self, peer: str, node: str) -> str:
        """See `NetworkLike`."""
        return (await self._link(peer, node)).proxies[MAIN].listen

    async def vip_address(self, peer: str, node: str) -> str:
        """See `NetworkLike`."""
        if node in self._nameservers:
            raise LinkError(f"{peer}{ARROW}{node}: {node} is no broker and has no VIP port: ask for that of a broker")
        return (await self._proxy(await self._link(peer, node), VIP)).listen

    def links(self, pattern: str = "*") -> list[str]:
        """See `NetworkLike`."""
        return [name for name in self._links if fnmatchcase(name, pattern)]

    # -- verbs ---------------------------------------------------------------------------------------------------

    async def latency(
        self, pattern: str, ms: int, jitter_ms: int = 0, direction: Direction = "both"
    ) -> Mapping[str, Counters]:
        """See `NetworkLike`, as for all verbs."""
        return await self._disturb(pattern, disturbance.latency(ms, jitter_ms, direction))

    async def bandwidth(self, pattern: str, kb_per_s: int, direction: Direction = "both") -> Mapping[str, Counters]:
        """Limit the rate."""
        return await self._disturb(pattern, disturbance.bandwidth(kb_per_s, direction))

    async def blackhole(self, pattern: str, direction: Direction = "both") -> Mapping[str, Counters]:
        """Hold every byte."""
        return await self._disturb(pattern, disturbance.blackhole(direction))

    async def drop(self, pattern: str, after_ms: int = 0, direction: Direction = "both") -> Mapping[str, Counters]:
        """Lose every byte, then close."""
        return await self._disturb(pattern, disturbance.drop(after_ms, direction))

    async def reset(self, pattern: str, after_ms: int = 0, direction: Direction = "both") -> Mapping[str, Counters]:
        """Reset connections."""
        return await self._disturb(pattern, disturbance.reset(after_ms, direction))

    async def slow_close(self, pattern: str, ms: int, direction: Direction = "both") -> Mapping[str, Counters]:
        """Delay closing."""
        return await self._disturb(pattern, disturbance.slow_close(ms, direction))

    async def slice_(
        self,
        pattern: str,
        average_bytes: int,
        variation_bytes: int = 0,
        delay_us: int = 0,
        direction: Direction = "both",
    ) -> Mapping[str, Counters]:
        """Cut into pieces."""
        return await self._disturb(pattern, disturbance.slice_(average_bytes, variation_bytes, delay_us, direction))

    async def limit_data(self, pattern: str, limit_bytes: int, direction: Direction = "both") -> Mapping[str, Counters]:
        """Close after so many bytes."""
        return await self._disturb(pattern, disturbance.limit_data(limit_bytes, direction))

    async def down(self, pattern: str) -> Mapping[str, Counters]:
        """Close and refuse."""
        return await self._disturb(pattern, disturbance.down())

    async def up(self, pattern: str) -> Mapping[str, Counters]:
        """Undo `down`."""
        return await self.heal(pattern, only="down")

    async def frames(self, pattern: str, rule: FrameRule) -> None:
        """See `NetworkLike`."""
        if not any(self._links[name].frames for name in await self._matching(pattern)):
            raise LinkError(f"nobody sees single frames of {pattern}: the scenario must name its links in `frames`")
        self._rules.begin(pattern, rule)

    async def heal_frames(self, pattern: str, rule: FrameRule) -> FrameCounts:
        """See `NetworkLike`."""
        return self._rules.heal(pattern, rule)

    async def heal(self, pattern: str, *, only: str | None = None) -> Mapping[str, Counters]:
        """See `NetworkLike`."""
        for key in [key for key in self._active if fnmatchcase(key[0], pattern) and only in (None, key[1])]:
            del self._active[key]
        async with self._laying:
            names = self.links(pattern)
            before = await self._sampling.counts(names)
            await self._each(partial(proxy.heal, only) for proxy in self._proxies(names))
        if not self._active:
            self._sampling.stop()
        return before

    async def heal_all(self) -> None:
        """See `NetworkLike`."""
        self._active.clear()
        self._rules.heal_all()
        async with self._laying:
            await self._each(proxy.heal for proxy in self._proxies(self.links()))
        self._sampling.stop()

    # -- measuring -----------------------------------------------------------------------------------------------

    async def counters(self, link: str) -> Counters:
        """See `NetworkLike`."""
        return sum((await self._sampling.counts(self.links(link))).values(), Counters())

    async def connections(self, pattern: str = "*") -> Mapping[str, int]:
        """See `NetworkLike`."""
        return await self._sampling.connections(self.links(pattern))

    async def leak_check(self, allow: Collection[str] = ()) -> None:
        """See `NetworkLike`."""
        if self._failures:
            failures, self._failures = self._failures, []
            raise LinkError(f"a link failed {len(failures)} times, first: {failures[0]!r}") from failures[0]
        found = await self._suspects(allow)
        for pause_ms in LEAK_PAUSES_MS:
            if not found:
                return
            await asyncio.sleep(pause_ms / 1000)
            still = {each.inode for _, each in await self._suspects(allow)}
            found = [(server, each) for server, each in found if each.inode in still]
        if found:
            raise LinkError(
                f"{len(found)} connections go round the links: {await self._call(partial(describe, found))}. "
                "Clients and nodes must be given nameserver_addresses and find brokers through routes"
            )

    async def close(self) -> None:
        """See `NetworkLike`."""
        if self._closed:
            return
        self._closed = True
        for task in self._moves:
            task.cancel()
        await asyncio.gather(*self._moves, self._sampling.close(), return_exceptions=True)
        if self._pulses is not None and self._recorder is not None:
            await self._pulses.leave(self._recorder)
        async with self._laying:
            links, self._links = list(self._links.values()), {}
            results = await asyncio.gather(
                *(self._call(proxy.remove) for link in links for proxy in link.proxies.values()),
                return_exceptions=True,
            )
            await asyncio.gather(*(frame.stop() for link in links for frame in link.frames.values()))
        self._pool.shutdown(wait=False)
        errors = [result for result in results if isinstance(result, BaseException)]
        if errors:
            raise LinkError(f"{len(errors)} proxies could not be taken away: {errors[0]}") from errors[0]

    # -- laying --------------------------------------------------------------------------------------------------

    async def _link(self, peer: str, server: str) -> _Link:
        name = f"{peer}{ARROW}{server}"
        async with self._laying:
            if self._closed:
                raise LinkError(f"{name}: this network is closed: make a new one")
            link = self._links.get(name)
            if link is not None:
                return link
            if not self._links and self._pulses is not None and self._recorder is not None:
                self._pulses.tell(self._recorder)
            link = _Link(name, peer, server)
            try:
                await (self._lay_nameserver(link) if server in self._nameservers else self._lay_broker(link))
                await self._hurt(link, link.proxies.values())
            except BaseException:
                await self._abandon(link)
                raise
            self._links[name] = link
            return link

    async def _lay_nameserver(self, link: _Link) -> None:
        await self._lay(link, {MAIN: self._nameservers[link.server]}, 0)

    async def _in_front(self, link: _Link, role: str, real: str) -> str:
        """Where the proxy of this role is to lead: to a frame proxy where frames are seen, else to the server."""
        line = partial(self._rules.line, link.name, asyncio.get_running_loop().call_later)
        if link.server in self._nameservers:
            frame = FrameProxy(
                real,
                to_peer=partial(self._to_peer, link.peer),
                to_server=partial(self._to_server, link.peer),
                watch=partial(self._watch, link),
                line=line,
                failed=self._failures.append,
                names=partial(shown_names, self._brokers),
            )
        elif role != HA and self._rules.sees(link.name):
            frame = FrameProxy(real, line=line, failed=self._failures.append)
        else:
            return real
        link.frames[role] = frame
        return await frame.start()

    async def _lay_broker(self, link: _Link) -> None:
        broker = self._brokers.get(link.server)
        if broker is None:
            known = ", ".join([*self._nameservers, *self._brokers]) or "none"
            raise LinkError(f"{link.name}: {link.server} is no node of this network; known: {known}")
        lane = self._lanes.setdefault(link.peer, len(self._lanes)) % LANES_MAX
        # A slave fetches its master's topics through the VIP port, whatever clients do (SlaveSynchronize).
        roles = (MAIN, VIP) if link.peer in self._brokers else self._roles
        await self._lay(link, {role: real for role in roles if (real := broker.real(role))}, lane)
        if broker.ha_address is not None and link.peer in self._brokers:
            await self._lay(link, {HA: broker.ha_address}, lane)

    async def _lay(self, link: _Link, targets: Mapping[str, str], lane: int) -> None:
        """One proxy per role; MAIN and VIP stand at ports that belong together."""
        server = await self._call(partial(self._toxiproxy.lane, lane))
        targets = {role: await self._in_front(link, role, real) for role, real in targets.items()}
        for attempt in range(PORT_ATTEMPTS_MAX):
            port = ports.free_port(vip=VIP in targets)
            made: dict[str, LinkProxy] = {}
            try:
                for role, upstream in targets.items():
                    at = port - ports.VIP_DISTANCE if role == VIP else port
                    proxy = LinkProxy(server, f"{self._prefix}~{link.peer}~{link.server}~{role}", at, upstream)
                    await self._call(proxy.lay)
                    made[role] = proxy
            except PortTakenError:
                await self._each(proxy.remove for proxy in made.values())
                if attempt == PORT_ATTEMPTS_MAX - 1:
                    raise
                continue
            link.proxies.update(made)
            return

    async def _proxy(self, link: _Link, role: str) -> LinkProxy:
        """The proxy of one role of a link to a broker; laid if need be, and hurt as the link's others are."""
        if role in link.proxies:
            return link.proxies[role]
        async with self._laying:
            real = self._brokers[link.server].real(role)
            if role not in link.proxies and real is not None:
                await self._lay(link, {role: real}, self._lanes[link.peer] % LANES_MAX)
                await self._hurt(link, [link.proxies[role]])
        return link.proxies[role]

    async def _hurt(self, link: _Link, proxies: Collection[LinkProxy]) -> None:
        for (pattern, _), active in list(self._active.items()):
            if fnmatchcase(link.name, pattern):
                await self._each(partial(proxy.disturb, active) for proxy in proxies)

    async def _abandon(self, link: _Link) -> None:
        await self._each(proxy.remove for proxy in link.proxies.values())
        await asyncio.gather(*(frame.stop() for frame in link.frames.values()))

    async def _move(self, node: str) -> None:
        """Lead the links of a broker to where it is now."""
        broker = self._brokers[node]
        async with self._laying:
            for link in self._links.values():
                if link.server == node:
                    for role, proxy in link.proxies.items():
                        real = broker.real(role)
                        if real is not None and role in link.frames:
                            link.frames[role].upstream = real
                        elif real is not None:
                            await self._call(partial(proxy.lead_to, real))

    def _watch(self, link: _Link) -> RegistrationWatcher:
        recorder = self._recorder
        tap = None if recorder is None else RegistrationTap(recorder, link.name, link.peer, link.server).connected()
        return RegistrationWatcher(partial(self._registered, link), tap)

    def _registered(self, link: _Link, command: Command) -> None:
        """A broker told a NameServer where it is: from then on a route may name it."""
        address = command.fields.get("brokerAddr", "")
        known = self._brokers.get(link.peer)
        name = command.fields.get("brokerName", "")
        if not name or not (link.peer == name or link.peer.startswith(f"{name}-slave")):
            return  # a client that registers something of its own is no node of this network
        if not re.fullmatch(r"[^:]+:\d+", address) or (known is not None and known.address == address):
            return
        self._brokers[link.peer] = registered_place(command.fields)
        task = asyncio.get_running_loop().create_task(self._move(link.peer))
        self._moves.add(task)
        task.add_done_callback(self._moved)

    def _moved(self, task: asyncio.Task[None]) -> None:
        self._moves.discard(task)
        if not task.cancelled() and isinstance(error := task.exception(), Exception):
            self._failures.append(error)

    # -- addresses -----------------------------------------------------------------------------------------------

    async def _to_peer(self, peer: str, found: frozenset[str]) -> Mapping[str, str]:
        """Real addresses of brokers, as this peer is to see them; lays what is missing. A broker keeps its own."""
        replaced = {}
        for node, broker in list(self._brokers.items()):
            for role in (MAIN, VIP, HA):
                real, shown = broker.real(role), broker.shown(role)
                if shown in found and real is not None and shown is not None and node != peer:
                    replaced[shown] = (await self._proxy(await self._link(peer, node), role)).listen
        return replaced

    async def _to_server(self, peer: str, found: frozenset[str]) -> Mapping[str, str]:
        """This peer's proxies of brokers, by the addresses the NameServer knows."""
        return {
            proxy.listen: link.real(role)
            for link in self._links.values()
            if link.peer == peer and link.server not in self._nameservers
            for role, proxy in link.proxies.items()
            if proxy.listen in found
        }

    # -- helpers -------------------------------------------------------------------------------------------------

    async def _disturb(self, pattern: str, wanted: Disturbance) -> Mapping[str, Counters]:
        names = await self._matching(pattern)
        self._active[pattern, wanted.verb] = wanted
        async with self._laying:
            before = await self._sampling.counts(names)
            await self._each(partial(proxy.disturb, wanted) for proxy in self._proxies(names))
        self._sampling.start()
        return before

    async def _matching(self, pattern: str) -> list[str]:
        names = self.links(pattern)
        peer, _, server = pattern.partition(ARROW)
        if not names and not set(pattern) & set("*?[") and server:
            names = [(await self._link(peer, server)).name]
        if not names:
            raise LinkError(f"no link matches {pattern!r}; laid so far: {', '.join(self._links) or 'none'}")
        return names

    def _proxies(self, names: Iterable[str]) -> list[LinkProxy]:
        return [proxy for name in names if name in self._links for proxy in self._links[name].proxies.values()]

    def _by_link(self) -> dict[str, list[LinkProxy]]:
        return {name: list(link.proxies.values()) for name, link in self._links.items()}

    async def _suspects(self, allow: Collection[str]) -> list[tuple[Guarded, sockets.Socket]]:
        guarded = self._guarded(await self._call(own_processes) if self._shared else None)
        table = await self._call(partial(sockets.table, (), ports_of(each.address for each in guarded)))
        pids = {*self._toxiproxy.pids, *(pid for each in guarded for pid in each.only or ())}
        owners = await self._call(partial(sockets.owned, pids))
        return [entry for entry in leaks(table, owners, guarded) if entry[1].local not in allow]

    def _guarded(self, only: frozenset[int] | None) -> list[Guarded]:
        frames = [frame for link in self._links.values() for frame in link.frames.values()]
        brokers = {
            f"{node} ({role})": real
            for node, broker in self._brokers.items()
            for role in (MAIN, VIP, HA)
            if (real := broker.real(role)) is not None
        }
        return guarded_servers(self._nameservers, brokers, frames, frozenset(self._toxiproxy.pids), only)

    async def _each(self, calls: Iterable[Callable[[], object]]) -> None:
        """Run all, wait for all, then raise the first error."""
        results = await asyncio.gather(*(self._call(call) for call in calls), return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result

    async def _call(self, call: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._pool, call)
