"""Clauses of the promises of flow: what a producer avoids, what a consumer holds and where it pulls."""

from __future__ import annotations

from defects.base import History
from defects.flow import waiting
from histories import flow

from clauses.base import accused, change, excused, fault, innocent, remove, seen, stalled, undecided


def tried_again(history: History) -> None:
    """The send without an answer is tried again soon."""
    (attempt,) = history.find("attempts", node="broker-o", outcome="unknown")
    place = {"node": "broker-b", "broker": "broker-b", "queue": 0, "topic": "O", "parent": attempt.get("parent")}
    again = {"message": attempt.get("message"), "attempt": 1, **place}
    history.span("attempts", attempt.at + 300, attempt.at + 2_900, {"outcome": "refused", "code": 1}, **again)


excused("flw-busy", "a link in trouble", fault("latency", 21_500, 21_600, link="p->broker-o"))
excused("flw-busy", "a producer that stood still", fault("pause", 21_500, 21_600, node="kit"))
accused("flw-busy", "another link in trouble", fault("latency", 21_500, 21_600, link="p->broker-b"))
accused("flw-busy", "another broker in trouble", fault("pause", 21_500, 21_600, node="broker-b"))
excused("flw-busy", "stalls", stalled(20_300, 23_000))
excused("flw-busy", "before the writes are slow", change("faults", kind="slow-write", to={"active": 20_600}))
excused("flw-busy", "writes that were not slow", change("faults", kind="slow-write", to={"confirmed": False}))
excused(
    "flw-busy",
    "brokers that need not fail fast",
    change("config", node="broker-o", key="brokerFastFailureEnable", to={"setting": "false"}),
)
excused("flw-busy", "what was not sent", change("attempts", node="broker-o", code=None, to={"outcome": "unsent"}))
innocent("flw-busy", "a connection that ended", lambda h: waiting(h, 400, outcome="unknown", code=None))
innocent("flw-busy", "another answer", lambda h: waiting(h, 900, code=1))
seen("flw-busy", "an answer that comes late", lambda h: waiting(h, 1_300))
excused("flw-busy", "another attempt after the connection ended", tried_again)
excused("prd-avoid", "known before the call", change("routes", topic="R", to={"until": 9_800}))
excused("prd-avoid", "a broker without its master", change("routes", topic="R", to={"broker_id": 1}))
excused("prd-avoid", "synchronous sends", change("sends", topic="R", to={"mode": "async"}))
innocent("con-threshold-span", "orderly groups", change("subscriptions", consumer_group="gs", to={"orderly": False}))
excused("con-threshold-span", "the plant", change("subscriptions", consumer_group="gq", to={"orderly": True}))
excused(
    "con-threshold-count", "broadcasting", change("subscriptions", consumer_group="gq", to={"mode": "broadcasting"})
)
excused("con-threshold-size", "known sizes", change("sends", topic="Q", to={"size": 10}))


def one_unfinished(history: History) -> None:
    """A message of the last round is never done."""
    delivery = history.find("deliveries", consumer_group="gq")[-1]
    assert history.remove("results", delivery=delivery.op)


excused("con-flow-resume", "something is still held", one_unfinished)
excused("con-flow-resume", "stalls", stalled(flow.ROUNDS_MS[-1] + 500, 30_000))
seen(
    "con-flow-resume",
    "it went on late",
    remove("pulls", rows=lambda row: flow.ROUNDS_MS[-1] < row.at < 9_000, consumer_group="gq"),
)
excused("con-flow-resume", "a broker in trouble", fault("pause", 6_000, 6_100, node=flow.BACKLOG[1]))
excused("con-flow-resume", "a link that fails", fault("blackhole", 6_000, 6_100, link="cq->broker-b"))
excused(
    "con-flow-resume",
    "a broker in no route",
    lambda h: h.span("routes", 6_000, 6_002, {"code": 17, "outcome": "error"}, nameserver="nameserver-1", topic="Q"),
)
excused(
    "con-flow-resume",
    "a lock that was lost",
    lambda h: h.span(
        "locks", 6_000, 6_002, {"granted": False}, kind="lock", consumer_group="gq", member="cq@20", topic="Q", queue=0
    ),
)
undecided("ord-shard", "one queue alone", change("routes", topic=flow.BACKLOG[0], to={"write_queues": 1}))


def failed_pull(history: History) -> None:
    """A pull without an answer is asked again from the same place."""
    (pull,) = history.find("pulls", lambda row: row.at == 8_000, consumer_group="gq")
    pull.set(outcome="unknown", next_offset=99)


innocent("con-pull-position", "after a failure", failed_pull)
