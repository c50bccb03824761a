"""mqcheck.rocketmq.producer: outcomes, retries, avoidance, budgets, batches and their rows."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from mqcheck.rocketmq.digests import digest, props_digest
from mqcheck.rocketmq.models import MessageQueue, Outgoing
from mqcheck.rocketmq.producer import Producer

MESSAGE = Outgoing("T", b"body", tag="A", keys=("k1", "k2"), properties={"colour": "grün"}, flag=7)


def test_a_sent_message_is_stored_and_recorded(lab: Any) -> None:
    async def run() -> None:
        async with lab.cluster() as cluster:
            cluster.create("T")
            async with lab.client(cluster, "producer-1") as client:
                outcome = await Producer(client, "PG").send(MESSAGE, worker="w3")
            (record,) = cluster.broker.by_position.values()
            assert outcome.outcome == "ok"
            assert (outcome.broker, outcome.queue, outcome.queue_offset) == ("broker-a", record.queue_id, 0)
            assert outcome.attempts == 1
            assert record.body == b"body"
            assert record.flag == 7
            assert record.properties == {
                "colour": "grün",
                "UNIQ_KEY": outcome.unique_key,
                "WAIT": "true",
                "KEYS": "k1 k2",
                "TAGS": "A",
                "MQC": f"run.1.{outcome.message}.0",
            }
            (send,) = lab.rows("sends")
            (attempt,) = lab.rows("attempts")
            assert send["outcome"] == attempt["outcome"] == "ok"
            assert send["body_digest"] == digest(b"body")
            assert send["props_digest"] == props_digest(record.properties, "A", "k1 k2", 7)
            assert (send["producer"], send["worker"], send["mode"], send["size"]) == ("producer-1", "w3", "sync", 4)
            assert attempt["parent"] == send["op"]
            assert attempt["offset_msg_id"] == outcome.offset_message_id
            (link,) = lab.rows("connections", node="broker-a")
            assert attempt["conn"] == link["conn"] == link["op"]
            assert (link["link"], link["closed_by"]) == ("producer-1->broker-a", "us")
            assert send["invoked"] < attempt["invoked"] < attempt["returned"] < send["returned"]

    asyncio.run(run())


def test_the_row_stands_before_the_request_leaves(lab: Any) -> None:
    async def run() -> None:
        async with lab.cluster() as cluster:
            cluster.create("T")
            known: list[int] = []
            real = cluster.broker._send

            def spy(*args: Any) -> Any:
                known.append(len([row for row in lab.lines("attempts") if row["w"] == "b"]))
                return real(*args)

            cluster.broker._handlers[310] = spy
            async with lab.client(cluster) as client:
                producer = Producer(client, "PG")
                for _ in range(3):
                    await producer.send(MESSAGE)
            assert known == [1, 2, 3]

    asyncio.run(run())


@pytest.mark.parametrize("code", [1, 14, 16, 17, 204, 205])
def test_retried_codes_go_to_the_other_broker_with_the_same_key(lab: Any, code: int) -> None:
    async def run() -> None:
        async with lab.cluster("broker-a", "broker-b") as cluster:
            cluster.create("T")
            for broker in cluster.brokers.values():
                broker.script[310] = [code]
            async with lab.client(cluster) as client:
                outcome = await Producer(client, "PG").send(MESSAGE)
            assert (outcome.outcome, outcome.attempts) == ("ok", 3)
            attempts = lab.rows("attempts")
            assert [row["attempt"] for row in attempts] == [0, 1, 2]
            assert [row["outcome"] for row in attempts] == ["refused", "refused", "ok"]
            assert [row.get("code") for row in attempts] == [code, code, 0]
            brokers = [row["broker"] for row in attempts]
            assert brokers[0] != brokers[1] != brokers[2]
            (record,) = [r for b in cluster.brokers.values() for r in b.by_position.values()]
            assert record.properties["MQC"].endswith(".2")
            assert record.properties["UNIQ_KEY"] == outcome.unique_key == lab.rows("sends")[0]["unique_key"]

    asyncio.run(run())


@pytest.mark.parametrize(("code", "outcome"), [(13, "error"), (2, "error"), (10, "kept"), (11, "kept"), (12, "kept")])
def test_other_codes_end_the_call(lab: Any, code: int, outcome: str) -> None:
    async def run() -> None:
        async with lab.cluster("broker-a", "broker-b") as cluster:
            cluster.create("T")
            for broker in cluster.brokers.values():
                broker.script[310] = [code]
            async with lab.client(cluster) as client:
                result = await Producer(client, "PG").send(MESSAGE)
            assert (result.outcome, result.code, result.attempts) == (outcome, code, 1)
            (attempt,) = lab.rows("attempts")
            assert attempt["outcome"] == ("refused" if outcome == "error" else "kept")

    asyncio.run(run())


def test_refused_connection_is_unsent_and_retried(lab: Any) -> None:
    async def run() -> None:
        async with lab.cluster("broker-a", "broker-b") as cluster:
            cluster.create("T")
            await cluster.brokers["broker-b"].stop()
            async with lab.client(cluster) as client:
                producer = Producer(client, "PG")
                results = [await producer.send(MESSAGE) for _ in range(6)]
            assert all(result.outcome == "ok" for result in results)
            assert any(result.attempts == 2 for result in results)
            refused = lab.rows("attempts", broker="broker-b")
            assert refused
            assert all(row["outcome"] == "unsent" and "conn" not in row for row in refused)

    asyncio.run(run())


def test_connection_broken_after_the_request_is_unknown_and_retried(lab: Any) -> None:
    async def run() -> None:
        async with lab.cluster("broker-a", "broker-b") as cluster:
            cluster.create("T")
            for broker in cluster.brokers.values():
                broker.script[310] = ["close"]
            async with lab.client(cluster) as client:
                result = await Producer(client, "PG").send(MESSAGE)
            assert result.outcome == "ok"
            assert [row["outcome"] for row in lab.rows("attempts")] == ["unknown", "unknown", "ok"]
            assert {row["closed_by"] for row in lab.rows("connections")} == {"us", "peer"} | {
                row["closed_by"] for row in lab.rows("connections") if row["closed_by"] == "error"
            }

    asyncio.run(run())


def test_unreadable_answer_is_unknown(lab: Any) -> None:
    async def run() -> None:
        async with lab.cluster() as cluster:
            cluster.create("T")
            cluster.broker.script[310] = ["garbage"]
            async with lab.client(cluster) as client:
                result = await Producer(client, "PG").send(MESSAGE, retries=0)
            assert result.outcome == "error"
            assert "unreadable" in str(result.reason)
            assert [row["outcome"] for row in lab.rows("attempts")] == ["unknown"]

    asyncio.run(run())


def test_silence_eats_the_whole_budget(lab: Any) -> None:
    async def run() -> None:
        async with lab.cluster("broker-a", "broker-b") as cluster:
            cluster.create("T")
            for broker in cluster.brokers.values():
                broker.script[310] = ["silence"] * 3
            async with lab.client(cluster) as client:
                result = await Producer(client, "PG").send(MESSAGE, timeout_ms=120)
            assert (result.outcome, result.attempts) == ("error", 1)
            (attempt,) = lab.rows("attempts")
            assert attempt["outcome"] == "unknown"
            assert attempt["returned"] - attempt["invoked"] >= 100_000_000

    asyncio.run(run())


def test_a_late_answer_is_noted_and_changes_nothing(lab: Any) -> None:
    async def run() -> None:
        async with lab.cluster() as cluster:
            cluster.create("T")
            gate = asyncio.Event()
            real = cluster.broker.serve

            async def slow(session: Any, command: Any) -> Any:
                if command.code == 310:
                    await gate.wait()
                return await real(session, command)

            cluster.broker.serve = slow
            async with lab.client(cluster) as client:
                result = await Producer(client, "PG").send(MESSAGE, timeout_ms=60)
                assert result.outcome == "error"
                gate.set()
                await lab.until(lambda: lab.lines("late_answers"))
            (attempt,) = lab.rows("attempts")
            (late,) = lab.lines("late_answers")
            assert attempt["outcome"] == "unknown"
            assert (late["op"], late["code"]) == (attempt["op"], 0)

    asyncio.run(run())


def test_a_given_queue_is_tried_once(lab: Any) -> None:
    async def run() -> None:
        async with lab.cluster("broker-a", "broker-b") as cluster:
            cluster.create("T")
            cluster.brokers["broker-b"].script[310] = [1]
            async with lab.client(cluster) as client:
                producer = Producer(client, "PG")
                queue = MessageQueue("T", "broker-b", 2)
                first, second = await producer.send(MESSAGE, queue=queue), await producer.send(MESSAGE, queue=queue)
            assert (first.outcome, first.attempts) == ("error", 1)
            assert (second.outcome, second.broker, second.queue) == ("ok", "broker-b", 2)

    asyncio.run(run())


def test_no_route_is_an_error_without_attempt(lab: Any) -> None:
    async def run() -> None:
        async with lab.cluster() as cluster, lab.client(cluster) as client:
            result = await Producer(client, "PG").send(MESSAGE)
            assert (result.outcome, result.attempts) == ("error", 0)
            assert "no route" in str(result.reason)
        assert lab.rows("attempts") == []
        assert lab.rows("sends")[0]["outcome"] == "error"

    asyncio.run(run())


def test_unknown_topic_takes_the_default_topics_route(lab: Any) -> None:
    async def run() -> None:
        async with lab.cluster() as cluster:
            cluster.create("TBW102", 8)
            async with lab.client(cluster) as client:
                producer = Producer(client, "PG")
                assert [queue.queue for queue in await producer.queues("T")] == [0, 1, 2, 3]
                assert (await producer.send(MESSAGE)).outcome == "ok"

    asyncio.run(run())


def test_workers_take_queues_in_turn(lab: Any) -> None:
    async def run() -> None:
        async with lab.cluster() as cluster:
            cluster.create("T", 4)
            async with lab.client(cluster) as client:
                producer = Producer(client, "PG")
                queues = [(await producer.send(MESSAGE, worker="w1")).queue for _ in range(8)]
            assert sorted(queues[:4]) == [0, 1, 2, 3]
            assert queues[4:] == queues[:4]

    asyncio.run(run())


def test_too_long_properties_are_unsent_or_refused(lab: Any) -> None:
    async def run() -> None:
        async with lab.cluster() as cluster:
            cluster.create("T")
            async with lab.client(cluster) as client:
                big = Outgoing("T", b"x" * (17 * 1024 * 1024))
                result = await Producer(client, "PG").send(big, retries=0)
            assert result.outcome == "error"
            assert [row["outcome"] for row in lab.rows("attempts")] == ["unsent"]
            assert cluster.broker.asked(310) == []

    asyncio.run(run())


def test_oneway_stays_unknown(lab: Any) -> None:
    async def run() -> None:
        async with lab.cluster() as cluster:
            cluster.create("T")
            async with lab.client(cluster) as client:
                producer = Producer(client, "PG")
                result = await producer.send_oneway(MESSAGE)
                await lab.until(lambda: cluster.broker.by_position)
                assert (await producer.send_oneway(Outgoing("missing", b""))).outcome == "error"
            assert result.outcome == "unknown"
            assert lab.rows("sends", topic="T")[0]["outcome"] == "unknown"
            assert lab.rows("attempts")[0]["outcome"] == "unknown"
            assert cluster.broker.asked(310)[0].is_oneway

    asyncio.run(run())


def test_batch(lab: Any) -> None:
    async def run() -> None:
        async with lab.cluster() as cluster:
            cluster.create("T")
            async with lab.client(cluster) as client:
                producer = Producer(client, "PG")
                await producer.send(MESSAGE, queue=MessageQueue("T", "broker-a", 1))
                messages = [Outgoing("T", bytes([n]), tag=f"t{n}") for n in range(3)]
                results = await producer.send_batch(messages, queue=MessageQueue("T", "broker-a", 1))
                with pytest.raises(ValueError, match="batch"):
                    await producer.send_batch([Outgoing("T", b""), Outgoing("U", b"")])
                with pytest.raises(ValueError, match="batch"):
                    await producer.send_batch([])
                with pytest.raises(ValueError, match="batch"):
                    await producer.send_batch([Outgoing("T", b"", delay_level=1)])
            assert [r.queue_offset for r in results] == [1, 2, 3]
            stored = cluster.broker.logs["T", 1][1:]
            assert [r.body for r in stored] == [b"\0", b"\1", b"\2"]
            assert [r.properties["MQC"] for r in stored] == [f"run.1.{r.message}.0" for r in results]
            assert [r.properties["UNIQ_KEY"] for r in stored] == [r.unique_key for r in results]
            sends = [row for row in lab.rows("sends") if "batch" in row]
            assert [row["batch_index"] for row in sends] == [0, 1, 2]
            attempts = [row for row in lab.rows("attempts") if "batch" in row]
            assert {row["batch"] for row in attempts} == {sends[0]["batch"]}
            assert [row["queue_offset"] for row in attempts] == [1, 2, 3]
            assert len({row["offset_msg_id"] for row in attempts}) == 3

    asyncio.run(run())


def test_async_sends_are_bounded(lab: Any) -> None:
    async def run() -> None:
        async with lab.cluster() as cluster:
            cluster.create("T")
            gate = asyncio.Event()
            real = cluster.broker.serve

            async def slow(session: Any, command: Any) -> Any:
                await gate.wait() if command.code == 310 else None
                return await real(session, command)

            cluster.broker.serve = slow
            async with lab.client(cluster, async_outstanding=3) as client:
                producer = Producer(client, "PG")
                tasks = [await producer.send_async(MESSAGE) for _ in range(3)]
                fourth = asyncio.ensure_future(producer.send_async(MESSAGE))
                await lab.until(lambda: len(cluster.broker.asked(310)) == 3)
                assert not fourth.done()
                gate.set()
                tasks.append(await fourth)
                await producer.drain()
                assert [task.result().outcome for task in tasks] == ["ok"] * 4
            assert {row["mode"] for row in lab.rows("sends")} == {"async"}

    asyncio.run(run())


def test_delay_level_and_sharding_key(lab: Any) -> None:
    async def run() -> None:
        async with lab.cluster() as cluster:
            cluster.create("T")
            async with lab.client(cluster) as client:
                producer = Producer(client, "PG")
                await producer.send(Outgoing("T", b"", delay_level=3, sharding_key="s", wait_store=False))
                await producer.send(Outgoing("T", b"", delay_level=99))
            first, second = cluster.broker.by_position.values()
            assert first.properties["DELAY"] == "3"
            assert first.properties["__SHARDINGKEY"] == "s"
            assert first.properties["WAIT"] == "false"
            assert second.properties["DELAY"] == "99"
            assert [row["delay_ms"] for row in lab.rows("sends")] == [10_000, 7_200_000]
            assert [row["wait_store"] for row in lab.rows("sends")] == [False, True]

    asyncio.run(run())


def test_compression_when_asked(lab: Any) -> None:
    async def run() -> None:
        async with lab.cluster() as cluster:
            cluster.create("T")
            async with lab.client(cluster, compress_from_bytes=100, encoding="binary") as client:
                await Producer(client, "PG").send(Outgoing("T", b"z" * 5000))
            (record,) = cluster.broker.by_position.values()
            assert record.sys_flag == 0x301
            assert len(record.body) < 100
            assert cluster.broker.asked(310)[0].serialize.name == "ROCKETMQ"

    asyncio.run(run())
