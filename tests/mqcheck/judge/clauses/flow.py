"""Clauses of the promises of flow: what a producer avoids, what a consumer holds and where it pulls."""

from __future__ import annotations

from defects.base import History
from histories import flow

from clauses.base import change, excused, fault, innocent, remove, seen, stalled, undecided

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
