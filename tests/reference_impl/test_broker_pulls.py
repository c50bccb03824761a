"""Pulls, held and not. Clauses: con-longpoll-wake, con-longpoll-timeout, con-pull-batch, con-offset-moved, con-perm."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from reference_impl.message import Record

Bench = Any
HOLD = 4 | 2


def offsets(answer: Any) -> tuple[int, int, int]:
    return tuple(int(answer.fields[name]) for name in ("nextBeginOffset", "minOffset", "maxOffset"))  # type: ignore[return-value]


def test_records_in_order_up_to_the_number_asked(bench: type[Bench], split: Callable[[bytes], list[Record]]) -> None:
    b = bench()
    for number in range(5):
        b.send("T", f"m{number}".encode())
    answer = b.pull("T", offset=1, maxMsgNums=3)
    assert answer.code == 0
    assert answer.remark == "FOUND"
    assert [record.body for record in split(answer.body)] == [b"m1", b"m2", b"m3"]
    assert offsets(answer) == (4, 0, 5)
    assert answer.fields["suggestWhichBrokerId"] == "0"
    assert len(split(b.pull("T", maxMsgNums=0).body)) == 1
    assert b.pull("T", maxMsgNums=-1).code == 1


@pytest.mark.parametrize(
    ("memory_bytes", "limits"),
    [(0, (32, 7)), (1 << 30, (32, 7)), (5_000, (8, 1))],
    ids=["any is in memory", "all is in memory", "from the disk"],
)
def test_one_pull_has_limits(bench: type[Bench], memory_bytes: int, limits: tuple[int, int], split: Any) -> None:
    """As Apache RocketMQ 4.9.7 answers; see tests/interop/test_same_answers.py."""
    b = bench(physical_memory_bytes=memory_bytes)
    for size in (1, 36_000):
        for _ in range(40):
            b.send("T", bytes(size), queue=int(size > 1))
    for queue, limit in enumerate(limits):
        answer = b.pull("T", queue=queue, maxMsgNums=64)
        assert [record.queue_offset for record in split(answer.body)] == list(range(limit))
        assert offsets(answer) == (limit, 0, 40)
    end = b.pull("T", queue=1, offset=38, maxMsgNums=64)
    assert len(split(end.body)) == (1 if memory_bytes == 5_000 else 2), "all of it is behind more than 2000 bytes"


def test_limits_of_a_pull_can_be_set(bench: type[Bench], split: Any) -> None:
    b = bench(maxTransferCountOnMessageInMemory=5, maxTransferBytesOnMessageInMemory=1000)
    for size in (1, 400):
        for _ in range(8):
            b.send("T", bytes(size), queue=int(size > 1))
    assert [len(split(b.pull("T", queue=queue, maxMsgNums=64).body)) for queue in (0, 1)] == [5, 1]


@pytest.mark.parametrize(
    ("offset", "code", "remark", "following"),
    [
        (3, 19, "OFFSET_OVERFLOW_ONE", 3),
        (4, 21, "OFFSET_OVERFLOW_BADLY", 3),
        (-1, 21, "OFFSET_TOO_SMALL", 0),
    ],
)
def test_offsets_outside(bench: type[Bench], offset: int, code: int, remark: str, following: int) -> None:
    b = bench()
    for _ in range(3):
        b.send("T")
    answer = b.pull("T", offset=offset)
    assert (answer.code, answer.remark, offsets(answer)[0]) == (code, remark, following)


def test_an_empty_queue(bench: type[Bench]) -> None:
    b = bench()
    b.send("T")
    assert b.pull("T", queue=1).code == 19
    answer = b.pull("T", queue=1, offset=7)
    assert (answer.code, answer.remark, offsets(answer)[0]) == (21, "NO_MESSAGE_IN_QUEUE", 0)


def test_tags(bench: type[Bench], split: Callable[[bytes], list[Record]]) -> None:
    b = bench()
    for tag in ("Aa", "x", "BB", "C"):
        b.send("T", tag.encode(), properties={"TAGS": tag})
    answer = b.pull("T", subscription="Aa||C")
    assert [record.body for record in split(answer.body)] == [b"Aa", b"BB", b"C"]
    answer = b.pull("T", subscription="nobody")
    assert (answer.code, answer.remark, offsets(answer)[0]) == (20, "NO_MATCHED_MESSAGE", 4)
    assert b.pull("T", subscription="||").code == 23


@pytest.mark.parametrize(
    ("settings", "fields", "code", "remark"),
    [
        ({}, {"topic": "U"}, 17, "topic[U] not exist, apply first please! "),
        ({}, {"queueId": 4}, 1, "queueId[4] is illegal, topic:[T] topicConfig.readQueueNums:[4]"),
        ({}, {"queueId": -1}, 1, "queueId[-1] is illegal"),
        ({}, {"expressionType": "SQL92"}, 1, "The broker does not support consumer to filter message by SQL92"),
        ({}, {"expressionType": "XXX"}, 1, "The broker does not support consumer to filter message by XXX"),
        ({}, {"expressionType": "SQL92", "subscription": ""}, 23, "parse the consumer's subscription failed"),
        ({}, {"expressionType": "", "subscription": ""}, 23, "parse the consumer's subscription failed"),
        ({}, {"sysFlag": 0}, 24, "the consumer's group info not exist"),
        ({"autoCreateSubscriptionGroup": False}, {}, 26, "subscription group [G] does not exist"),
        ({"brokerPermission": 2}, {}, 16, "pulling message is forbidden"),
    ],
)
def test_refusals(bench: type[Bench], settings: dict[str, Any], fields: dict[str, Any], code: int, remark: str) -> None:
    b = bench(**settings)
    b.send("T")
    answer = b.ask(11, b.pull_fields("T") | fields)
    assert answer.code == code
    assert remark in answer.remark


def test_groups_and_topics_that_may_not_be_read(bench: type[Bench]) -> None:
    b = bench()
    b.send("T")
    b.ask(200, body=b'{"groupName":"G","consumeEnable":false}')
    assert b.pull("T").code == 16
    b.ask(200, body=b'{"groupName":"G","consumeBroadcastEnable":false}')
    assert b.pull("T").code == 0
    b.heartbeat(1, "G", messageModel="BROADCASTING")
    assert b.pull("T", sysFlag=0, subVersion=9).code == 16
    assert b.pull("T").code == 0, "who brings a subscription is not asked how the group consumes"
    b.begin(
        17,
        {
            "topic": "W",
            "readQueueNums": 1,
            "writeQueueNums": 1,
            "perm": 2,
            "defaultTopic": "TBW102",
            "topicFilterType": "SINGLE_TAG",
        },
    )
    assert b.pull("W", group="H").code == 16


def test_the_subscription_of_the_heartbeats(bench: type[Bench]) -> None:
    b = bench()
    b.send("T")
    b.send("U")
    b.heartbeat(1, "G")
    assert b.pull("T", sysFlag=0, subVersion=1).code == 0
    assert b.pull("T", sysFlag=0, subVersion=2).code == 25
    assert b.pull("U", sysFlag=0).code == 24


def test_a_pull_may_commit(bench: type[Bench]) -> None:
    b = bench()
    b.send("T")
    b.pull("T", sysFlag=4 | 1, commitOffset=1)
    assert b.ask(14, {"consumerGroup": "G", "topic": "T", "queueId": 0}).fields["offset"] == "1"


def test_a_held_pull_wakes_at_once_for_its_message_alone(bench: type[Bench]) -> None:
    b = bench()
    b.send("T", b"old")
    opaque = b.begin(
        11, b.pull_fields("T", offset=1, sysFlag=HOLD, subscription="a", suspendTimeoutMillis=15_000), conn=2
    )
    b.advance(100)
    b.send("T", b"other queue", queue=1, properties={"TAGS": "a"})
    b.send("T", b"other tag", properties={"TAGS": "b"})
    assert b.answer(opaque, 2) is None
    b.send("T", b"it", properties={"TAGS": "a"})
    answer = b.answer(opaque, 2)
    assert answer.code == 0
    assert answer.body.find(b"it") > 0
    assert offsets(answer)[0] == 3


def test_an_unwanted_message_moves_the_offset_at_the_next_scan(bench: type[Bench]) -> None:
    b = bench()
    b.send("T")
    opaque = b.begin(11, b.pull_fields("T", offset=1, sysFlag=HOLD, subscription="a", suspendTimeoutMillis=15_000))
    b.send("T", properties={"TAGS": "b"})
    b.advance(4_999)
    assert b.answer(opaque) is None
    b.advance(1)
    answer = b.answer(opaque)
    assert (answer.code, offsets(answer)[0]) == (20, 2)


@pytest.mark.parametrize(
    ("suspend_ms", "answered_ms"), [(0, 5_000), (3_000, 5_000), (15_000, 15_000), (15_001, 20_000)]
)
def test_a_held_pull_is_answered_at_the_scan_after_its_time(
    bench: type[Bench], suspend_ms: int, answered_ms: int
) -> None:
    b = bench()
    b.send("T")
    opaque = b.begin(11, b.pull_fields("T", offset=1, sysFlag=HOLD, suspendTimeoutMillis=suspend_ms))
    b.advance(answered_ms - 1)
    assert b.answer(opaque) is None
    b.advance(1)
    answer = b.answer(opaque)
    assert (answer.code, offsets(answer)[0]) == (19, 1)


def test_without_long_polling_the_short_time_counts(bench: type[Bench]) -> None:
    b = bench(longPollingEnable=False)
    b.send("T")
    opaque = b.begin(11, b.pull_fields("T", offset=1, sysFlag=HOLD, suspendTimeoutMillis=15_000))
    b.advance(1_000)
    assert b.answer(opaque).code == 19


def test_an_offset_beyond_the_end_is_never_held(bench: type[Bench]) -> None:
    b = bench()
    b.send("T")
    assert b.pull("T", offset=2, sysFlag=HOLD).code == 21


def test_a_topic_that_vanishes_while_a_pull_waits(bench: type[Bench]) -> None:
    b = bench()
    b.send("T")
    opaque = b.begin(11, b.pull_fields("T", offset=1, sysFlag=HOLD))
    b.settle(215, {"topic": "T"})
    b.advance(5_000)
    assert b.answer(opaque).code == 17


def test_a_closed_connection_waits_no_more(bench: type[Bench]) -> None:
    b = bench()
    b.send("T")
    opaque = b.begin(11, b.pull_fields("T", offset=1, sysFlag=HOLD), conn=3)
    b.close(3)
    b.send("T")
    b.advance(10_000)
    assert b.answer(opaque, 3) is None
    assert b.broker.state.held.count == 0


def test_a_lite_pull_of_newer_clients_is_a_pull(bench: type[Bench]) -> None:
    b = bench()
    b.send("T", b"one")
    more = {"sysFlag": 22, "maxMsgBytes": 2147483647, "bname": "broker-a"}
    answer = b.ask(361, b.pull_fields("T", **more))
    assert (answer.code, answer.fields["nextBeginOffset"]) == (0, "1")


SQL = {"expressionType": "SQL92", "subscription": "a > 1"}


def test_sql92_in_the_header_of_a_pull(bench: type[Bench], split: Any) -> None:
    b = bench(enablePropertyFilter=True)
    for value in ("1", "2", "x", "3"):
        b.send("T", value.encode(), properties={"a": value})
    answer = b.pull("T", **SQL)
    assert [record.body for record in split(answer.body)] == [b"2", b"3"]
    assert answer.fields["nextBeginOffset"] == "4"
    answer = b.pull("T", **SQL | {"subscription": "a > 5"})
    assert (answer.code, answer.remark, answer.fields["nextBeginOffset"]) == (20, "NO_MATCHED_MESSAGE", "4")


def test_an_unreadable_expression_in_the_header_filters_nothing_as_in_rocketmq(bench: type[Bench], split: Any) -> None:
    b = bench(enablePropertyFilter=True)
    b.send("T", b"one")
    assert len(split(b.pull("T", **SQL | {"subscription": "a >> 1 AND"}).body)) == 1


def test_sql92_from_a_heartbeat(bench: type[Bench], split: Any) -> None:
    b = bench(enablePropertyFilter=True)
    for expression, version in (("a > 1", 1), ("a >> 1", 2)):
        wanted = [{"topic": "T", "subString": expression, "subVersion": version, "expressionType": "SQL92"}]
        assert b.heartbeat(1, "G", subscriptionDataSet=wanted).code == 0
        b.send("T", b"two", properties={"a": "2"})
        answer = b.pull("T", sysFlag=0, subVersion=version)
        assert answer.code == (0 if version == 1 else 27)
    assert answer.remark == "The broker's consumer filter data is not exist!Your expression may be wrong!"


def test_a_held_pull_wakes_for_what_its_expression_wants(bench: type[Bench]) -> None:
    b = bench(enablePropertyFilter=True)
    b.send("T", b"x", properties={"a": "0"})
    held = b.begin(11, b.pull_fields("T", offset=1, sysFlag=6, suspendTimeoutMillis=15_000, **SQL), conn=2)
    b.send("T", b"no", properties={"a": "1"})
    assert b.answer(held, 2) is None
    b.send("T", b"yes", properties={"a": "2"})
    answer = b.answer(held, 2)
    assert (answer.code, answer.fields["nextBeginOffset"]) == (0, "3")


def wants(version: int, expression: str | None, kind: str | None = "SQL92", **more: Any) -> dict[str, Any]:
    head = {"topic": "T", "subString": expression, "subVersion": version, "expressionType": kind}
    return {"subscriptionDataSet": [head | more]}


@pytest.mark.parametrize(
    ("wanted", "bodies"),
    [
        (wants(1, "C", "TAG", codeSet=[67]), "C"),
        (wants(1, "C", "", codeSet=["67"]), "C"),
        (wants(1, "C", None, codeSet=[66]), "B"),
        (wants(1, "C", "TAG"), ""),
        (wants(1, "", "TAG"), ""),
        (wants(1, "*", "TAG", codeSet=None), "BC"),
        (wants(1, "C", "TAG", classFilterMode=True), "BC"),
        (wants(1, "TAGS = 'B'", codeSet=[67]), "B"),
        (wants(1, "TAGS = 'B'", classFilterMode=True), "BC"),
        (wants(1, None, "TAG"), None),
        (wants(1, "C", "TAG", codeSet=None), None),
    ],
)
def test_a_heartbeat_is_taken_at_its_word(
    bench: type[Bench], split: Any, wanted: dict[str, Any], bodies: str | None
) -> None:
    """As Apache RocketMQ 4.9.7 delivers; see tests/interop/test_same_filters.py."""
    b = bench(enablePropertyFilter=True)
    for tag in "BC":
        b.send("T", tag.encode(), properties={"TAGS": tag})
    assert b.heartbeat(1, "G", **wanted).code == 0
    answer = b.pull("T", sysFlag=0)
    if bodies is None:
        assert answer.code == 1
        return
    assert "".join(record.body.decode() for record in split(answer.body)) == bodies
    assert answer.fields["nextBeginOffset"] == "2"


def test_versions_of_expressions(bench: type[Bench], split: Any) -> None:
    """As Apache RocketMQ 4.9.7 delivers; see tests/interop/test_same_filters.py."""
    b = bench(enablePropertyFilter=True)
    for number in range(4):
        b.send("T", str(number).encode(), properties={"a": str(number)})

    def step(wanted: dict[str, Any], version: int = 0) -> Any:
        b.heartbeat(1, "G", **wanted)
        answer = b.pull("T", sysFlag=0, subVersion=version)
        return answer.code or "".join(record.body.decode() for record in split(answer.body))

    assert step(wants(5, "a > 1")) == "23"
    assert step(wants(5, "a = 0")) == step(wants(4, "a = 0")) == "23"
    assert step(wants(6, "a >> 1")) == 27
    assert step(wants(5, "a = 0"), 5) == "0", "what could not be read has removed what was there"
    assert step(wants(7, ""), 5) == "0"
    assert step(wants(7, ""), 7) == 28
    assert step(wants(8, "*", "TAG")) == "0123"
    b.close(1)
    assert step(wants(1, "a = 2"), 1) == "0", "the youngest expression outlives its group"
    assert step(wants(9, "a = 2"), 9) == "2"
    assert step(wants(10, "a = 2", "XXX"), 9) == 27


@pytest.mark.parametrize(("support", "count"), [(False, 2), (True, 1)])
def test_retries_are_filtered_only_where_the_setting_says_so(
    bench: type[Bench], split: Any, support: bool, count: int
) -> None:
    b = bench(enablePropertyFilter=True, filterSupportRetry=support)
    wanted = [{"topic": "T", "subString": "a > 1", "subVersion": 1, "expressionType": "SQL92"}]
    wanted += [{"topic": "%RETRY%G", "subString": "*", "subVersion": 1}]
    b.heartbeat(1, "G", subscriptionDataSet=wanted)
    for value in ("1", "2"):
        b.send("T", b"m", properties={"a": value})
        position = b.records("T")[-1].physical_offset
        b.ask(36, {"offset": position, "group": "G", "delayLevel": 1})
    b.advance(1200)
    assert len(split(b.pull("%RETRY%G", sysFlag=0, subVersion=1).body)) == count


@pytest.mark.parametrize("support", [False, True])
def test_a_retry_topic_is_filtered_like_others(bench: type[Bench], split: Any, support: bool) -> None:
    """As Apache RocketMQ 4.9.7 delivers; see tests/interop/test_same_filters.py."""
    b = bench(enablePropertyFilter=True, filterSupportRetry=support)
    b.heartbeat(1, "G", **wants(1, "a > 4"))
    for number in range(3, 7):
        properties = {"RETRY_TOPIC": "T", "a": str(number), "TAGS": "xy"[number % 2]}
        b.send("%RETRY%G", str(number).encode(), properties=properties)

    def bodies(group: str, **more: Any) -> str:
        return "".join(record.body.decode() for record in split(b.pull("%RETRY%G", group=group, **more).body))

    for group in "GH":
        assert bodies(group) == ("56" if support else "3456")
        assert bodies(group, subscription="x") == ("6" if support else "46")
        assert bodies(group, subscription="a < 4", expressionType="SQL92") == ("56" if support else "3")
        assert bodies(group, subscription="a <<", expressionType="SQL92") == ("56" if support else "3456")


def test_an_unwanted_message_wakes_whose_time_is_up(bench: type[Bench]) -> None:
    b = bench()
    b.send("T")
    fields = {"sysFlag": 6, "subscription": "C", "suspendTimeoutMillis": 100}
    held = b.begin(11, b.pull_fields("T", offset=1, **fields), conn=2)
    b.advance(99)
    b.send("T")
    assert b.answer(held, 2) is None
    b.advance(1)
    b.send("T")
    answer = b.answer(held, 2)
    assert (answer.code, answer.fields["nextBeginOffset"]) == (20, "3")
