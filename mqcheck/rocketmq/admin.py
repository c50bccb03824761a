"""Administration, probes and the final reader. (Signatures; bodies follow.)"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mqcheck.rocketmq.client import Client
from mqcheck.rocketmq.models import Encoding, MessageQueue, PullAnswer, RawAnswer, Reading, RouteAnswer


class Admin:
    """Topics, routes, offsets, single pulls, raw requests, readings; all recorded.

    A ``node`` is a node name ("broker-a", "broker-a-slave", "nameserver-1"): looked up in ``nodes``, then in the
    client's NameServers, then in its routes. No method raises for what a broker or link does; "no answer" is None.
    """

    def __init__(self, client: Client, nodes: Mapping[str, str] | None = None) -> None:
        """``nodes``: node name → address to use (links' addresses in the load phase, real ones in a final read)."""
        raise NotImplementedError

    async def create_topic(
        self, topic: str, nodes: Sequence[str], *, queues: int = 4, perm: int = 6, order: bool = False
    ) -> dict[str, int | None]:
        """UPDATE_AND_CREATE_TOPIC on each broker; node → response code."""
        raise NotImplementedError

    async def create_group(self, group: str, nodes: Sequence[str], **config: Any) -> dict[str, int | None]:
        """UPDATE_AND_CREATE_SUBSCRIPTIONGROUP with RocketMQ's own configuration names."""
        raise NotImplementedError

    async def route(
        self, nameserver: str, topic: str, known_brokers: Sequence[str] = (), *, timeout_ms: int | None = None
    ) -> RouteAnswer:
        """Ask one NameServer once; writes ``routes`` rows."""
        raise NotImplementedError

    async def cluster_info(self, nameserver: str) -> dict[str, Any] | None:
        """GET_BROKER_CLUSTER_INFO."""
        raise NotImplementedError

    async def topics(self, node: str) -> dict[str, Any] | None:
        """GET_ALL_TOPIC_CONFIG: topic → its configuration (readQueueNums, writeQueueNums, perm, …)."""
        raise NotImplementedError

    async def min_offset(self, node: str, topic: str, queue: int) -> int | None:
        """GET_MIN_OFFSET."""
        raise NotImplementedError

    async def max_offset(self, node: str, topic: str, queue: int) -> int | None:
        """GET_MAX_OFFSET."""
        raise NotImplementedError

    async def search_offset(self, node: str, topic: str, queue: int, timestamp_ms: int) -> int | None:
        """SEARCH_OFFSET_BY_TIMESTAMP."""
        raise NotImplementedError

    async def query_offset(self, node: str, group: str, topic: str, queue: int) -> int | None:
        """QUERY_CONSUMER_OFFSET; None also when nothing is stored (22)."""
        raise NotImplementedError

    async def commit_offset(self, node: str, group: str, topic: str, queue: int, value: int) -> bool:
        """UPDATE_CONSUMER_OFFSET with an answer; True: acknowledged."""
        raise NotImplementedError

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
        timeout_ms: int | None = None,
    ) -> PullAnswer:
        """One PULL_MESSAGE with the subscription in its header; ``hold_ms`` None: not held."""
        raise NotImplementedError

    async def members(self, node: str, group: str) -> tuple[str, ...] | None:
        """GET_CONSUMER_LIST_BY_GROUP; empty when the group has no live member."""
        raise NotImplementedError

    async def lock(
        self, node: str, group: str, member: str, queues: Sequence[MessageQueue]
    ) -> tuple[MessageQueue, ...] | None:
        """LOCK_BATCH_MQ as ``member``: the queues granted."""
        raise NotImplementedError

    async def unlock(self, node: str, group: str, member: str, queues: Sequence[MessageQueue]) -> bool:
        """UNLOCK_BATCH_MQ as ``member``."""
        raise NotImplementedError

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
        """Read a queue from min to max; writes ``readings`` and ``final_log``. ``broker`` None: the node's own name."""
        raise NotImplementedError

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
        """A request as given, on a connection of its own; counts the answers until the deadline; writes ``replies``."""
        raise NotImplementedError

    async def garbage(self, node: str, data: bytes, *, probe: str, deadline_ms: int = 3_000) -> RawAnswer:
        """Bytes as given (malformed frames); writes ``replies`` with encoding ``garbage``."""
        raise NotImplementedError

    async def close(self) -> None:
        """Close the admin's own connections."""
        raise NotImplementedError
