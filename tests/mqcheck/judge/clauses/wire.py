"""Clauses of the promises about single answers, and about connections."""

from __future__ import annotations

from typing import Any

from defects.base import History
from defects.wire import end_beside, first

from clauses.base import Step, accused, change, excused, fault, innocent, seen, stalled, undecided


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
unanswered = change("replies", probe="unknown request", to={**silence, "until": 34_000})
later_version = change("nodes", node="nameserver-1", to={"version": "5.4.0"})
innocent("ns-unknown-code", "silence", unanswered)
seen("ns-unknown-code", "silence of a later version", unanswered, later_version)
unasked = change("replies", probe="unknown request", to={**silence, "until": 32_000})
undecided("ns-unknown-code", "too short a silence", unasked, later_version)
seen("ns-unknown-code", "a closed connection", answer("unknown request", "nameserver-1", answers=0, outcome="closed"))

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

seen("prt-vip", "what is not served", answer("vip: served", code=3))
seen("prt-vip", "sends that are not served", answer("vip: send", code=3))


def alone(history: History) -> None:
    """One pull is left without an answer, on a connection that nothing else was asked on."""
    first(history, "broker-b", "vip: pull").set(**silence, conn=7_501, until=36_000)


def together(history: History) -> None:
    """The same beside a request that is answered."""
    alone(history)
    first(history, "broker-b", "vip: send").set(conn=7_501)


seen("prt-vip", "silence", together)
innocent("prt-vip", "nobody there", alone)
innocent("prt-vip", "silence before the time-out", together, answer("vip: pull", until=33_000))
innocent("prt-vip", "stalls", together, stall)
seen("prt-vip", "a closed connection", together, answer("vip: pull", outcome="closed", until=31_010))
for probe in ("vip: pull", "vip: served", "vip: send"):
    unheard = change("replies", probe=probe, to={"answers": 0, "outcome": "none", "code": None})
    undecided("prt-vip", f"{probe[5:]} without an answer", unheard)

innocent("prt-own-opaque", "of NameServers", answer("in flight", "nameserver-1", strays=1))

seen("prt-badframe-close", "an error", lambda h: end_beside(h, "broker-b", 2, closed_by="error"))
innocent("prt-badframe-close", "closed by us", lambda h: end_beside(h, "broker-b", 3, closed_by="us"))
asked_again = change("replies", probe="beside a bad frame", rows=lambda row: row.at == 32_006, to={"at": 32_002})
excused("prt-badframe-close", "asked meanwhile", asked_again)
excused("prt-badframe-close", "trouble of the node", fault("kill", 31_900, 32_900, node="broker-b"))
excused("prt-badframe-close", "trouble of a link", fault("reset", 31_900, 32_900, link="c->broker-b"))
seen("prt-badframe-close", "an answer", answer("bad frame: 0", outcome="ok", answers=1, code=1))
seen("prt-badframe-close", "left open", answer("bad frame: 0", outcome="none", until=36_000))


def crashed(history: History) -> None:
    history.restart("broker-b", "crash", 32_010, 33_000)
    history.rows["faults"].pop()


seen("prt-badframe-close", "a crash", crashed)
