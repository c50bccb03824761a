"""One client instance: its connections, NameServers, routes, heartbeats and background tasks.

Producers, consumers and the admin stand on it; what they send and record is theirs. Source of the behaviour:
MQClientInstance (``rocketmq.md`` §6, §7, §18.7).
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, Protocol

from mqcheck.clock import Clock
from mqcheck.errors import FrameError, HarnessError, RemotingError, UnansweredError, UnsentError
from mqcheck.history.recorder import Recorder
from mqcheck.rocketmq.checks import HalfCheck, parse_check
from mqcheck.rocketmq.codes import RequestCode, ResponseCode
from mqcheck.rocketmq.connection import Connection, Peer
from mqcheck.rocketmq.frame import Command, Serialize
from mqcheck.rocketmq.heartbeat import GroupView, heartbeat_body
from mqcheck.rocketmq.models import ClientSettings, Route, RouteAnswer
from mqcheck.rocketmq.routes import ask_route, node_name
from mqcheck.rocketmq.seam import Seam

CheckHandler = Callable[[Connection, HalfCheck, int], None]
"""Called with the connection that asked, what it asked, and the id of its row in ``checks``."""


class GroupMember(Protocol):
    """A consumer as its client sees it."""

    group: str

    def view(self) -> GroupView:
        """What heartbeats say about it."""
        ...

    def heard(self, node: str) -> None:
        """A broker has taken a heartbeat with this member's subscriptions."""
        ...

    def notified(self, node: str) -> None:
        """A broker says that the group's members changed (NOTIFY_CONSUMER_IDS_CHANGED)."""
        ...

    def hush(self) -> None:
        """Pull nothing more."""
        ...

    async def close(self) -> None:
        """Leave the group in good order."""
        ...

    async def abandon(self) -> None:
        """Stop as a crash would."""
        ...


class Client:
    """One client instance; producers and consumers share it. ``client_id`` is ``<name>@<number>``, new for every life.

    All its methods run on one event loop. Background failures that are no doing of a broker or link are raised by
    ``close`` as HarnessError.
    """

    def __init__(
        self,
        name: str,
        nameservers: Sequence[str],
        recorder: Recorder,
        settings: ClientSettings,
        clock: Clock,
        rng: random.Random,
        *,
        nameserver_names: Sequence[str] | None = None,
        seam: Seam | None = None,
    ) -> None:
        """``nameservers`` are "host:port"; the history calls them nameserver-1, nameserver-2, … unless named.

        ``seam``: a planted bug's; None: there is none.
        """
        self.name = name
        self.client_id = f"{name}@{recorder.new_id()}"
        self.recorder = recorder
        self.seam = seam or Seam()
        self.settings = self.seam.settings(settings)
        self.clock = clock
        self.rng = rng
        names = nameserver_names or [f"nameserver-{index + 1}" for index in range(len(nameservers))]
        self.nameservers: Mapping[str, str] = dict(zip(names, nameservers, strict=True))
        self.silent = False
        self.closed = False
        self._turn = rng.randrange(len(nameservers)) if nameservers else 0
        self._connections: dict[str, Connection] = {}
        self._opening: dict[str, asyncio.Task[Connection]] = {}
        self._node_of: dict[str, str] = {address: node for node, address in self.nameservers.items()}
        self._routes: dict[str, Route] = {}
        self._seen: dict[str, set[str]] = {}
        self._addresses: dict[tuple[str, int], str] = {}
        self._producers: set[str] = set()
        self._checkers: dict[str, CheckHandler] = {}
        self._consumers: dict[str, GroupMember] = {}
        self._tasks: dict[asyncio.Task[Any], None] = {}
        self._failures: list[BaseException] = []
        self._beating: dict[str, asyncio.Lock] = {}
        """By address: a heartbeat under way is answered before the client takes its leave (lockHeartbeat)."""

    # --- life -------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Start heartbeats and route polling."""
        self.spawn(self._every(self.settings.heartbeat_ms, self.heartbeat))
        self.spawn(self._every(self.settings.route_poll_ms, self._poll_routes))

    async def close(self) -> None:
        """Close consumers, unregister producers, close every connection. Raises HarnessError for hidden failures."""
        if self.closed:
            return
        for member in list(self._consumers.values()):
            await member.close()
        for group in sorted(self._producers):
            await self.unregister({"producerGroup": group})
        self.closed = True
        await self._stop(lambda connection: connection.close())
        if self._failures:
            raise HarnessError(f"client {self.name}: a background task failed: {self._failures[0]!r}") from (
                self._failures[0]
            )

    async def abandon(self) -> None:
        """Drop everything as a crash would: no unregister, no last commit, no unlock."""
        if self.closed:
            return
        self.closed = True
        for connection in list(self._connections.values()):
            connection.abort()
        for member in list(self._consumers.values()):
            await member.abandon()
        await self._stop(lambda connection: connection.abort())

    async def silence(self) -> None:
        """No more heartbeats and pulls, on connections that stay open and not idle.

        A connection without any traffic would be closed by the broker's idle check, which notifies the group; the
        expiry of a silent member does not (``rocketmq.md`` §7.6). So one harmless query per heartbeat period goes on.
        """
        self.silent = True
        for member in self._consumers.values():
            member.hush()
        self.spawn(self._every(self.settings.heartbeat_ms, self._keep_alive))

    def spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Run a background task that ends with the client."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks[task] = None
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.pop(task, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._failures.append(error)

    async def _every(self, period_ms: int, work: Any) -> None:
        while not self.closed:
            await asyncio.sleep(period_ms / 1000)
            await work()

    async def _stop(self, end: Any) -> None:
        current = asyncio.current_task()
        tasks = [task for task in (*self._tasks, *self._opening.values()) if task is not current]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        connections = list(self._connections.values())
        for connection in connections:
            end(connection)
        for connection in connections:
            await connection.wait_closed()

    # --- connections ------------------------------------------------------------------------------------------------

    def connected(self, address: str) -> Connection | None:
        """The open connection to an address, if there is one."""
        connection = self._connections.get(address)
        return None if connection is None or connection.closed else connection

    async def connection(self, address: str, timeout_ms: float | None = None) -> Connection:
        """The open connection to an address, opened when there is none. Raises UnsentError."""
        if (connection := self.connected(address)) is not None:
            return connection
        if self.closed:
            raise UnsentError(f"client {self.name} is closed")
        opening = self._opening.get(address)
        if opening is None:
            opening = asyncio.get_running_loop().create_task(self._open(address))
            self._opening[address] = opening
            opening.add_done_callback(lambda task: self._opened(address, task))
        wait_ms = self.settings.connect_timeout_ms if timeout_ms is None else timeout_ms
        try:
            async with asyncio.timeout(wait_ms / 1000):
                return await asyncio.shield(opening)
        except TimeoutError as error:
            raise UnsentError(f"{self.name}: no connection to {address} in {wait_ms:.0f} ms") from error

    def _opened(self, address: str, task: asyncio.Task[Connection]) -> None:
        self._opening.pop(address, None)
        if not task.cancelled():
            task.exception()

    async def _open(self, address: str) -> Connection:
        node = self.node_of(address)
        connection = Connection(
            Peer(node, address, f"{self.name}->{node}"), self.recorder, self._asked, self._closed_connection
        )
        try:
            await connection.open(self.settings.connect_timeout_ms / 1000)
        except BaseException:
            connection.abort()
            raise
        if not connection.closed:
            self._connections[address] = connection
        return connection

    def _closed_connection(self, connection: Connection) -> None:
        address = connection.peer.address
        if self._connections.get(address) is connection:
            del self._connections[address]

    async def call(
        self, address: str, command: Command, *, timeout_ms: float | None = None, op: int | None = None
    ) -> Command:
        """Connect if needed, ask, return the answer. Raises UnsentError and UnansweredError."""
        wait_ms = self.settings.request_timeout_ms if timeout_ms is None else timeout_ms
        connection = await self.connection(address, min(wait_ms, self.settings.connect_timeout_ms))
        return await connection.request(command, wait_ms / 1000, op)

    def command(self, code: int, fields: Mapping[str, Any] | None = None, body: bytes = b"") -> Command:
        """A request in this client's encoding; field values become text."""
        serialize = Serialize.ROCKETMQ if self.settings.encoding == "binary" else Serialize.JSON
        texts = {name: _text(value) for name, value in (fields or {}).items() if value is not None}
        return Command(code=code, fields=texts, body=body, serialize=serialize)

    def _asked(self, connection: Connection, request: Command) -> None:
        """A broker's own request: the change of a group's members and the check of a transaction are served."""
        if request.code == RequestCode.NOTIFY_CONSUMER_IDS_CHANGED:
            member = self._consumers.get(request.fields.get("consumerGroup", ""))
            if member is not None and not self.closed:
                member.notified(connection.peer.node)
            return
        if request.code == RequestCode.CHECK_TRANSACTION_STATE:
            self._check(connection, request)
            return
        remark = f" request type {request.code} not supported"
        connection.answer(request, Command(code=ResponseCode.REQUEST_CODE_NOT_SUPPORTED, remark=remark))

    def _check(self, connection: Connection, request: Command) -> None:
        """Note a check, whatever group it is about, and hand it to the group's producer if it is here."""
        if self.closed:
            return
        try:
            check = parse_check(request, self.recorder.run)
        except FrameError:
            self.recorder.point("checks", producer=self.name, member=self.client_id, node=connection.peer.node)
            return
        op = self.recorder.point(
            "checks",
            message=check.message,
            unique_key=check.unique_key,
            producer=self.name,
            producer_group=check.group,
            member=self.client_id,
            node=connection.peer.node,
            half_offset=check.half_offset,
            physical_offset=check.physical_offset,
            check_times=check.check_times,
            body_digest=check.body_digest,
        )
        handler = self._checkers.get(check.group)
        if handler is not None:
            handler(connection, check, op)

    # --- names and routes -------------------------------------------------------------------------------------------

    def node_of(self, address: str) -> str:
        """The node's name in the history; an address nobody named stands for itself."""
        return self._node_of.get(address, address)

    def learn(self, node: str, address: str) -> None:
        """Name an address."""
        self._node_of[address] = node

    def nodes(self) -> Mapping[str, str]:
        """Node name → address as the routes told (proxied addresses when the client runs through links)."""
        return {node_name(broker, number): address for (broker, number), address in self._addresses.items()}

    def address_of(self, broker: str, broker_id: int = 0) -> str | None:
        """A broker's address by the last route that named it."""
        return self._addresses.get((broker, broker_id))

    async def route(self, topic: str, *, refresh: bool = False) -> Route | None:
        """The topic's route, from memory or from a NameServer; None when none was ever had.

        A topic that a NameServer no longer knows keeps its last route, as in the official client: a NameServer that was
        restarted knows nothing until the brokers register again.
        """
        if not refresh and topic in self._routes:
            return self._routes[topic]
        answer = await self._ask_nameservers(topic)
        if answer is not None and answer.route is not None and answer.route.brokers:
            self._remember(answer.route)
        return self._routes.get(topic)

    def watch(self, topic: str) -> None:
        """Poll this topic's route from now on."""
        self._seen.setdefault(topic, set())

    def _remember(self, route: Route) -> None:
        self._routes[route.topic] = route
        seen = self._seen.setdefault(route.topic, set())
        for broker in route.brokers:
            seen.add(broker.broker)
            for number, address in broker.addresses.items():
                self._addresses[broker.broker, number] = address
                self.learn(node_name(broker.broker, number), address)

    async def _ask_nameservers(self, topic: str) -> RouteAnswer | None:
        """Ask the NameServer in use; the next one when it fails."""
        names = list(self.nameservers)
        for _ in names:
            address = self.nameservers[names[self._turn % len(names)]]
            try:
                connection = await self.connection(address)
            except UnsentError:
                self._turn += 1
                continue
            known = sorted(self._seen.get(topic, ()))
            wait_s = self.settings.request_timeout_ms / 1000
            answer = await ask_route(self.recorder, connection, topic, known, wait_s, member=self.client_id)
            if answer.outcome in ("ok", "error"):
                return answer
            self._turn += 1
        return None

    async def _poll_routes(self) -> None:
        for topic in sorted(self._seen):
            await self.route(topic, refresh=True)

    # --- groups -----------------------------------------------------------------------------------------------------

    def add_producer(self, group: str) -> None:
        """Name a producer group in heartbeats."""
        self._producers.add(group)

    def answer_checks(self, group: str, handler: CheckHandler) -> None:
        """Hand checks about half messages of a producer group to its producer, and note heartbeats that name it."""
        self._checkers[group] = handler

    def add_consumer(self, member: GroupMember) -> None:
        """Name a consumer group in heartbeats. Raises HarnessError for a second member of one group."""
        if member.group in self._consumers:
            raise HarnessError(f"client {self.name} has a consumer of {member.group} already: use another client")
        self._consumers[member.group] = member

    async def remove_consumer(self, member: GroupMember) -> None:
        """Take a group out of heartbeats and unregister it everywhere."""
        if self._consumers.get(member.group) is member:
            del self._consumers[member.group]
        if not self.silent:
            await self.unregister({"consumerGroup": member.group}, member.group)

    async def heartbeat(self) -> None:
        """One heartbeat to every known broker; producers alone speak to masters only."""
        if self.silent or self.closed or not (self._producers or self._consumers):
            return
        addresses = [a for (_, number), a in sorted(self._addresses.items()) if number == 0 or self._consumers]
        await asyncio.gather(*(self.heartbeat_to(address) for address in addresses))

    async def heartbeat_to(self, address: str) -> None:
        """One heartbeat to one broker; one whose answer is lost counts too: the broker may have heard it.

        It goes on when the caller is cancelled: a leave that follows has to wait for it.
        """
        if not (self.silent or self.closed):
            await asyncio.shield(self.spawn(self._heartbeat_to(address)))

    async def _heartbeat_to(self, address: str) -> None:
        async with self._beating.setdefault(address, asyncio.Lock()):
            await self._beat_once(address)

    async def _beat_once(self, address: str) -> None:
        settings, members = self.settings, list(self._consumers.values())
        body = heartbeat_body(self.client_id, self._producers, [member.view() for member in members])
        asked, conn = self.recorder.clock.monotonic_ns(), None
        try:
            connection = await self.connection(address, min(settings.request_timeout_ms, settings.connect_timeout_ms))
            asked, conn = self.recorder.clock.monotonic_ns(), connection.conn
            command = self.command(RequestCode.HEART_BEAT, body=body)
            answer = await connection.request(command, settings.request_timeout_ms / 1000)
        except UnsentError:
            return
        except UnansweredError:
            self._beat(members, address, asked, conn, None)
            return
        if answer.code == ResponseCode.SUCCESS:
            self._beat(members, address, asked, conn, answer.code)
            for member in members:
                member.heard(self.node_of(address))

    def _beat(
        self, members: Sequence[GroupMember], address: str, asked: int, conn: int | None, code: int | None
    ) -> None:
        """``code`` None: the answer is lost."""
        if self.closed:
            return
        for member in members:
            self.recorder.point(
                "members",
                kind="heartbeat",
                consumer_group=member.group,
                member=self.client_id,
                node=self.node_of(address),
                asked=asked,
                code=code,
                conn=conn,
            )
        connection = self.connected(address)
        for group in sorted(self._checkers):
            self.recorder.point(
                "members",
                kind="produces",
                producer_group=group,
                member=self.client_id,
                node=self.node_of(address),
                conn=None if connection is None else connection.conn,
            )

    async def unregister(self, group: Mapping[str, str], consumer_group: str | None = None) -> None:
        """UNREGISTER_CLIENT at every connected broker; failures are left to the broker's expiry."""
        for (broker, number), address in sorted(self._addresses.items()):
            if self.connected(address) is None:
                continue
            command = self.command(RequestCode.UNREGISTER_CLIENT, {"clientID": self.client_id, **group})
            try:
                async with self._beating.setdefault(address, asyncio.Lock()):
                    asked = self.recorder.clock.monotonic_ns()
                    answer = await self.call(address, command)
            except RemotingError:
                continue
            if answer.code == ResponseCode.SUCCESS and consumer_group is not None:
                self.recorder.point(
                    "members",
                    kind="unregistered",
                    consumer_group=consumer_group,
                    member=self.client_id,
                    node=node_name(broker, number),
                    asked=asked,
                    code=answer.code,
                )

    async def _keep_alive(self) -> None:
        """One recorded GET_MIN_OFFSET on every open connection to a broker."""
        topic = next(iter(sorted(self._seen)), "")
        for (broker, number), address in sorted(self._addresses.items()):
            connection = self.connected(address)
            if connection is None:
                continue
            node = node_name(broker, number)
            op = self.recorder.begin("offsets", kind="min", node=node, broker=broker, topic=topic, queue=0)
            command = self.command(RequestCode.GET_MIN_OFFSET, {"topic": topic, "queueId": 0})
            try:
                answer = await connection.request(command, self.settings.request_timeout_ms / 1000, op)
            except UnsentError:
                self.recorder.end("offsets", op, outcome="unsent")
            except UnansweredError:
                self.recorder.end("offsets", op, outcome="unknown")
            else:
                outcome = "ok" if answer.code == ResponseCode.SUCCESS else "error"
                self.recorder.end("offsets", op, outcome=outcome, code=answer.code)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
