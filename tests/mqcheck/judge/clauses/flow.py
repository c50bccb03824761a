"""Clauses of the promises of flow: what a producer avoids, what a consumer holds and where it pulls."""

from __future__ import annotations

from defects.base import History
from histories import flow

from clauses.base import change, excused, innocent, stalled

excused("prd-avoid", "known before the call", change("routes", topic="R", to={"until": 9_800}))
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


def failed_pull(history: History) -> None:
    """A pull without an answer is asked again from the same place."""
    (pull,) = history.find("pulls", lambda row: row.at == 8_000, consumer_group="gq")
    pull.set(outcome="unknown", next_offset=99)


innocent("con-pull-position", "after a failure", failed_pull)
