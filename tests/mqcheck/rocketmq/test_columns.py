"""Every row the client writes carries the columns of its table, each with its type, and nothing else."""

from __future__ import annotations

import asyncio
from typing import Any

from mqcheck.history.tables import TABLES, column_type
from mqcheck.rocketmq.admin import Admin
from mqcheck.rocketmq.consumer import Consumer
from mqcheck.rocketmq.frame import Command
from mqcheck.rocketmq.message import encode_record
from mqcheck.rocketmq.models import Delivery, ListenerResult, MessageQueue, Outgoing
from mqcheck.rocketmq.producer import Producer

ALWAYS = {
    "sends": (
        "message topic mode producer producer_group worker unique_key delay_level delay_ms transactional wait_store "
        "size flag body_digest props_digest invoked returned outcome"
    ),
    "attempts": (
        "parent message attempt topic conn node broker queue invoked returned outcome code queue_offset offset_msg_id"
    ),
    "deliveries": (
        "pull consumer_group member session message attempt unique_key topic origin_topic broker node queue "
        "queue_offset tag reconsume_times flag crc_ok body_digest props_digest store_time born_time received"
    ),
    "results": "delivery consumer_group member kind result invoked returned outcome",
    "pulls": (
        "kind consumer_group member session conn node broker topic queue position max_num suspend_ms sub_version "
        "invoked"
    ),
    "offsets": "kind node broker topic queue invoked returned outcome",
    "subscriptions": "consumer_group topic expression_type expression mode orderly from_where max_reconsume node",
    "members": "kind consumer_group member",
    "routes": "nameserver topic listed invoked returned outcome code",
    "locks": "kind consumer_group member node broker topic queue invoked returned outcome",
    "replies": "probe conn node encoding oneway payload_bytes invoked returned outcome answers",
    "connections": "conn link node opened closed closed_by",
    "lookups": "kind node topic name max_num invoked returned outcome code records",
    "found": "parent node topic queue queue_offset physical_offset message attempt unique_key tag keys store_time",
    "readings": (
        "reading node broker broker_id master topic queue invoked returned outcome min_offset max_offset complete"
    ),
    "final_log": (
        "reading node broker topic queue queue_offset physical_offset message attempt unique_key parsed crc_ok "
        "body_digest props_digest record_digest flag store_time born_time reconsume_times tag keys prepared_offset"
    ),
}
"""Per table, what a row of a healthy cluster never lacks."""

SOMETIMES = {
    "sends": "tag keys properties sharding_key batch batch_index code broker queue queue_offset",
    "attempts": "batch batch_size transaction_id body_size props_size physical_offset",
    "pulls": (
        "expression expression_type code records first_offset last_offset ascending next_offset min_offset max_offset "
        "suggested_broker_id outcome returned"
    ),
    "results": "delay_level code",
    "offsets": "consumer_group member value argument_ms code position",
    "members": "node topic broker queue session members asked code conn",
    "routes": "member broker broker_id address perm read_queues write_queues strict",
    "locks": "granted",
    "replies": "request_code code response_flag closed_by remark",
}
"""Per table, what some rows must carry in the workload below."""

PYTHON = {"BIGINT": int, "INTEGER": int, "BOOLEAN": bool, "VARCHAR": str}


async def workload(lab: Any) -> None:
    """Something of everything."""
    async with lab.cluster() as cluster:
        cluster.create("T", 2)
        said: list[ListenerResult] = ["later"]

        async def listener(_: Delivery) -> ListenerResult:
            return said.pop() if said else "success"

        async with (
            lab.client(cluster, "c1") as one,
            lab.client(cluster, "c2") as two,
            lab.client(cluster, "c3") as three,
        ):
            producer = Producer(one, "PG")
            outgoing = [
                Outgoing("T", b"%d" % n, tag="A", keys=("k",), sharding_key="s", flag=1, properties={"p": "v"})
                for n in range(4)
            ]
            for message in outgoing:
                await producer.send(message)
            await producer.send_batch(outgoing)
            consumers = [
                Consumer(one, "G", {"T": "*"}, listener),
                Consumer(two, "O", {"T": "*"}, listener, orderly=True),
                Consumer(three, "B", {"T": "*"}, listener, mode="broadcasting"),
            ]
            for consumer in consumers:
                await consumer.start()
            await lab.until(lambda: all(consumer.deliveries >= 8 for consumer in consumers))
            await lab.until(lambda: lab.rows("offsets", kind="commit", outcome="ok"))
            await lab.until(lambda: lab.rows("locks", kind="lock"))
            admin = Admin(one, {"broker-a": cluster.broker.address})
            await admin.read_queue("broker-a", "T", 0)
            await admin.raw("broker-a", 9999, probe="p", deadline_ms=50)
            await admin.garbage("broker-a", b"\xff\xff\xff\xff", probe="g", deadline_ms=500)
            await admin.route("nameserver-1", "missing")
            await admin.search_offset("broker-a", "T", 0, 1)
            await admin.pull_once("broker-a", "T", 0, 0, group="G")
            record = cluster.broker.logs["T", 0][0]
            cluster.broker.script[12] = [Command(code=0, body=encode_record(record))]
            await admin.look_up("broker-a", "key", "T", "k")
            await admin.lock("broker-a", "G", "m", [MessageQueue("T", "broker-a", 0)])


def test_columns(lab: Any) -> None:
    asyncio.run(workload(lab))
    lab.recorder.close()
    written = {row["e"] for row in lab.lines()} - {"streams"}
    assert written == ALWAYS.keys()
    for table in sorted(written):
        # What the end of the workload interrupts stays open, and has no answer's columns.
        ends = "returned" in ALWAYS[table].split()
        rows = [row for row in lab.rows(table) if not ends or "returned" in row]
        assert rows, table
        allowed = {*TABLES[table].all_columns(), "invoked", "returned", "t"}
        seen: set[str] = set()
        for row in rows:
            missing = set(ALWAYS[table].split()) - row.keys()
            assert not missing, (table, missing, row)
            assert row.keys() <= allowed, (table, row.keys() - allowed)
            seen |= row.keys()
            for name, value in row.items():
                assert type(value) is PYTHON[column_type(name)], (table, name, value)
        assert set(SOMETIMES.get(table, "").split()) <= seen, (table, set(SOMETIMES[table].split()) - seen)
