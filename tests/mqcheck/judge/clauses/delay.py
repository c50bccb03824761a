"""Clauses of the promises of delay that are not among `requests`."""

from __future__ import annotations

from defects.base import History
from defects.delay import late

from clauses.base import accused, change, excused, fault, innocent, seen, stalled


def second_request(history: History) -> None:
    """The first message was sent twice; nobody knows what became of one request."""
    attempt = history.find("attempts", topic="D")[0]
    history.span("attempts", attempt.at - 0.5, None, **{**attempt.columns, "attempt": 1})


excused("dly-timely", "trouble of a node", fault("pause", 2_100, 2_200, node="broker-b"))
excused("dly-timely", "trouble shortly before", fault("pause", 100, 200, node="broker-b"))
excused("dly-timely", "trouble of a link", fault("latency", 2_100, 2_200, link="cd->broker-b"))
excused("dly-timely", "a stall beyond the promise", stalled(1_600, 4_800))
excused("dly-timely", "the group owns the queue", change("members", consumer_group="gd", to={"at": 3_000}))
accused("dly-timely", "trouble later", fault("pause", 8_000, 8_100, node="broker-b"))

seen("dly-clamp", "at once", lambda h: late(h, 2_150, level=-1))
seen("dly-clamp", "late", lambda h: late(h, 4_250, level=99))
innocent("dly-clamp", "levels that there are", lambda h: late(h, 990))
excused("dly-clamp", "clock faults", fault("clock", 30_000, 30_100, node="broker-b"))

excused("dly-topic", "a request that may have been stored too", second_request)

excused("dly-restart", "a power cut", fault("power-cut", 30_000, 30_100, node="broker-a"))
excused("dly-restart", "the group owns the queue", change("members", consumer_group="gd", to={"at": 35_500}))
