"""Clauses of the promises about single answers, and about connections."""

from __future__ import annotations

from typing import Any

from defects.base import History
from defects.wire import another, first

from clauses.base import Step, accused, change, excused, fault, innocent, seen, stalled


def answer(probe: str, node: str = "broker-b", **to: Any) -> Step:
    return lambda history: first(history, node, probe).set(**to)


no_topic = {"probe": "send: no such topic"}
excused("prt-send-no-topic", "SYSTEM_BUSY", answer("send: no such topic", code=2))
excused("prt-send-no-topic", "trouble of a link", fault("reset", 30_500, 30_600, link="admin->broker-b"))
accused("prt-send-no-topic", "trouble before", fault("reset", 28_000, 28_500, link="admin->broker-b"))
accused("prt-send-no-topic", "trouble later", fault("kill", 33_000, 33_500, node="broker-b"))
accused("prt-send-no-topic", "trouble of another node", fault("pause", 30_900, 31_100, node="broker-a"))
excused("prt-send-no-topic", "answers", change("replies", to={"answers": 0, "outcome": "none"}, **no_topic))
excused("prt-send-no-topic", "one-way requests", answer("send: no such topic", oneway=True))
innocent("prt-send-no-queue", "both codes", change("replies", probe="send: no such queue", to={"code": 29}))
innocent("prt-offset-none", "nothing found", change("replies", probe="committed offset: none", to={"code": 22}))
seen("prt-offset-none", "a made-up offset", answer("committed offset: none", detail='{"offset":"7"}'))
seen("prt-bounds-none", "a made-up bound", answer("bounds: no such topic", detail='{"offset":"10"}'))
silence = {"answers": 0, "outcome": "none", "code": None}
innocent("ns-unknown-code", "silence", change("replies", probe="unknown request", to=silence))

for guarantee, node in (("prt-json-binary", "broker-b"), ("ns-json-binary", "nameserver-1")):
    seen(guarantee, "silence", answer("either encoding", node, **silence, until=36_000))
    innocent(guarantee, "silence before the time-out", answer("either encoding", node, **silence, until=33_000))
stall = stalled(31_100, 33_500)
innocent("prt-json-binary", "stalls", answer("either encoding", **silence, until=36_000), stall)
seen("prt-missing-field", "a closed connection", answer("field missing", answers=0, outcome="closed", code=None))
seen("prt-missing-field", "the next request", answer("after a bad request", code=1))
seen("prt-missing-field", "silence after it", answer("after a bad request", **silence, until=36_000))
seen("prt-pipelining", "two answers", answer("in flight", answers=2))
innocent("prt-missing-field", "of brokers", answer("field missing", "nameserver-1", code=0))
innocent("ns-missing-field", "of NameServers", answer("field missing", code=0))

excused("prt-badframe-close", "of the same node", lambda h: h.find("connections", conn=8_999)[0].set(node="broker-a"))
accused("prt-badframe-close", "an error", lambda h: h.find("connections", conn=8_999)[0].set(closed_by="error"))
excused("prt-badframe-close", "ended later", lambda h: h.find("connections", conn=8_999)[0].set(closed=32_900))
excused("prt-badframe-close", "trouble of the node", fault("kill", 31_900, 32_900, node="broker-b"))
excused("prt-badframe-close", "trouble of a link", fault("reset", 31_900, 32_900, link="c->broker-b"))
seen("prt-badframe-close", "an answer", answer("bad frame: 0", outcome="ok", answers=1, code=1))
seen("prt-badframe-close", "left open", answer("bad frame: 0", outcome="none", until=36_000))


def another_bad_frame(history: History) -> None:
    """The other connection got a bad frame too."""
    another(history, "broker-b", conn=first(history, "broker-b", "bad frame: 1").get("conn"))


innocent("prt-badframe-close", "other bad frames", another_bad_frame)


def crashed(history: History) -> None:
    history.restart("broker-b", "crash", 32_010, 33_000)
    history.rows["faults"].pop()


seen("prt-badframe-close", "a crash", crashed)
