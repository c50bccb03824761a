"""Settings and figures of the broker by request; ordered topics by what NameServers answer."""

from __future__ import annotations

import json
from typing import Any

import pytest

from reference_impl.rocketmq_defaults import broker_defaults

Bench = Any


def config(b: Any) -> dict[str, str]:
    return dict(line.split("=", 1) for line in b.ask(26).body.decode().splitlines())


def runtime(b: Any) -> dict[str, str]:
    table: dict[str, str] = json.loads(b.ask(28).body)["table"]
    return table


def test_all_of_rocketmqs_settings_are_shown_and_ours_win(bench: type[Bench]) -> None:
    b = bench(register_period_ms=12_345, maxMessageSize=77)
    shown = config(b)
    assert shown["reference.registerPeriodMs"] == "12345"
    assert (shown["maxMessageSize"], shown["autoCreateTopicEnable"]) == ("77", "true")
    assert broker_defaults().keys() <= shown.keys()
    assert json.loads(b.ask(26).fields["version"])["counter"] == 0


def test_settings_change_while_it_runs(bench: type[Bench]) -> None:
    b = bench()
    assert b.ask(25, body=b"maxMessageSize=3\nabsent=1\nlistenPort=10911\n").code == 0
    assert config(b)["maxMessageSize"] == "3"
    assert json.loads(b.ask(26).fields["version"])["counter"] == 1
    assert b.send("T", b"four").code == 13
    assert b.ask(25).code == 0, "RocketMQ takes an empty change"


def test_periods_change_while_it_runs(bench: type[Bench]) -> None:
    b = bench()
    b.answer_calls()
    b.ask(25, body=b"reference.registerPeriodMs=1000")
    b.advance(30_000)
    b.answer_calls()
    b.advance(3_000)
    assert len(b.answer_calls()) == 3 * 2, "three periods, two NameServers"


@pytest.mark.parametrize(
    ("change", "remark"),
    [
        (b"brokerName=b", "property brokerName is 'broker-a' until the next start: stop, and start with 'b'"),
        (b"syncFlushTimeout=abc", "property syncFlushTimeout is 'abc': write a whole number"),
        (b"nonsense", "line 1, 'nonsense', is no property: write key = value"),
        (b"maxMessageSize=3\nflushDiskType=x", "property flushDiskType is 'x': write one of ASYNC_FLUSH, SYNC_FLUSH"),
    ],
)
def test_a_refused_change_changes_nothing(bench: type[Bench], change: bytes, remark: str) -> None:
    b = bench()
    before = b.ask(26).body
    answer = b.ask(25, body=change)
    assert (answer.code, answer.remark) == (1, remark)
    assert b.ask(26).body == before


def test_a_change_of_permission_is_told_to_the_nameservers(bench: type[Bench]) -> None:
    b = bench()
    b.send("T")
    b.answer_calls()
    b.ask(25, body=b"brokerPermission=4")
    call = b.answer_calls()[0]
    table = json.loads(call.command.body)["topicConfigSerializeWrapper"]["topicConfigTable"]
    assert table["T"]["perm"] == 4


def test_switching_topic_creation_off_has_rocketmqs_trap(bench: type[Bench]) -> None:
    b = bench()
    b.ask(25, body=b"autoCreateTopicEnable=false\nautoCreateSubscriptionGroup=false")
    assert b.send("T").code == 17
    assert b.pull("TBW102", group="new").code == 26
    b.ask(25, body=b"autoCreateTopicEnable=true")
    assert b.send("T").code == 17, "TBW102 has lost its inherit bit"


def test_figures(bench: type[Bench]) -> None:
    b = bench()
    first = runtime(b)
    assert (first["brokerVersionDesc"], first["bootTimestamp"]) == ("V4_9_7", str(b.now_ms))
    assert (first["earliestMessageTimeStamp"], first["putMessageAverageSize"]) == ("-1", "0.0")
    sent_ms = b.now_ms
    b.send("T", b"x" * 2000)
    b.send("T")
    b.pull("T")
    b.pull("T", offset=2)
    unsynced = runtime(b)
    assert unsynced["remainHowManyDataToFlush"].endswith(" KiB")
    b.flush()
    b.advance(93_784_000)
    table = runtime(b)
    assert table["runtime"] == "[ 1 days, 2 hours, 3 minutes, 4 seconds ]"
    assert table["earliestMessageTimeStamp"] == str(sent_ms)
    assert (table["msgPutTotalTodayNow"], table["msgPutTotalTodayMorning"], table["msgGetTotalTodayNow"]) == (
        "2",
        "2",
        "2",
    )
    assert float(table["putMessageAverageSize"]) == int(table["putMessageSizeTotal"]) / 2
    assert (table["remainHowManyDataToFlush"], table["commitLogDiskRatio"]) == ("0 B", "0.01")
    assert table["commitLogDirCapacity"].startswith("Total : 1.0 TiB, Free : ")


def test_rates(bench: type[Bench]) -> None:
    b = bench()
    assert runtime(b)["putTps"] == "  "
    for _ in range(60):
        b.send("T")
        b.advance(1000)
    ten, minute, long = runtime(b)["putTps"].split(" ")
    assert float(ten) == pytest.approx(1.0, abs=0.2)
    assert (float(minute), long) == (pytest.approx(1.0, abs=0.2), "")


def test_pulls_that_find_nothing_have_a_rate_of_their_own(bench: type[Bench]) -> None:
    b = bench()
    b.send("T", b"one")
    for _ in range(20):
        b.pull("T")
        b.pull("T", offset=1)
        b.pull("T", offset=1)
        b.advance(1000)
    table = runtime(b)
    found, missed, both = (float(table[name].split(" ")[0]) for name in ("getFoundTps", "getMissTps", "getTotalTps"))
    assert (found, missed) == (pytest.approx(1.0, abs=0.2), pytest.approx(2.0, abs=0.3))
    assert both == pytest.approx(found + missed)


def test_counts_by_rocketmqs_names(bench: type[Bench]) -> None:
    b = bench()
    for _ in range(4):
        b.send("T")
    b.pull("T")
    b.advance(10_000)

    def minute(name: str, key: str) -> dict[str, float]:
        found: dict[str, float] = json.loads(b.ask(315, {"statsName": name, "statsKey": key}).body)["statsMinute"]
        return found

    assert minute("TOPIC_PUT_NUMS", "T") == {"sum": 4, "tps": 0.4, "avgpt": 1.0}
    assert minute("GROUP_GET_NUMS", "T@G") == {"sum": 4, "tps": 0.4, "avgpt": 4.0}
    assert minute("BROKER_PUT_NUMS", "DefaultCluster") == {"sum": 4, "tps": 0.4, "avgpt": 0.0}
    answer = b.ask(315, {"statsName": "TOPIC_PUT_NUMS", "statsKey": "Y"})
    assert (answer.code, answer.remark) == (1, "The stats <TOPIC_PUT_NUMS> <Y> not exist")


def ordered(b: Any) -> set[str]:
    table = json.loads(b.ask(21).body)["topicConfigTable"]
    return {name for name, topic in table.items() if topic["order"]}


def test_nameservers_say_which_topics_are_ordered(bench: type[Bench]) -> None:
    b = bench()
    b.send("T")
    b.send("U")
    b.answer_calls()

    def answered(body: bytes) -> set[str]:
        b.advance(30_000)
        for call in b.calls:
            b.carry(b.core.response(b.now_ms, call.token, call.command.reply(0, body=body)))
        b.calls.clear()
        return ordered(b)

    assert answered(b"") == set()
    assert answered(b'{"table":{"T":"broker-a:4"}}') == {"T"}
    assert answered(b"") == {"T"}, "no word is no change"
    assert answered(b"[") == {"T"}
    assert answered(b'{"table":{}}') == set()


def test_a_new_ordered_topic_is_not_undone_by_its_own_registration(bench: type[Bench]) -> None:
    b = bench()
    b.answer_calls()
    b.begin(
        17,
        {
            "topic": "T",
            "readQueueNums": 2,
            "writeQueueNums": 2,
            "perm": 6,
            "order": "true",
            "topicFilterType": "SINGLE_TAG",
        },
    )
    for call in b.calls:
        b.carry(b.core.response(b.now_ms, call.token, call.command.reply(0, body=b'{"table":{}}')))
    assert ordered(b) == {"T"}
