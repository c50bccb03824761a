"""One member of a consumer group: subscription, owned queues, timers, good and bad endings.

The parts are its neighbours'; here is when they act. Source: DefaultMQPushConsumerImpl, RebalanceImpl
(``rocketmq.md`` §7).
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence

from mqcheck.errors import FrameError, RemotingError
from mqcheck.rocketmq.client import Client
from mqcheck.rocketmq.codes import RETRY_PREFIX, RequestCode, ResponseCode
from mqcheck.rocketmq.consumer.allocation import average
from mqcheck.rocketmq.consumer.concurrent import ConcurrentService
from mqcheck.rocketmq.consumer.listening import Listener, Listening
from mqcheck.rocketmq.consumer.orderly import OrderlyService
from mqcheck.rocketmq.consumer.progress import Progress
from mqcheck.rocketmq.consumer.pull_loop import PullLoop
from mqcheck.rocketmq.consumer.share import Share
from mqcheck.rocketmq.heartbeat import TAG, GroupView, Subscription, parse_members
from mqcheck.rocketmq.models import FromWhere, MessageQueue, Misbehaviour, Mode, Route
from mqcheck.rocketmq.names import owned
from mqcheck.rocketmq.routes import node_name

CONCURRENT_RECONSUME_MAX = 16
"""Redeliveries of a failing message unless told otherwise (maxReconsumeTimes -1, concurrent)."""

ORDERLY_UNLIMITED = 2**31 - 1
"""What an orderly consumer without limit says about it (Integer.MAX_VALUE)."""


class Consumer:
    """One member of a consumer group; ``member`` is its client's id.

    A listener gets a Delivery and returns success, later, suspend (orderly) or raises. A restarted member is a new
    Consumer on a new client.
    """

    def __init__(
        self,
        client: Client,
        group: str,
        subscriptions: Mapping[str, str],
        listener: Listener,
        *,
        mode: Mode = "clustering",
        orderly: bool = False,
        from_where: FromWhere = "first",
        max_reconsume: int | None = None,
        misbehave: Misbehaviour | None = None,
        sql92: Collection[str] = (),
    ) -> None:
        """``subscriptions``: topic → tags ("*", "A || B"), an SQL92 expression for the topics in ``sql92``.

        ``max_reconsume`` None: 16, for orderly no limit.
        """
        self.client = client
        self.group = group = owned(client.settings.prefix, group)
        self.member = client.client_id
        self.mode = mode
        self.orderly = orderly
        self.from_where = from_where
        self.closed = False
        self._misbehave = misbehave or Misbehaviour()
        self._max_reconsume = max_reconsume
        retry_topic = RETRY_PREFIX + group
        version = client.clock.wall_ms()
        topics = {**subscriptions, **({retry_topic: "*"} if mode == "clustering" else {})}
        self._subscriptions = {
            topic: Subscription(topic, text, version, "SQL92" if topic in sql92 else TAG)
            for topic, text in topics.items()
        }
        self._listening = Listening(client, group, retry_topic, listener, self._misbehave)
        self._progress = Progress(client, group, mode, from_where)
        self._shares: dict[MessageQueue, Share] = {}
        self._loops: dict[int, asyncio.Task[None]] = {}
        self._heard: set[str] = set()
        self._wanted = asyncio.Event()
        self._turn = asyncio.Lock()
        self._tasks: list[asyncio.Task[None]] = []
        self._locks = mode == "clustering" and orderly
        self._service: ConcurrentService | OrderlyService
        if orderly:
            self._service = OrderlyService(
                client, group, self._listening, max_reconsume, self._lost, locking=self._locks
            )
        else:
            times = CONCURRENT_RECONSUME_MAX if max_reconsume is None else max_reconsume
            self._service = ConcurrentService(client, self._listening, mode, times)

    @property
    def deliveries(self) -> int:
        """Deliveries so far."""
        return self._listening.deliveries

    def owned(self) -> tuple[MessageQueue, ...]:
        """Queues this member pulls now, retry topic included."""
        return tuple(sorted(self._shares))

    # --- life -------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Heartbeat, rebalance, begin to pull."""
        client = self.client
        for topic in self._subscriptions:
            client.watch(topic)
            await client.route(topic)
        client.add_consumer(self)
        if isinstance(self._service, ConcurrentService):
            self._service.start()
        await client.heartbeat()
        self._wanted.set()
        self._tasks = [client.spawn(self._rebalance_loop()), client.spawn(self._persist_loop())]
        if self._locks:
            self._tasks.append(client.spawn(self._relock_loop()))

    async def close(self) -> None:
        """Stop pulling, let running listeners finish, commit, unlock, unregister; a silent member just goes.

        A silent member's queues have other owners by now: its last commit would take their progress back.
        """
        if self.closed:
            return
        if self.client.silent:
            await self.abandon()
            await self.client.remove_consumer(self)
            return
        self.closed = True
        async with self._turn:
            await self._cancel([*self._tasks, *self._loops.values()])
            if isinstance(self._service, ConcurrentService):
                await self._service.finish(self.client.settings.close_wait_ms)
            await self._revoke(list(self._shares.values()))
        await self.client.remove_consumer(self)
        self._point("closed")

    async def abandon(self) -> None:
        """Stop as a crash would: no commit, no unlock, no unregister."""
        self.closed = True
        for share in self._shares.values():
            share.dropped = True
        self._point("closed")

    def hush(self) -> None:
        """Pull nothing more; what is owned stays owned in this member's eyes."""
        for task in (*self._tasks, *self._loops.values()):
            task.cancel()

    async def _cancel(self, tasks: Sequence[asyncio.Task[None]]) -> None:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # --- what the client calls --------------------------------------------------------------------------------------

    def view(self) -> GroupView:
        """What heartbeats say about it."""
        return GroupView(self.group, self.mode, self.from_where, tuple(self._subscriptions.values()))

    def heard(self, node: str) -> None:
        """A broker knows the subscriptions now."""
        if node in self._heard:
            return
        self._heard.add(node)
        limit = self._max_reconsume
        if limit is None:
            limit = ORDERLY_UNLIMITED if self.orderly else CONCURRENT_RECONSUME_MAX
        for item in self._subscriptions.values():
            self.client.recorder.point(
                "subscriptions",
                consumer_group=self.group,
                topic=item.topic,
                expression_type=item.kind,
                expression=item.expression,
                mode=self.mode,
                orderly=self.orderly,
                from_where=self.from_where,
                max_reconsume=limit,
                node=node,
            )

    def notified(self, node: str) -> None:
        """The group changed: rebalance soon."""
        self._point("notified", node=node)
        self._wanted.set()

    # --- timers -----------------------------------------------------------------------------------------------------

    async def _rebalance_loop(self) -> None:
        while True:
            try:
                async with asyncio.timeout(self.client.settings.rebalance_ms / 1000):
                    await self._wanted.wait()
            except TimeoutError:
                pass
            self._wanted.clear()
            await self.rebalance()

    async def _persist_loop(self) -> None:
        while True:
            await asyncio.sleep(self.client.settings.persist_ms / 1000)
            await asyncio.gather(*(self._progress.commit(share) for share in list(self._shares.values())))

    async def _relock_loop(self) -> None:
        while True:
            await asyncio.sleep(self.client.settings.relock_ms / 1000)
            if isinstance(self._service, OrderlyService):
                await self._service.relock(list(self._shares.values()))

    def _want_later(self, delay_ms: int) -> None:
        asyncio.get_running_loop().call_later(delay_ms / 1000, self._wanted.set)

    # --- ownership --------------------------------------------------------------------------------------------------

    async def rebalance(self) -> None:
        """Rebalance now instead of at the next period."""
        async with self._turn:
            for topic in self._subscriptions:
                if self.closed or self.client.silent:
                    return
                await self._rebalance_topic(topic)

    async def _rebalance_topic(self, topic: str) -> None:
        route = await self.client.route(topic)
        queues = () if route is None else route.read_queues()
        if route is None or not queues:
            return
        wanted = set(queues)
        if self.mode == "clustering":
            members = await self._members(route)
            if members is None:
                return
            wanted = set(average(self.member, members, queues))
            if self.member not in members:
                self._want_later(self.client.settings.pull_retry_ms)
        mine = {queue: share for queue, share in self._shares.items() if queue.topic == topic}
        await self._revoke([share for queue, share in mine.items() if queue not in wanted])
        await self._assign(sorted(wanted - mine.keys()))

    async def _members(self, route: Route) -> tuple[str, ...] | None:
        """The group's members as one broker of the topic, picked at random, knows them."""
        masters = [(broker.broker, broker.addresses[0]) for broker in route.brokers if 0 in broker.addresses]
        if not masters:
            return None
        broker, address = self.client.rng.choice(masters)
        fields = {"consumerGroup": self.group}
        asked = self.client.recorder.clock.monotonic_ns()
        try:
            answer = await self.client.call(
                address, self.client.command(RequestCode.GET_CONSUMER_LIST_BY_GROUP, fields)
            )
            members = parse_members(answer.body) if answer.code == ResponseCode.SUCCESS else ()
        except (RemotingError, FrameError):
            return None
        if self.member not in members:
            await self.client.heartbeat_to(address)
        if answer.code != ResponseCode.SUCCESS:
            self._want_later(self.client.settings.pull_retry_ms)
            return None
        self._point("listed", node=node_name(broker, 0), members=",".join(members), asked=asked)
        return members

    async def _assign(self, queues: Sequence[MessageQueue]) -> None:
        granted: dict[MessageQueue, int] = {}
        if self._locks and queues and isinstance(self._service, OrderlyService):
            granted = await self._service.lock(queues)
            if len(granted) < len(queues):
                self._want_later(self.client.settings.lock_retry_ms)
        for queue in queues:
            if self._locks and queue not in granted:
                continue
            share = self.client.seam.share(
                Share(queue, self.client.recorder.new_id(), locked_ns=granted.get(queue)),
                broadcasting=self.mode == "broadcasting",
                orderly=self.orderly,
            )
            self._shares[queue] = share
            self._own("assigned", share)
            loop = PullLoop(
                self.client,
                self.group,
                share,
                self._subscriptions[queue.topic],
                self._progress,
                self._service,
                self._moved,
            )
            self._loops[share.session] = self.client.spawn(loop.run())

    async def _revoke(self, shares: Sequence[Share]) -> None:
        for share in shares:
            share.dropped = True
        await asyncio.gather(*(self._let_go(share) for share in shares))

    async def _let_go(self, share: Share, move_to: int | None = None) -> None:
        """Commit what is finished (or where the broker wants the group), give the lock back, forget the queue."""
        loop = self._loops.pop(share.session, None)
        if loop is not None:
            await self._cancel([loop])
        service = self._service
        if isinstance(service, OrderlyService):
            await service.finish_share(share, self.client.settings.close_wait_ms)
        if move_to is None:
            await self._progress.commit(share)
        else:
            await self._progress.move(share.queue, move_to)
        locked = self._locks and share.locked_ns is not None and not self._misbehave.keep_lock
        if isinstance(service, OrderlyService) and locked:
            await service.unlock([share.queue])
        self._own("revoked", share)
        if self._shares.get(share.queue) is share:
            del self._shares[share.queue]

    def _lost(self, share: Share) -> None:
        """The lock is gone: end this ownership, try for another later."""
        self._end(share, None, self.client.settings.lock_retry_ms)

    def _moved(self, share: Share, offset: int) -> None:
        """The broker has other offsets than the group thinks (PULL_OFFSET_MOVED): begin anew from there."""
        self._end(share, offset, self.client.settings.pull_retry_ms)

    def _end(self, share: Share, move_to: int | None, again_ms: int) -> None:
        if not share.dropped:
            share.dropped = True
            self.client.spawn(self._replace(share, move_to, again_ms))

    async def _replace(self, share: Share, move_to: int | None, again_ms: int) -> None:
        async with self._turn:
            if self._shares.get(share.queue) is share and not self.closed:
                await self._let_go(share, move_to)
        self._want_later(again_ms)

    def _own(self, kind: str, share: Share) -> None:
        queue = share.queue
        self._point(kind, topic=queue.topic, broker=queue.broker, queue=queue.queue, session=share.session)

    def _point(self, kind: str, **columns: str | int | None) -> None:
        self.client.recorder.point("members", None, kind=kind, consumer_group=self.group, member=self.member, **columns)
