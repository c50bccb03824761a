"""Sends. Clauses: dur-ack-kill, dur-ack-power-sf, dur-notok-stored, dur-body-intact, sto-fifo-queue."""

from __future__ import annotations

import zlib
from typing import Any

import pytest

from reference_impl.frame import FLAG_ONEWAY
from reference_impl.message import BatchItem, decode_offset_message_id, encode_batch

Bench = Any


def test_a_send_is_stored_as_it_came_and_answered_where(bench: type[Bench]) -> None:
    b = bench()
    properties = {"TAGS": "käse", "KEYS": "a b", "UNIQ_KEY": "u", "WAIT": "true"}
    answer = b.send("T", b"\x00body", queue=2, properties=properties, h=77)
    assert answer.code == 0
    assert (answer.fields["queueId"], answer.fields["queueOffset"]) == ("2", "0")
    record = b.records("T", 2)[0]
    host, position = decode_offset_message_id(answer.fields["msgId"])
    assert host == ("127.0.0.1", b.settings.listenPort)
    assert position == record.physical_offset
    assert (record.body, record.flag, record.queue_offset) == (b"\x00body", 77, 0)
    expected = {"TAGS": "käse", "KEYS": "a b", "UNIQ_KEY": "u", "CLUSTER": "DefaultCluster"}
    assert record.properties == expected
    assert record.born_host == ("10.0.0.1", 4001)
    assert b.send("T", queue=2).fields["queueOffset"] == "1"


def test_the_old_header_says_the_same(bench: type[Bench]) -> None:
    b = bench()
    fields = {
        "producerGroup": "P",
        "topic": "T",
        "defaultTopic": "TBW102",
        "defaultTopicQueueNums": "4",
        "queueId": "1",
        "sysFlag": "0",
        "bornTimestamp": "5",
        "flag": "0",
        "properties": "",
    }
    assert b.ask(10, fields, b"x").code == 0
    assert b.bodies("T", 1) == [b"x"]
    assert b.records("T", 1)[0].born_time_ms == 5


def test_a_negative_queue_leaves_the_choice_to_the_broker(bench: type[Bench]) -> None:
    b = bench()
    queues = {b.send("T", queue=-1).fields["queueId"] for _ in range(40)}
    assert queues == {"0", "1", "2", "3"}


def test_a_batch_is_stored_together(bench: type[Bench]) -> None:
    b = bench()
    items = [BatchItem(number, f"m{number}".encode(), {"TAGS": f"t{number}"}) for number in range(3)]
    answer = b.ask(320, b.send_fields("T", m="true", properties={"X": "y"}), encode_batch(items))
    assert answer.code == 0
    records = b.records("T")
    assert [record.body for record in records] == [b"m0", b"m1", b"m2"]
    assert [record.properties["TAGS"] for record in records] == ["t0", "t1", "t2"]
    assert all(record.properties["X"] == "y" for record in records)
    ids = answer.fields["msgId"].split(",")
    assert [decode_offset_message_id(one)[1] for one in ids] == [record.physical_offset for record in records]


@pytest.mark.parametrize("body", [b"", b"\x00\x00"])
def test_a_bad_batch_is_refused_whole(bench: type[Bench], body: bytes) -> None:
    b = bench()
    assert b.ask(320, b.send_fields("T"), body).code == 13
    assert b.bodies("T") == []


@pytest.mark.parametrize(
    ("fields", "code", "remark"),
    [
        ({"b": "a b"}, 1, "illegal characters"),
        ({"b": ""}, 1, "blank"),
        ({"b": "x" * 128}, 1, "longer than topic max length"),
        ({"b": "SCHEDULE_TOPIC_XXXX"}, 16, "Sending message to topic[SCHEDULE_TOPIC_XXXX] is forbidden."),
        ({"c": "none"}, 17, "topic[T] not exist, apply first please!"),
        ({"e": 4}, 1, "request queueId[4] is illegal"),
        ({"g": 1 << 70}, 1, "a whole one of 64 bits"),
        ({"h": 1 << 31}, 1, "a whole one of 32 bits"),
        ({"h": "1_0"}, 1, "<h> is '1_0'"),
        ({"e": "x"}, 1, "not a number"),
        ({"i": "A\x01" + "x" * 32767}, 13, "properties length limit"),
    ],
)
def test_refusals_store_nothing(bench: type[Bench], fields: dict[str, Any], code: int, remark: str) -> None:
    b = bench()
    position = b.store.appended_position
    answer = b.ask(310, b.send_fields("T") | fields, b"x")
    assert answer.code == code
    assert remark in answer.remark
    assert b.store.appended_position == position


def test_a_missing_field_is_named(bench: type[Bench]) -> None:
    b = bench()
    fields = b.send_fields("T")
    del fields["b"]
    answer = b.ask(310, fields, b"x")
    assert answer.code == 1
    assert "<b>" in answer.remark  # the code's own name for it, as Java's header class has it


def test_the_largest_body_and_one_byte_more(bench: type[Bench]) -> None:
    b = bench(maxMessageSize=1000)
    assert b.send("T", b"x" * 1000).code == 0
    assert b.send("T", b"x" * 1001).code == 13
    assert b.send("T", b"").code == 0
    assert [len(body) for body in b.bodies("T")] == [1000, 0]


@pytest.mark.parametrize("more", [{"f": 4}, {"f": 8}, {"f": 12}, {"properties": {"DELAY": "1"}}])
def test_a_batch_is_neither_delayed_nor_in_a_transaction(bench: type[Bench], more: dict[str, Any]) -> None:
    b = bench()
    assert b.ask(320, b.send_fields("T", **more), encode_batch([BatchItem(0, b"x", {})])).code == 13
    assert b.records("T") == []


def test_what_one_message_of_a_batch_says_of_delays_and_transactions_is_nothing(bench: type[Bench]) -> None:
    b = bench()
    said = {"DELAY": "1", "TRAN_MSG": "true", "WAIT": "true"}
    assert b.ask(320, b.send_fields("T"), encode_batch([BatchItem(0, b"x", said)])).code == 0
    assert b.records("T")[0].properties == said | {"CLUSTER": "DefaultCluster"}


@pytest.mark.parametrize("wait", ["true", "false", "maybe"])
def test_wait_is_stored_where_the_broker_adds_properties(bench: type[Bench], wait: str) -> None:
    b = bench()
    b.send("T", properties={"WAIT": wait})
    b.send("T", properties={"WAIT": wait, "DELAY": "1"})
    assert "WAIT" not in b.records("T")[0].properties
    assert b.records("SCHEDULE_TOPIC_XXXX")[0].properties["WAIT"] == wait


@pytest.mark.parametrize("flag", [0x1, 0x101, 0x201, 0x301])
def test_a_compressed_body_is_stored_as_it_came(bench: type[Bench], flag: int) -> None:
    b = bench()
    body = zlib.compress(b"x" * 5000)
    b.send("T", body, f=flag)
    b.heartbeat(1, "G")
    (record,) = b.records("T")
    assert (record.body, record.sys_flag, record.crc) == (body, flag, zlib.crc32(body) & 0x7FFFFFFF)
    back = {"offset": record.physical_offset, "group": "G", "delayLevel": 1, "originTopic": "T", "originMsgId": ""}
    assert b.ask(36, back).code == 0
    b.advance(1000)
    (again,) = b.records("%RETRY%G")
    assert (again.body, again.sys_flag) == (body, flag)


def test_bits_that_say_how_hosts_are_stored_are_the_brokers(bench: type[Bench]) -> None:
    b = bench()
    b.send("T", b"x", f=0x30)
    assert b.records("T")[0].sys_flag == 0


@pytest.mark.parametrize("flag", [4, 12])
def test_a_message_that_only_its_bits_call_prepared_is_in_no_queue(bench: type[Bench], flag: int) -> None:
    b = bench()
    b.send("T", b"before")
    held = b.begin(11, b.pull_fields("T", 0, 1, sysFlag=6), conn=2)
    answer = b.send("T", b"odd", f=flag, properties={"DELAY": "1"})
    assert (answer.code, answer.fields["queueOffset"]) == (0, "0")
    assert b.answer(held, 2) is None
    _, position = decode_offset_message_id(answer.fields["msgId"])
    assert b.store.record_at(position).sys_flag == flag
    assert b.send("T", b"after").fields["queueOffset"] == "1"
    b.flush()
    b.restart()
    assert b.bodies("T") == [b"before", b"after"]
    assert b.store.max_offset("SCHEDULE_TOPIC_XXXX", 0) == 0


def test_a_queue_that_is_not_there_is_refused_with_the_whole_topic(bench: type[Bench]) -> None:
    b = bench()
    topic = "TopicConfig [topicName=T, readQueueNums=4, writeQueueNums=4, perm=RW-, topicFilterType=SINGLE_TAG, "
    remark = f"request queueId[4] is illegal, {topic}topicSysFlag=0, order=false] Producer: 10.0.0.1:4001"
    assert b.send("T", queue=4).remark == remark


def test_a_first_send_makes_a_retry_topic_like_any_other(bench: type[Bench]) -> None:
    b = bench()
    b.send("%RETRY%G", d=3)
    assert b.broker.state.topics.get("%RETRY%G").write_queues == 3
    b = bench(autoCreateTopicEnable=False)
    b.send("%RETRY%G", d=3)
    assert b.broker.state.topics.get("%RETRY%G").write_queues == 1


def test_auto_create_off(bench: type[Bench]) -> None:
    assert bench(autoCreateTopicEnable=False).send("T").code == 17


def test_one_way_sends_are_stored_and_never_answered(bench: type[Bench]) -> None:
    b = bench(flushDiskType="SYNC_FLUSH")
    b.begin(310, b.send_fields("T"), b"x", flag=FLAG_ONEWAY)
    b.begin(310, b.send_fields("a b"), b"x", flag=FLAG_ONEWAY)
    b.flush()
    assert b.replies == {}
    assert b.bodies("T") == [b"x"]


def test_sync_flush_answers_only_after_the_flush(bench: type[Bench]) -> None:
    b = bench(flushDiskType="SYNC_FLUSH")
    first, second = (b.begin(310, b.send_fields("T"), b"x") for _ in range(2))
    assert b.urgent == 2
    assert b.answer(first) is None
    covered = b.records("T")[0]
    b.carry(b.core.flushed(b.now_ms, covered.physical_offset + covered.size))
    assert b.answer(first).code == 0
    assert b.answer(second) is None
    b.flush()
    assert b.answer(second).code == 0


def test_sync_flush_gives_up_with_a_code_that_means_stored(bench: type[Bench]) -> None:
    b = bench(flushDiskType="SYNC_FLUSH", syncFlushTimeout=5000)
    opaque = b.begin(310, b.send_fields("T"), b"x")
    b.advance(4999)
    assert b.answer(opaque) is None
    b.advance(1)
    answer = b.answer(opaque)
    assert answer.code == 10
    assert answer.fields["queueOffset"] == "0"
    assert b.bodies("T") == [b"x"]
    b.flush()


def test_wait_false_is_answered_at_once(bench: type[Bench]) -> None:
    b = bench(flushDiskType="SYNC_FLUSH")
    assert b.send("T", properties={"WAIT": "false"}).code == 0
    assert b.urgent == 0


def test_what_was_acknowledged_survives(bench: type[Bench]) -> None:
    b = bench(flushDiskType="SYNC_FLUSH")
    opaque = b.begin(310, b.send_fields("T"), b"kept")
    b.flush()
    assert b.answer(opaque).code == 0
    b.send("T", b"lost", properties={"WAIT": "false"})
    b.restart()
    assert b.bodies("T") == [b"kept", b"lost"]
    b.restart(power=True)
    assert b.bodies("T")[0] == b"kept"
    assert b.pull("T").code == 0


def test_an_orderly_consumer_that_gives_up_makes_a_dead_letter(bench: type[Bench]) -> None:
    b = bench()
    give_up = {"j": 2, "l": 2, "properties": {"RETRY_TOPIC": "T"}}
    assert b.send("%RETRY%G", b"again", j=1, l=2).code == 0
    assert b.send("%RETRY%G", b"dead", **give_up).code == 0
    assert b.bodies("%RETRY%G") == [b"again"]
    assert b.bodies("%DLQ%G") == [b"dead"]
    assert b.records("%DLQ%G")[0].reconsume_times == 2
    old = b.send_fields("%RETRY%G", j=2, l=2)
    assert b.ask(310, old, b"old", version=100).code == 0
    assert b.bodies("%RETRY%G") == [b"again", b"old"]


def test_a_retry_topic_needs_its_group(bench: type[Bench]) -> None:
    assert bench(autoCreateSubscriptionGroup=False).send("%RETRY%G").code == 26


def test_an_order_topic_on_a_broker_without_write(bench: type[Bench]) -> None:
    b = bench(brokerPermission=4)
    topic = {"topic": "O", "defaultTopic": "TBW102", "readQueueNums": 1, "writeQueueNums": 1, "perm": 6}
    b.begin(17, topic | {"topicFilterType": "SINGLE_TAG", "order": "true"})
    assert b.send("O").code == 16
    assert b.send("T").code == 0
