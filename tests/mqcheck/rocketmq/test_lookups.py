"""mqcheck.rocketmq.lookups: by id and by key, what is found and what is not, each with rows."""

from __future__ import annotations

import asyncio
from typing import Any

from mqcheck.rocketmq.admin import Admin
from mqcheck.rocketmq.frame import Command
from mqcheck.rocketmq.message import encode_record, offset_message_id, physical_offset


def test_a_message_is_looked_up_by_its_id_and_its_keys(lab: Any) -> None:
    async def run() -> None:
        async with lab.cluster() as cluster, lab.client(cluster, prefix="p_") as client:
            admin, broker = Admin(client, lab.nodes(cluster)), cluster.broker
            properties = {"KEYS": "k", "TAGS": "t", "UNIQ_KEY": "U", "MQC": f"{lab.recorder.run}.7.1"}
            record = broker.store("p_T", 2, b"x", properties)
            body = encode_record(record)
            name = offset_message_id(record.store_host, 4_711)
            broker.script[33] = [Command(code=0, body=body)]
            broker.script[12] = [Command(code=0, body=body * 2), Command(code=22, remark="no")]
            assert await admin.look_up("broker-a", "view", "T", name) == (record,)
            assert await admin.look_up("broker-a", "unique-key", "T", "U", max_num=9) == (record, record)
            assert await admin.look_up("broker-a", "key", "T", "k") == ()
            (view,), (unique, key) = broker.asked(33), broker.asked(12)
            assert (view.fields["topic"], view.fields["offset"]) == ("p_T", "4711")
            assert (unique.fields["_UNIQUE_KEY_QUERY"], unique.fields["maxNum"]) == ("true", "9")
            assert (key.fields["_UNIQUE_KEY_QUERY"], key.fields["key"], key.fields["topic"]) == ("false", "k", "p_T")
            rows = [row for row in lab.rows("lookups") if "returned" in row]
            assert [(row["kind"], row["code"], row["records"]) for row in rows] == [
                ("view", 0, 1),
                ("unique-key", 0, 2),
                ("key", 22, 0),
            ]
            found = lab.rows("found")
            assert [row["parent"] for row in found] == [rows[0]["op"], rows[1]["op"], rows[1]["op"]]
            assert (found[0]["message"], found[0]["attempt"], found[0]["queue"], found[0]["tag"]) == (7, 1, 2, "t")

    asyncio.run(run())


def test_no_answer_a_damaged_one_and_no_broker(lab: Any) -> None:
    async def run() -> None:
        async with lab.cluster() as cluster, lab.client(cluster, request_timeout_ms=100) as client:
            admin = Admin(client, lab.nodes(cluster))
            cluster.broker.script[12] = ["silence", Command(code=0, body=b"damaged")]
            assert await admin.look_up("broker-a", "key", "T", "k") is None
            assert await admin.look_up("broker-a", "key", "T", "k") is None
            gone = Admin(client, {"broker-b": "127.0.0.1:1"})
            assert await gone.look_up("broker-b", "key", "T", "k") is None
            assert [row["outcome"] for row in lab.rows("lookups")] == ["unknown", "error", "unsent"]

    asyncio.run(run())


def test_the_place_in_a_message_id() -> None:
    for host in (("127.0.0.1", 10911), ("::1", 1)):
        assert physical_offset(offset_message_id(host, 77)) == 77
    assert [physical_offset(name) for name in (None, "", "7F", "z" * 32)] == [None] * 4
