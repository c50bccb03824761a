"""mqcheck.rocketmq.consumer: what reaches listeners, what is committed, who owns what, and the rows of it all."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from mqcheck.errors import HarnessError
from mqcheck.rocketmq.consumer import Consumer
from mqcheck.rocketmq.models import Delivery, ListenerResult, MessageQueue, Misbehaviour, Outgoing
from mqcheck.rocketmq.producer import Producer


class Seen:
    """A listener that keeps what it saw and says what it is told to say."""

    def __init__(self, *says: ListenerResult) -> None:
        self.deliveries: list[Delivery] = []
        self._says = list(says)

    async def __call__(self, delivery: Delivery) -> ListenerResult:
        self.deliveries.append(delivery)
        said = self._says.pop(0) if self._says else "success"
        if said == "exception":
            raise RuntimeError("as told")
        return said

    @property
    def bodies(self) -> list[bytes]:
        return [delivery.body for delivery in self.deliveries]


async def fill(client: Any, topic: str, count: int, queue: int | None = None) -> None:
    producer = Producer(client, "PG")
    place = None if queue is None else MessageQueue(topic, "broker-a", queue)
    for number in range(count):
        outcome = await producer.send(Outgoing(topic, b"%d" % number, tag="A"), queue=place)
        assert outcome.outcome == "ok"


def committed(cluster: Any, group: str, topic: str) -> int:
    return sum(offset for (g, t, _), offset in cluster.broker.offsets.items() if (g, t) == (group, topic))


def test_everything_is_delivered_then_committed(lab: Any) -> None:
    async def run() -> None:
        async with lab.cluster() as cluster:
            cluster.create("T")
            seen = Seen()
            async with lab.client(cluster, "consumer-1") as client:
                await fill(client, "T", 20)
                consumer = Consumer(client, "G", {"T": "*"}, seen)
                await consumer.start()
                await lab.until(lambda: len(seen.deliveries) == 20)
                await lab.until(lambda: committed(cluster, "G", "T") == 20)
                assert consumer.deliveries == 20
                assert MessageQueue("%RETRY%G", "broker-a", 0) in consumer.owned()
                owned = set(consumer.owned())
            assert sorted(map(int, seen.bodies)) == list(range(20))
            deliveries = lab.rows("deliveries")
            by_op = {row["op"]: row for row in deliveries}
            assert {d.delivery for d in seen.deliveries} == by_op.keys()
            results = lab.rows("results")
            assert [row["result"] for row in results] == ["success"] * 20
            assert all(row["invoked"] > by_op[row["delivery"]]["t"] for row in results)
            kinds = [(row["kind"], row.get("queue")) for row in lab.rows("members")]
            assert kinds.count(("closed", None)) == kinds.count(("unregistered", None)) == 1
            sessions = {row["session"]: row for row in lab.rows("members", kind="assigned")}
            assert {MessageQueue(r["topic"], r["broker"], r["queue"]) for r in sessions.values()} == owned
            assert sessions.keys() == {row["session"] for row in lab.rows("members", kind="revoked")}
            assert all(row["session"] in sessions for row in deliveries)
            pulls = {row["op"]: row for row in lab.rows("pulls")}
            assert all(row["pull"] in pulls for row in deliveries)
            assert {row["code"] for row in pulls.values() if "code" in row} >= {0}

    asyncio.run(run())


def test_a_commit_covers_only_results_recorded_before(lab: Any) -> None:
    async def run() -> None:
        async with lab.cluster() as cluster:
            cluster.create("T", 1)
            gate = asyncio.Event()
            seen: list[int] = []

            async def listener(delivery: Delivery) -> ListenerResult:
                seen.append(delivery.queue_offset)
                if delivery.queue_offset == 3:
                    await gate.wait()
                return "success"

            async with lab.client(cluster) as client:
                await fill(client, "T", 10, 0)
                await Consumer(client, "G", {"T": "*"}, listener).start()
                await lab.until(lambda: len(seen) == 10)
                await lab.until(lambda: committed(cluster, "G", "T") == 3)
                await asyncio.sleep(2 * lab.settings.persist_ms / 1000)
                assert committed(cluster, "G", "T") == 3
                gate.set()
                await lab.until(lambda: committed(cluster, "G", "T") == 10)
            done = {
                row["queue_offset"]: result["invoked"]
                for row in lab.rows("deliveries")
                for result in lab.rows("results", delivery=row["op"])
            }
            for commit in lab.rows("offsets", kind="commit", topic="T"):
                assert all(done[offset] < commit["invoked"] for offset in range(commit["value"]))

    asyncio.run(run())


@pytest.mark.parametrize("verdict", ["later", "exception", "suspend"])
def test_a_failed_message_is_sent_back_and_comes_again(lab: Any, verdict: ListenerResult) -> None:
    async def run() -> None:
        async with lab.cluster() as cluster:
            cluster.create("T", 1)
            seen = Seen(verdict, verdict)
            async with lab.client(cluster) as client:
                await fill(client, "T", 1)
                await Consumer(client, "G", {"T": "*"}, seen, max_reconsume=2).start()
                await lab.until(lambda: len(seen.deliveries) == 3)
                await lab.until(lambda: committed(cluster, "G", "T") == 1)
            assert [d.reconsume_times for d in seen.deliveries] == [0, 1, 2]
            assert [d.topic for d in seen.deliveries] == ["T", "%RETRY%G", "%RETRY%G"]
            assert {d.origin_topic for d in seen.deliveries} == {"T"}
            assert len({d.message for d in seen.deliveries}) == 1
            (back, _) = cluster.broker.asked(36)
            assert (back.fields["delayLevel"], back.fields["maxReconsumeTimes"]) == ("0", "2")
            rows = [(row["kind"], row["result"], row["outcome"]) for row in lab.rows("results")]
            told = [("listener", verdict, "ok"), ("send-back", "later", "ok")]
            assert rows == [*told, *told, ("listener", "success", "ok")]
            assert len({row["props_digest"] for row in lab.rows("deliveries")}) == 1

    asyncio.run(run())


def test_past_the_limit_a_message_goes_to_the_dead_letters(lab: Any) -> None:
    async def run() -> None:
        async with lab.cluster() as cluster:
            cluster.create("T", 1)
            seen = Seen(*["later"] * 9)
            async with lab.client(cluster) as client:
                await fill(client, "T", 1)
                await Consumer(client, "G", {"T": "*"}, seen, max_reconsume=2).start()
                await lab.until(lambda: cluster.broker.logs["%DLQ%G", 0])
            assert len(seen.deliveries) == 3

    asyncio.run(run())


@pytest.mark.parametrize(("action", "outcome"), [(1, "error"), ("silence", "unknown"), ("close", "unknown")])
def test_a_failed_send_back_is_retried_here(lab: Any, action: Any, outcome: str) -> None:
    async def run() -> None:
        async with lab.cluster() as cluster:
            cluster.create("T", 1)
            cluster.broker.script[36] = [action]
            seen = Seen("later")
            async with lab.client(cluster) as client:
                await fill(client, "T", 1)
                await Consumer(client, "G", {"T": "*"}, seen).start()
                await lab.until(lambda: len(seen.deliveries) == 2)
                await lab.until(lambda: committed(cluster, "G", "T") == 1)
            assert [row["outcome"] for row in lab.rows("results", kind="send-back")] == [outcome]
            assert [d.reconsume_times for d in seen.deliveries] == [0, 1]
            assert {d.topic for d in seen.deliveries} == {"T"}

    asyncio.run(run())


def test_broadcasting_reaches_every_member_and_commits_nowhere(lab: Any) -> None:
    async def run() -> None:
        async with lab.cluster() as cluster:
            cluster.create("T", 2)
            first, second = Seen("later"), Seen()
            async with lab.client(cluster, "c1") as one, lab.client(cluster, "c2") as two:
                await fill(one, "T", 5)
                for client, seen in ((one, first), (two, second)):
                    await Consumer(client, "G", {"T": "*"}, seen, mode="broadcasting").start()
                await lab.until(lambda: len(first.deliveries) == len(second.deliveries) == 5)
            assert sorted(first.bodies) == sorted(second.bodies)
            assert cluster.broker.offsets == {}
            assert cluster.broker.asked(36) == []
            assert {row["mode"] for row in lab.rows("subscriptions")} == {"broadcasting"}

    asyncio.run(run())


def test_members_share_the_queues_and_the_rest_take_over(lab: Any) -> None:
    async def run() -> None:
        async with lab.cluster() as cluster:
            cluster.create("T", 4)
            first, second = Seen(), Seen()
            async with lab.client(cluster, "c1", rebalance_ms=60_000) as one:
                a = Consumer(one, "G", {"T": "*"}, first)
                await a.start()
                await lab.until(lambda: len(a.owned()) == 5)
                async with lab.client(cluster, "c2", rebalance_ms=60_000) as two:
                    b = Consumer(two, "G", {"T": "*"}, second)
                    await b.start()
                    await lab.until(lambda: len([q for q in b.owned() if q.topic == "T"]) == 2)
                    await lab.until(lambda: len([q for q in a.owned() if q.topic == "T"]) == 2)
                    assert not set(a.owned()) & set(b.owned())
                    await fill(two, "T", 8)
                    await lab.until(lambda: len(first.deliveries) + len(second.deliveries) == 8)
                    assert first.deliveries
                    assert second.deliveries
                await lab.until(lambda: len([q for q in a.owned() if q.topic == "T"]) == 4)
            assert lab.rows("members", kind="notified", member=one.client_id)
            listed = {row["members"] for row in lab.rows("members", kind="listed")}
            assert f"{one.client_id},{two.client_id}" in listed

    asyncio.run(run())


def test_a_restarted_group_goes_on_where_it_committed(lab: Any) -> None:
    async def run() -> None:
        async with lab.cluster() as cluster:
            cluster.create("T", 1)
            first, second = Seen(), Seen()
            async with lab.client(cluster, "c1") as client:
                await fill(client, "T", 5)
                await Consumer(client, "G", {"T": "*"}, first).start()
                await lab.until(lambda: len(first.deliveries) == 5)
            async with lab.client(cluster, "c1") as client:
                await fill(client, "T", 2)
                await Consumer(client, "G", {"T": "*"}, second).start()
                await lab.until(lambda: len(second.deliveries) == 2)
            assert [d.queue_offset for d in second.deliveries] == [5, 6]

    asyncio.run(run())


def test_from_last_sees_only_what_comes(lab: Any) -> None:
    async def run() -> None:
        async with lab.cluster() as cluster:
            cluster.create("T", 1)
            seen = Seen()
            async with lab.client(cluster) as client:
                await fill(client, "T", 3)
                await Consumer(client, "G", {"T": "*"}, seen, from_where="last").start()
                await lab.until(lambda: lab.rows("pulls", topic="T"))
                await fill(client, "T", 1)
                await lab.until(lambda: seen.deliveries)
            assert [d.queue_offset for d in seen.deliveries] == [3]

    asyncio.run(run())


def test_tags_are_checked_exactly(lab: Any) -> None:
    async def run() -> None:
        async with lab.cluster() as cluster:
            cluster.create("T", 1)
            seen = Seen()
            async with lab.client(cluster) as client:
                producer = Producer(client, "PG")
                for tag in ("Aa", "BB", "C", None):
                    await producer.send(Outgoing("T", b"", tag=tag))
                await Consumer(client, "G", {"T": "BB || C"}, seen).start()
                await lab.until(lambda: committed(cluster, "G", "T") == 4)
            assert [d.tag for d in seen.deliveries] == ["BB", "C"]

    asyncio.run(run())


def test_offset_moved_begins_anew_where_the_broker_says(lab: Any) -> None:
    async def run() -> None:
        async with lab.cluster() as cluster:
            cluster.create("T", 1)
            cluster.broker.minimum["T", 0] = 50
            seen = Seen()
            async with lab.client(cluster) as client:
                await fill(client, "T", 2)
                await Consumer(client, "G", {"T": "*"}, seen).start()
                await lab.until(lambda: len(seen.deliveries) == 2)
                await lab.until(lambda: committed(cluster, "G", "T") == 52)
            assert [d.queue_offset for d in seen.deliveries] == [50, 51]
            commits = [row["value"] for row in lab.rows("offsets", kind="commit", topic="T")]
            assert commits[0] == 50
            assert len(lab.rows("members", kind="assigned", topic="T")) == 2

    asyncio.run(run())


def test_a_broker_that_forgot_the_member_is_told_again(lab: Any) -> None:
    async def run() -> None:
        async with lab.cluster() as cluster:
            cluster.create("T", 1)
            seen = Seen()
            async with lab.client(cluster, heartbeat_ms=60_000) as client:
                await Consumer(client, "G", {"T": "*"}, seen).start()
                await lab.until(lambda: lab.rows("pulls", topic="T"))
                cluster.broker.members.clear()
                await fill(client, "T", 1)
                await lab.until(lambda: seen.deliveries)
            assert 24 in {row.get("code") for row in lab.rows("pulls")}

    asyncio.run(run())


def test_pulling_stops_while_the_cache_is_full(lab: Any) -> None:
    async def run() -> None:
        async with lab.cluster() as cluster:
            cluster.create("T", 1)
            gate = asyncio.Event()
            seen = []

            async def listener(delivery: Delivery) -> ListenerResult:
                seen.append(delivery)
                await gate.wait()
                return "success"

            async with lab.client(cluster, threshold_messages=4, pull_batch=2, consume_threads=1) as client:
                await fill(client, "T", 20)
                await Consumer(client, "G", {"T": "*"}, listener).start()
                await lab.until(lambda: len(lab.rows("pulls", topic="T", code=0)) == 3)
                await asyncio.sleep(0.1)
                assert len(lab.rows("pulls", topic="T")) == 3
                gate.set()
                await lab.until(lambda: len(seen) == 20)

    asyncio.run(run())


def test_closing_lets_a_running_listener_finish(lab: Any) -> None:
    async def run() -> None:
        async with lab.cluster() as cluster:
            cluster.create("T", 1)
            running = asyncio.Event()

            async def listener(delivery: Delivery) -> ListenerResult:
                running.set()
                await asyncio.sleep(0.05)
                return "success"

            async with lab.client(cluster, consume_threads=1) as client:
                await fill(client, "T", 5)
                consumer = Consumer(client, "G", {"T": "*"}, listener)
                await consumer.start()
                await running.wait()
                await consumer.close()
                await consumer.close()
            done = len(lab.rows("results"))
            assert 1 <= done <= 2
            assert committed(cluster, "G", "T") == done == len(lab.rows("deliveries"))
            assert cluster.broker.members["G"] == {}

    asyncio.run(run())


def test_a_crash_leaves_no_last_words(lab: Any) -> None:
    async def run() -> None:
        async with lab.cluster() as cluster:
            cluster.create("T", 1)
            seen = Seen()
            client = lab.make(cluster, persist_ms=60_000)
            await client.start()
            await fill(client, "T", 3)
            await Consumer(client, "G", {"T": "*"}, seen).start()
            await lab.until(lambda: len(lab.rows("results")) == 3)
            await client.abandon()
            await client.abandon()
            await lab.until(lambda: not cluster.broker.members["G"])
            assert cluster.broker.asked(35) == []
            assert cluster.broker.asked(15) == []
            assert [row["kind"] for row in lab.rows("members")][-1] == "closed"
            assert lab.rows("members", kind="revoked") == []
            assert all("closed" in row for row in lab.rows("connections"))

    asyncio.run(run())


def test_stop_mid_message(lab: Any) -> None:
    async def run() -> None:
        async with lab.cluster() as cluster:
            cluster.create("T", 1)
            seen = Seen()
            client = lab.make(cluster, consume_threads=1)
            await client.start()
            await fill(client, "T", 5)
            await Consumer(client, "G", {"T": "*"}, seen, misbehave=Misbehaviour(stop_mid_message=3)).start()
            await lab.until(lambda: client.closed and not cluster.broker.members["G"])
            assert len(seen.deliveries) == 2
            assert len(lab.rows("deliveries")) == 3
            assert len(lab.rows("results")) == 2

    asyncio.run(run())


def test_never_acknowledge(lab: Any) -> None:
    async def run() -> None:
        async with lab.cluster() as cluster:
            cluster.create("T", 1)
            seen = Seen()
            async with lab.client(cluster) as client:
                await fill(client, "T", 3)
                misbehave = Misbehaviour(never_acknowledge=True)
                await Consumer(client, "G", {"T": "*"}, seen, misbehave=misbehave).start()
                await lab.until(lambda: len(seen.deliveries) == 3)
            assert lab.rows("results") == []
            assert committed(cluster, "G", "T") == 0

    asyncio.run(run())


def test_silence_keeps_the_connection_busy_and_says_nothing(lab: Any) -> None:
    async def run() -> None:
        async with lab.cluster() as cluster:
            cluster.create("T", 1)
            seen = Seen()
            async with lab.client(cluster, heartbeat_ms=50) as client:
                await Consumer(client, "G", {"T": "*"}, seen).start()
                await lab.until(lambda: lab.rows("pulls", topic="T"))
                await client.silence()
                beats, pulls = len(cluster.broker.asked(34)), len(cluster.broker.asked(11))
                asked = len(cluster.broker.asked(31))
                await lab.until(lambda: len(cluster.broker.asked(31)) >= asked + 3)
                cluster.broker.store("T", 0, b"", {})
                await lab.until(lambda: len(cluster.broker.asked(31)) >= asked + 6)
                assert len(cluster.broker.asked(34)) <= beats + 1
                assert len(cluster.broker.asked(11)) == pulls
            assert seen.deliveries == []
            assert cluster.broker.asked(35) == []

    asyncio.run(run())


def test_orderly_keeps_order_through_suspends(lab: Any) -> None:
    async def run() -> None:
        async with lab.cluster() as cluster:
            cluster.create("T", 2)
            seen = Seen("success", "suspend", "exception", "later")
            async with lab.client(cluster) as client:
                await fill(client, "T", 6, 0)
                await Consumer(client, "G", {"T": "*"}, seen, orderly=True).start()
                await lab.until(lambda: committed(cluster, "G", "T") == 6)
            offsets = [d.queue_offset for d in seen.deliveries]
            assert offsets == [0, 1, 1, 1, 1, 2, 3, 4, 5]
            assert [d.reconsume_times for d in seen.deliveries][:5] == [0, 0, 1, 2, 3]
            assert cluster.broker.asked(36) == []
            assert cluster.broker.locks == {}
            locks = lab.rows("locks", kind="lock", topic="T")
            assert locks
            assert all(row["granted"] for row in locks)
            assert lab.rows("locks", kind="unlock", topic="T")

    asyncio.run(run())


def test_orderly_without_lock_gets_nothing(lab: Any) -> None:
    async def run() -> None:
        async with lab.cluster() as cluster:
            cluster.create("T", 1)
            cluster.broker.locks["G", "T", 0] = "somebody"
            seen = Seen()
            async with lab.client(cluster) as client:
                await fill(client, "T", 2)
                consumer = Consumer(client, "G", {"T": "*"}, seen, orderly=True)
                await consumer.start()
                await lab.until(lambda: lab.rows("locks", granted=False, topic="T"))
                assert not [queue for queue in consumer.owned() if queue.topic == "T"]
                del cluster.broker.locks["G", "T", 0]
                await lab.until(lambda: len(seen.deliveries) == 2)

    asyncio.run(run())


def test_orderly_gives_up_a_queue_whose_lock_was_lost(lab: Any) -> None:
    async def run() -> None:
        async with lab.cluster() as cluster:
            cluster.create("T", 1)
            seen = Seen()
            async with lab.client(cluster) as client:
                await fill(client, "T", 1)
                consumer = Consumer(client, "G", {"T": "*"}, seen, orderly=True)
                await consumer.start()
                await lab.until(lambda: len(seen.deliveries) == 1)
                cluster.broker.locks["G", "T", 0] = "somebody"
                await lab.until(lambda: lab.rows("members", kind="revoked", topic="T"))
                await fill(client, "T", 1)
                assert len(seen.deliveries) == 1
                del cluster.broker.locks["G", "T", 0]
                await lab.until(lambda: len(seen.deliveries) == 2)
            assert [row["kind"] for row in lab.rows("members", topic="T")] == ["assigned", "revoked"] * 2
            assert lab.rows("locks", kind="unlock", topic="T", outcome="ok")

    asyncio.run(run())


def test_orderly_gives_up_a_message_past_its_limit(lab: Any) -> None:
    async def run() -> None:
        async with lab.cluster() as cluster:
            cluster.create("T", 1)
            seen = Seen("suspend", "suspend")
            async with lab.client(cluster) as client:
                await fill(client, "T", 2)
                await Consumer(client, "G", {"T": "*"}, seen, orderly=True, max_reconsume=1).start()
                await lab.until(lambda: committed(cluster, "G", "T") == 2)
            (copy,) = [c for c in cluster.broker.asked(310) if c.fields["b"] == "%RETRY%G"]
            assert (copy.fields["j"], copy.fields["l"]) == ("1", "1")
            assert [d.queue_offset for d in seen.deliveries if d.topic == "T"] == [0, 0, 1]
            assert [row["outcome"] for row in lab.rows("results", kind="send-back")] == ["ok"]

    asyncio.run(run())


@pytest.mark.parametrize("keep", [False, True])
def test_keep_lock(lab: Any, keep: bool) -> None:
    async def run() -> None:
        async with lab.cluster() as cluster:
            cluster.create("T", 1)
            async with lab.client(cluster) as client:
                await fill(client, "T", 1)
                misbehave = Misbehaviour(keep_lock=keep)
                seen = Seen()
                await Consumer(client, "G", {"T": "*"}, seen, orderly=True, misbehave=misbehave).start()
                await lab.until(lambda: seen.deliveries)
            assert (("G", "T", 0) in cluster.broker.locks) == keep

    asyncio.run(run())


def test_oneway_commits_are_unknown(lab: Any) -> None:
    async def run() -> None:
        async with lab.cluster() as cluster:
            cluster.create("T", 1)
            seen = Seen()
            async with lab.client(cluster, two_way_commit=False) as client:
                await fill(client, "T", 1)
                await Consumer(client, "G", {"T": "*"}, seen).start()
                await lab.until(lambda: committed(cluster, "G", "T") == 1)
            assert {row["outcome"] for row in lab.rows("offsets", kind="commit")} == {"unknown"}

    asyncio.run(run())


def test_a_restarted_broker_is_found_again(lab: Any) -> None:
    async def run() -> None:
        async with lab.cluster() as cluster:
            cluster.create("T", 1)
            seen = Seen()
            async with lab.client(cluster) as client:
                await fill(client, "T", 2)
                await Consumer(client, "G", {"T": "*"}, seen).start()
                await lab.until(lambda: len(seen.deliveries) == 2)
                port = int(cluster.broker.address.rpartition(":")[2])
                await cluster.broker.stop()
                await lab.until(lambda: lab.rows("pulls", outcome="unsent"))
                await cluster.broker.start(port)
                await fill(client, "T", 2)
                await lab.until(lambda: len(seen.deliveries) == 4)

    asyncio.run(run())


def test_one_consumer_per_group_and_client(lab: Any) -> None:
    async def run() -> None:
        async with lab.cluster() as cluster, lab.client(cluster) as client:
            await Consumer(client, "G", {"T": "*"}, Seen()).start()
            with pytest.raises(HarnessError, match="another client"):
                await Consumer(client, "G", {"T": "*"}, Seen()).start()

    asyncio.run(run())


def test_a_listener_that_answers_nonsense_is_the_kits_failure(lab: Any) -> None:
    async def run() -> None:
        async with lab.cluster() as cluster:
            cluster.create("T", 1)
            client = lab.make(cluster)
            await client.start()
            await fill(client, "T", 1)

            async def listener(delivery: Delivery) -> Any:
                return "maybe"

            await Consumer(client, "G", {"T": "*"}, listener).start()
            await lab.until(lambda: lab.rows("deliveries"))
            with pytest.raises(HarnessError, match="maybe"):
                await client.close()

    asyncio.run(run())


def test_batches_of_a_dropped_queue_do_not_count(lab: Any) -> None:
    async def run() -> None:
        async with lab.cluster() as cluster:
            cluster.create("T", 1)
            gate = asyncio.Event()
            started: list[Delivery] = []

            async def listener(delivery: Delivery) -> ListenerResult:
                started.append(delivery)
                await gate.wait()
                return "success"

            async with lab.client(cluster, "c2", rebalance_ms=60_000) as client:
                await fill(client, "T", 1)
                await Consumer(client, "G", {"T": "*"}, listener).start()
                await lab.until(lambda: started)
                async with lab.client(cluster, "c1") as other:
                    b = Consumer(other, "G", {"T": "*"}, Seen())
                    await b.start()
                    await lab.until(lambda: lab.rows("members", kind="revoked", member=client.client_id))
                    gate.set()
                    await lab.until(lambda: lab.rows("results", kind="dropped"))

    asyncio.run(run())
