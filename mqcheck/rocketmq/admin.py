"""Administration, probes and single requests of the kit: topics, routes, offsets, pulls, locks, readings.

Each request is one method; none retries, none decides what an answer means for a guarantee.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import msgspec

from mqcheck.errors import FaultError, FrameError, HarnessError, RemotingError, UnsentError
from mqcheck.rocketmq.client import Client
from mqcheck.rocketmq.codes import DEFAULT_TOPIC, DESTRUCTIVE_CODES, FLAG_ONEWAY, RequestCode, ResponseCode
from mqcheck.rocketmq.connection import Peer
from mqcheck.rocketmq.conversation import Conversation
from mqcheck.rocketmq.frame import Command, Serialize, encode, loads_loose
from mqcheck.rocketmq.heartbeat import parse_members
from mqcheck.rocketmq.locks import lock_request
from mqcheck.rocketmq.lookups import Lookup, LookupKind, look_up
from mqcheck.rocketmq.message import StoredRecord
from mqcheck.rocketmq.models import Encoding, MessageQueue, PullAnswer, RawAnswer, Reading, RouteAnswer
from mqcheck.rocketmq.names import owned
from mqcheck.rocketmq.offsets import OffsetKind, offset_request
from mqcheck.rocketmq.probe import PROBE_OPAQUE, run_probe
from mqcheck.rocketmq.pulling import PullRequest, pull
from mqcheck.rocketmq.reader import QueueReader, ReadTarget
from mqcheck.rocketmq.routes import ask_route

HOLD_MARGIN_MS = 10_000
"""How much longer than its hold a held pull is waited for: a broker looks at held pulls every 5 s."""


class Admin:
    """Topics, routes, offsets, single pulls, raw requests, readings; all recorded.

    A ``node`` is a node name ("broker-a", "broker-a-slave", "nameserver-1"): looked up in ``nodes``, then in the
    client's NameServers, then in its routes. No method raises for what a broker or link does; "no answer" is None. A
    node that nobody knows is a HarnessError.
    """

    def __init__(self, client: Client, nodes: Mapping[str, str] | None = None) -> None:
        """``nodes``: node name → address to use (links' addresses in the load phase, real ones in a final read)."""
        self.client = client
        self.session = client.recorder.new_id()
        self._nodes = dict(nodes or {})
        for node, address in self._nodes.items():
            client.learn(node, address)

    def address(self, node: str) -> str:
        """Where a node is asked. Raises HarnessError for an unknown node."""
        for known in (self._nodes, self.client.nameservers, self.client.nodes()):
            if node in known:
                return known[node]
        raise HarnessError(f"node {node!r} has no address here: give it to Admin(nodes=…) or fetch a route first")

    # --- topics and routes ------------------------------------------------------------------------------------------

    async def create_topic(
        self, topic: str, nodes: Sequence[str], *, queues: int = 4, perm: int = 6, order: bool = False
    ) -> dict[str, int | None]:
        """UPDATE_AND_CREATE_TOPIC on each broker; node → response code."""
        fields = {
            "topic": self._own(topic),
            "defaultTopic": DEFAULT_TOPIC,
            "readQueueNums": queues,
            "writeQueueNums": queues,
            "perm": perm,
            "topicFilterType": "SINGLE_TAG",
            "topicSysFlag": 0,
            "order": order,
        }
        command = self.client.command(RequestCode.UPDATE_AND_CREATE_TOPIC, fields)
        return {node: _code(await self._ask(node, command)) for node in nodes}

    async def create_group(self, group: str, nodes: Sequence[str], **config: Any) -> dict[str, int | None]:
        """UPDATE_AND_CREATE_SUBSCRIPTIONGROUP with RocketMQ's own configuration names; node → response code."""
        body = {
            "groupName": self._own(group),
            "consumeEnable": True,
            "consumeFromMinEnable": True,
            "consumeBroadcastEnable": True,
            "retryQueueNums": 1,
            "retryMaxTimes": 16,
            "brokerId": 0,
            "whichBrokerWhenConsumeSlowly": 1,
            "notifyConsumerIdsChangedEnable": True,
            **config,
        }
        code = RequestCode.UPDATE_AND_CREATE_SUBSCRIPTIONGROUP
        command = self.client.command(code, body=msgspec.json.encode(body))
        return {node: _code(await self._ask(node, command)) for node in nodes}

    async def route(
        self, nameserver: str, topic: str, known_brokers: Sequence[str] = (), *, timeout_ms: int | None = None
    ) -> RouteAnswer:
        """Ask one NameServer once; writes ``routes`` rows."""
        topic = self._own(topic)
        wait_ms = self.client.settings.request_timeout_ms if timeout_ms is None else timeout_ms
        try:
            connection = await self.client.connection(self.address(nameserver), wait_ms)
        except UnsentError:
            op = self.client.recorder.begin("routes", nameserver=nameserver, topic=topic)
            self.client.recorder.end("routes", op, outcome="unsent")
            return RouteAnswer("unsent", None, None)
        return await ask_route(self.client.recorder, connection, topic, known_brokers, wait_ms / 1000)

    async def cluster_info(self, nameserver: str) -> dict[str, Any] | None:
        """GET_BROKER_CLUSTER_INFO."""
        return _json(await self._ask(nameserver, self.client.command(RequestCode.GET_BROKER_CLUSTER_INFO)))

    async def topics(self, node: str) -> dict[str, Any] | None:
        """GET_ALL_TOPIC_CONFIG: topic → its configuration (readQueueNums, writeQueueNums, perm, …)."""
        read = _json(await self._ask(node, self.client.command(RequestCode.GET_ALL_TOPIC_CONFIG)))
        table = None if read is None else read.get("topicConfigTable")
        return table if isinstance(table, dict) else None

    async def groups(self, node: str) -> dict[str, Any] | None:
        """GET_ALL_SUBSCRIPTIONGROUP_CONFIG: group → its configuration."""
        return await self._table(node, RequestCode.GET_ALL_SUBSCRIPTIONGROUP_CONFIG, "subscriptionGroupTable")

    async def all_offsets(self, node: str) -> dict[str, Any] | None:
        """GET_ALL_CONSUMER_OFFSET: ``topic@group`` → queue → committed offset."""
        return await self._table(node, RequestCode.GET_ALL_CONSUMER_OFFSET, "offsetTable")

    async def _table(self, node: str, code: RequestCode, name: str) -> dict[str, Any] | None:
        read = _json(await self._ask(node, self.client.command(code)))
        table = None if read is None else read.get(name)
        return table if isinstance(table, dict) else None

    # --- offsets ----------------------------------------------------------------------------------------------------

    async def min_offset(self, node: str, topic: str, queue: int) -> int | None:
        """GET_MIN_OFFSET."""
        return await self._offset("min", node, topic, queue)

    async def max_offset(self, node: str, topic: str, queue: int) -> int | None:
        """GET_MAX_OFFSET."""
        return await self._offset("max", node, topic, queue)

    async def search_offset(self, node: str, topic: str, queue: int, timestamp_ms: int) -> int | None:
        """SEARCH_OFFSET_BY_TIMESTAMP; ``timestamp_ms`` since 1970."""
        return await self._offset("search", node, topic, queue, argument_ms=timestamp_ms)

    async def query_offset(self, node: str, group: str, topic: str, queue: int) -> int | None:
        """QUERY_CONSUMER_OFFSET; None also when nothing is stored (22)."""
        return await self._offset("query", node, topic, queue, group=group)

    async def commit_offset(self, node: str, group: str, topic: str, queue: int, value: int) -> bool:
        """UPDATE_CONSUMER_OFFSET with an answer; True: acknowledged."""
        place = MessageQueue(self._own(topic), _broker_of(node), queue)
        outcome, _, _ = await offset_request(
            self.client, "commit", place, node, self.address(node), group=self._own(group), value=value
        )
        return outcome == "ok"

    async def _offset(
        self,
        kind: OffsetKind,
        node: str,
        topic: str,
        queue: int,
        *,
        group: str | None = None,
        argument_ms: int | None = None,
    ) -> int | None:
        place = MessageQueue(self._own(topic), _broker_of(node), queue)
        group = None if group is None else self._own(group)
        outcome, _, position = await offset_request(
            self.client, kind, place, node, self.address(node), group=group, argument_ms=argument_ms
        )
        return position if outcome == "ok" else None

    # --- pulls, groups, locks ---------------------------------------------------------------------------------------

    async def pull_once(
        self,
        node: str,
        topic: str,
        queue: int,
        offset: int,
        *,
        group: str,
        hold_ms: int | None = None,
        max_num: int = 32,
        expression: str = "*",
        expression_type: str = "TAG",
        timeout_ms: int | None = None,
    ) -> PullAnswer:
        """One PULL_MESSAGE with the subscription in its header; ``hold_ms`` None: not held."""
        request = PullRequest(
            queue=MessageQueue(self._own(topic), _broker_of(node), queue),
            group=self._own(group),
            member=self.client.client_id,
            session=self.session,
            position=offset,
            max_num=max_num,
            hold_ms=hold_ms,
            timeout_ms=(hold_ms or 0) + HOLD_MARGIN_MS if timeout_ms is None else timeout_ms,
            expression=expression,
            expression_type=expression_type,
        )
        return await pull(self.client, request, node, self.address(node))

    async def members(self, node: str, group: str) -> tuple[str, ...] | None:
        """GET_CONSUMER_LIST_BY_GROUP; empty when the group has no live member."""
        group = self._own(group)
        command = self.client.command(RequestCode.GET_CONSUMER_LIST_BY_GROUP, {"consumerGroup": group})
        asked = self.client.recorder.clock.monotonic_ns()
        answer = await self._ask(node, command)
        if answer is None or answer.code not in (ResponseCode.SUCCESS, ResponseCode.SYSTEM_ERROR):
            return None
        try:
            members = parse_members(answer.body) if answer.code == ResponseCode.SUCCESS else ()
        except FrameError:
            return None
        self.client.recorder.point(
            "members",
            kind="listed",
            consumer_group=group,
            member=self.client.client_id,
            node=node,
            members=",".join(members),
            asked=asked,
        )
        return members

    async def lock(
        self, node: str, group: str, member: str, queues: Sequence[MessageQueue]
    ) -> tuple[MessageQueue, ...] | None:
        """LOCK_BATCH_MQ as ``member``: the queues granted."""
        outcome, granted = await lock_request(
            self.client, "lock", queues, node, self.address(node), group=self._own(group), member=member
        )
        return tuple(sorted(granted)) if outcome == "ok" else None

    async def unlock(self, node: str, group: str, member: str, queues: Sequence[MessageQueue]) -> bool:
        """UNLOCK_BATCH_MQ as ``member``; True: answered."""
        outcome, _ = await lock_request(
            self.client, "unlock", queues, node, self.address(node), group=self._own(group), member=member
        )
        return outcome == "ok"

    async def look_up(
        self, node: str, kind: LookupKind, topic: str, name: str, *, max_num: int = 32
    ) -> tuple[StoredRecord, ...] | None:
        """VIEW_MESSAGE_BY_ID or QUERY_MESSAGE for ``name``, an id or a key; None: no answer that can be read."""
        return await look_up(self.client, Lookup(kind, self._own(topic), name, max_num), node, self.address(node))

    # --- readings and raw requests ----------------------------------------------------------------------------------

    async def read_queue(
        self,
        node: str,
        topic: str,
        queue: int,
        *,
        reading: str = "final",
        broker: str | None = None,
        broker_id: int = 0,
        master: bool = True,
    ) -> Reading:
        """Read a queue from min to max; writes ``readings`` and ``final_log``. ``broker`` None: by the node's name."""
        place = MessageQueue(self._own(topic), broker or _broker_of(node), queue)
        reader = QueueReader(self.client, ReadTarget(node, self.address(node), place, reading))
        return await reader.read(broker_id, master)

    async def raw(
        self,
        node: str,
        code: int,
        fields: Mapping[str, str] | None = None,
        body: bytes = b"",
        *,
        probe: str,
        encoding: Encoding = "json",
        oneway: bool = False,
        deadline_ms: int = 3_000,
    ) -> RawAnswer:
        """A request as given, on a connection of its own; counts the answers until the deadline; writes ``replies``.

        Raises FaultError for one that would change a cluster for others who use it, unless that is allowed.
        """
        self._refuse_harm(code)
        command = Command(
            code=code,
            opaque=PROBE_OPAQUE,
            flag=FLAG_ONEWAY if oneway else 0,
            fields=fields or {},
            body=body,
            serialize=Serialize.JSON if encoding == "json" else Serialize.ROCKETMQ,
        )
        return await run_probe(
            self.client.recorder,
            self._peer(node),
            encode(command),
            name=probe,
            encoding=encoding,
            request_code=code,
            payload_bytes=len(body),
            oneway=oneway,
            deadline_ms=deadline_ms,
        )

    def conversation(self, node: str, *, address: str | None = None) -> Conversation:
        """A connection of its own for several requests; writes ``replies``. Ends with its ``async with``.

        ``address``: another port of the node than its main one. For requests that change a cluster for others the
        scenario names `destructive` among its needs.
        """
        peer = self._peer(node)
        return Conversation(self.client.recorder, peer if address is None else replace(peer, address=address))

    async def garbage(self, node: str, data: bytes, *, probe: str, deadline_ms: int = 3_000) -> RawAnswer:
        """Bytes as given (malformed frames); writes ``replies`` with encoding ``garbage``."""
        return await run_probe(
            self.client.recorder,
            self._peer(node),
            data,
            name=probe,
            encoding="garbage",
            request_code=None,
            payload_bytes=len(data),
            oneway=False,
            deadline_ms=deadline_ms,
        )

    def _refuse_harm(self, code: int) -> None:
        settings = self.client.settings
        if settings.prefix and not settings.destructive and code in DESTRUCTIVE_CODES:
            raise FaultError(
                f"request {code} would change the cluster for everybody who uses it: allow it with "
                f"--mqcheck-allow destructive"
            )

    def _own(self, name: str) -> str:
        return owned(self.client.settings.prefix, name)

    def _peer(self, node: str) -> Peer:
        return Peer(node, self.address(node), f"{self.client.name}->{node}")

    async def _ask(self, node: str, command: Command) -> Command | None:
        try:
            return await self.client.call(self.address(node), command)
        except RemotingError:
            return None


def _broker_of(node: str) -> str:
    """The broker group of a node name."""
    return node.partition("-slave")[0]


def _code(answer: Command | None) -> int | None:
    return None if answer is None else answer.code


def _json(answer: Command | None) -> dict[str, Any] | None:
    if answer is None or answer.code != ResponseCode.SUCCESS:
        return None
    try:
        read = loads_loose(answer.body)
    except ValueError:
        return None
    return read if isinstance(read, dict) else None
