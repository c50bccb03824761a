"""Clauses of the promises of pulls, lookups and limits."""

from __future__ import annotations

from defects.base import History
from defects.reading import answered, probed, searched, sized

from clauses.base import accused, change, excused, fault, innocent, remove, seen, slave_of, stalled

seen("con-pull-order", "below the offset asked for", answered(3, first_offset=2))
seen("con-pull-order", "left out in between", answered(3, last_offset=9, next_offset=10))
seen("con-pull-order", "left out at the beginning", answered(3, first_offset=5, last_offset=8))
innocent(
    "con-pull-order",
    "removed since",
    answered(3, first_offset=5, last_offset=8),
    change("offsets", topic="L", kind="min", to={"position": 5}),
)
seen("con-pull-next", "of a filtered pull", answered(3, expression="tag", next_offset=6))
seen("con-pull-next", "back at the end", answered(40, next_offset=39))
seen("con-pull-bounds", "the beginning above the end", answered(3, min_offset=41))
excused("con-pull-bounds", "a power cut", fault("power-cut", 30_900, 30_950, node="broker-b"))
excused("con-pull-bounds", "deleted topics", change("replies", probe="topic-longest", to={"request_code": 215}))
excused("con-pull-bounds", "slaves", change("nodes", node="broker-b", to={"broker_id": 1}))
seen("con-offset-moved", "inside", answered(3, code=21, records=0))
seen("con-offset-moved", "not moved", answered(41, code=19))
excused("con-offset-moved", "slaves", change("nodes", node="broker-b", to={"broker_id": 1}))
innocent(
    "con-offset-moved",
    "an offset that somebody reset",
    answered(3, code=21, records=0),
    change("replies", probe="topic-longest", to={"request_code": 222}),
)
innocent("con-sub-latest", "a group that is gone", probed("pull-newer-subscription", code=24))
innocent("con-pull-group-unknown", "groups that are not made", probed("pull-unknown-group", code=26))
innocent("con-pull-queue-range", "a later version", probed("pull-queue-above", code=29))
innocent("sto-topic-limit", "a later version", probed("topic-too-long", code=29))
seen("sto-topic-limit", "the longest", probed("topic-longest", code=1))
seen("sto-offset-resp", "another offset", change("attempts", offset_msg_id="ID5", to={"queue_offset": 6}))
excused("sto-batch-atomic", "power cuts", fault("power-cut", 30_900, 30_950, node="broker-b"))
excused("sto-batch-atomic", "complete readings", change("readings", topic="B", to={"complete": False}))
accused("sto-batch-atomic", "answered, and a kill", fault("kill", 30_900, 30_950, node="broker-b"))
excused("sto-max-offset", "a power cut", fault("power-cut", 30_900, 30_950, node="broker-b"))
accused("sto-max-offset", "a kill", fault("kill", 30_900, 30_950, node="broker-b"), slave_of("broker-b"))
excused("sto-max-offset", "deleted topics", change("replies", probe="topic-longest", to={"request_code": 215}))
excused("sto-time-order", "clocks that were set", fault("clock", 30_900, 30_950, node="broker-b"))
innocent("sto-query-time", "the nearer neighbour", searched(1_000_055, 5))
innocent("sto-query-time", "the end", searched(2_000_000, 40))
innocent("sto-query-time", "the last", searched(2_000_000, 39))
seen("sto-query-time", "before the last", searched(2_000_000, 38))
excused("sto-query-time", "queues that changed", change("offsets", topic="L", kind="max", to={"position": 39}))
excused(
    "sto-query-key",
    "a crash before",
    fault("kill", 29_000, 29_100, node="broker-b"),
    change("nodes", node="broker-b", to={"how": "kill", "ending": 29_000}),
)
excused(
    "sto-query-key",
    "a crash before, at an unknown beginning",
    change("nodes", node="broker-b", to={"how": "crash", "ending": None, "ended": 29_000}),
)
accused("sto-query-key", "a crash later", change("nodes", node="broker-b", to={"how": "crash", "ended": 40_000}))
excused("sto-query-key", "stalls", stalled(2_000, 30_590))
seen(
    "sto-view-id", "another message", change("found", rows=lambda row: row.get("queue_offset") == 3, to={"message": 1})
)
seen(
    "sto-size-limit",
    "a small one refused",
    change("attempts", offset_msg_id="ID5", to={"outcome": "refused", "code": 13, "props_size": 100}),
)
innocent("sto-size-limit", "refused for its properties", sized("props_size", 32_768, body_size=100))
excused("sto-batch-order", "batches", remove("attempts", topic="B", batch=900))


def without_body(history: History) -> None:
    """The message whose properties are too long has no body."""
    attempt = history.find("attempts", lambda row: (row.get("props_size") or 0) > 32_767)[0]
    history.find("sends", message=attempt.get("message"))[0].set(size=0)


excused("sto-props-limit", "a message without a body", without_body)
