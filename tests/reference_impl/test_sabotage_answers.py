"""Planted bugs of single answers: another code than without the bug, and only where it says so."""

from __future__ import annotations

from typing import Any, Final

import pytest

from reference_impl.effects import Reply
from reference_impl.frame import Command
from reference_impl.nameserver import NameServerCore
from reference_impl.sabotage import SABOTAGES
from reference_impl.sabotage.answers import SABOTAGES as PLANTED
from reference_impl.settings import NameServerSettings

Bench = Any

FAR = str(1 << 40)
PULL = {
    "consumerGroup": "G",
    "queueId": "0",
    "queueOffset": "0",
    "maxMsgNums": "1",
    "sysFlag": "4",
    "commitOffset": "0",
    "suspendTimeoutMillis": "0",
    "subscription": "*",
    "subVersion": "0",
}
BACK = {"offset": FAR, "group": "G", "delayLevel": "0", "originTopic": "T", "originMsgId": "x"}
END = {"producerGroup": "P", "tranStateTableOffset": "0", "commitLogOffset": FAR, "commitOrRollback": "8", "msgId": "x"}
ASKED: Final[dict[str, tuple[int, dict[str, str], bytes, int, int]]] = {
    "no-topic-is-error": (310, {"b": "none", "c": "none"}, b"", 17, 1),
    "any-queue-will-do": (310, {"e": "99"}, b"", 1, 0),
    "system-topics-open": (310, {"b": "SCHEDULE_TOPIC_XXXX"}, b"", 16, 0),
    "empty-member-list": (38, {"consumerGroup": "none"}, b"", 1, 0),
    "view-nothing": (33, {"offset": FAR}, b"", 1, 0),
    "query-finds-nothing": (
        12,
        {"topic": "T", "key": "none", "maxNum": "1", "beginTimestamp": "0", "endTimestamp": FAR},
        b"",
        22,
        0,
    ),
    "send-back-nothing": (36, BACK, b"", 1, 0),
    "commit-nothing": (37, END, b"", 1, 0),
    "refuse-heartbeats": (34, {}, b'{"clientID":"c","producerDataSet":[{"groupName":"P"}],"consumerDataSet":[]}', 0, 1),
    "accept-bad-body": (34, {}, b"{", 1, 0),
    "offline-is-error": (203, {"consumerGroup": "none"}, b"", 206, 1),
    "no-producers-listed": (204, {"producerGroup": "none"}, b"", 1, 0),
    "statistics-of-nothing": (202, {"topic": "none"}, b"", 17, 0),
    "made-up-offset": (14, {"consumerGroup": "none", "topic": "T", "queueId": "0"}, b"", 0, 0),
    "bounds-of-nothing": (30, {"topic": "none", "queueId": "0"}, b"", 0, 17),
    "empty-value": (101, {"namespace": "none", "key": "none"}, b"", 22, 0),
    "empty-namespace": (219, {"namespace": "none"}, b"", 22, 0),
}
"""Bug → request, its header (of a send: what is not as usual) and body, the right code and the wrong one."""


def test_every_bug_is_here() -> None:
    assert {bug.name for bug in PLANTED} == {*ASKED, "unknown-code-succeeds-ns"}


def nameserver(name: str, bug: bool) -> Any:
    settings = NameServerSettings()
    core: Any = NameServerCore(settings)
    return SABOTAGES[name].wrap_core(core, settings) if bug else core


@pytest.mark.parametrize("name", ASKED)
@pytest.mark.parametrize("bug", [False, True])
def test_another_answer(bench: type[Bench], name: str, bug: bool) -> None:
    code, fields, body, right, wrong = ASKED[name]
    if SABOTAGES[name].role == "namesrv":
        core = nameserver(name, bug)
        (reply,) = core.request(0, 1, ("h", 1), Command(code=code, fields=fields, body=body))
        (known,) = core.request(0, 1, ("h", 1), Command(code=206))
        assert (reply.command.code, known.command.code) == (wrong if bug else right, 0)
        return
    b = bench(planted=[SABOTAGES[name]] if bug else [])
    assert b.send("T").code == 0
    if code == 310:
        fields = {**b.send_fields("T"), **fields}
    answer = b.ask(code, fields, body)
    assert answer.code == (wrong if bug else right)
    if name == "made-up-offset":
        assert answer.fields["offset"] == ("7" if bug else "0")
    assert b.send("T", b"next").code == 0
    assert b.ask(30, {"topic": "T", "queueId": "0"}).code == 0


@pytest.mark.parametrize("bug", [False, True])
def test_unknown_code_succeeds_ns(bug: bool) -> None:
    core = nameserver("unknown-code-succeeds-ns", bug)
    effects = core.request(0, 1, ("h", 1), Command(code=9_999, opaque=3))
    assert [(each.command.code, each.command.opaque) for each in effects] == ([(0, 3)] if bug else [])
    assert core.request(0, 1, ("h", 1), Command(code=9_999, flag=2)) == []
    (route,) = core.request(0, 1, ("h", 1), Command(code=105, fields={"topic": "none"}))
    assert isinstance(route, Reply)
    assert route.command.code == 17
