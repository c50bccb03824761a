"""Administration of consumer groups by request."""

from __future__ import annotations

import json
from typing import Any

import pytest

Bench = Any


def test_groups(bench: type[Bench]) -> None:
    b = bench()
    assert b.ask(200, body=b'{"groupName":"G","retryMaxTimes":3}').code == 0
    assert json.loads(b.ask(201).body)["subscriptionGroupTable"]["G"]["retryMaxTimes"] == 3
    assert b.ask(200, body=b'{"groupName":""}').code == 1
    assert b.ask(200, body=b"{}").code == 1


def test_one_group_as_newer_clients_ask(bench: type[Bench]) -> None:
    b = bench()
    b.heartbeat(1, "G")
    group = json.loads(b.ask(352, {"group": "G"}).body)
    assert (group["groupName"], group["retryMaxTimes"]) == ("G", 16)
    answer = b.ask(352, {"group": "X"})
    assert (answer.code, answer.remark) == (26, "No group in this broker. group: X")


@pytest.mark.parametrize("with_offsets", [True, False])
def test_a_group_goes_with_its_offsets_or_without(bench: type[Bench], with_offsets: bool) -> None:
    b = bench()
    b.ask(200, body=b'{"groupName":"G"}')
    for group in ("G", "H"):
        b.ask(15, {"consumerGroup": group, "topic": "T", "queueId": 0, "commitOffset": 1})
    answer = b.ask(207, {"groupName": "G", "removeOffset": str(with_offsets).lower()})
    assert answer.code == 0
    assert b.ask(207, {"groupName": "G"}).code == 0
    b.restart(power=True)
    assert "G" not in json.loads(b.ask(201).body)["subscriptionGroupTable"]
    offsets = json.loads(b.ask(43).body)["offsetTable"]
    assert ("T@G" not in offsets and "T@H" in offsets) if with_offsets else offsets == {}


def test_the_counts_of_a_group_go_with_it_where_that_is_wanted(bench: type[Bench]) -> None:
    b = bench(autoDeleteUnusedStats=True)
    b.send("T")
    b.pull("T")
    asked = {"statsName": "GROUP_GET_NUMS", "statsKey": "T@G"}
    assert b.ask(315, asked).code == 0
    b.ask(207, {"groupName": "G"})
    assert b.ask(315, asked).code == 1


def test_all_producers(bench: type[Bench]) -> None:
    b = bench()
    body = {"clientID": "c3", "producerDataSet": [{"groupName": "P"}], "consumerDataSet": []}
    b.ask(34, body=json.dumps(body).encode(), conn=3, version=407, language="JAVA")
    assert json.loads(b.ask(328).body) == {
        "data": {
            "P": [
                {
                    "clientId": "c3",
                    "language": "JAVA",
                    "lastUpdateTimestamp": b.now_ms,
                    "remoteIP": "/10.0.0.3:4003",
                    "version": 407,
                }
            ]
        }
    }
