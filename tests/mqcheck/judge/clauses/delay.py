"""Clauses of the promises of delay that are not among `requests`."""

from __future__ import annotations

from defects.base import History
from defects.delay import forgotten, late

from clauses.base import accused, change, excused, fault, seen, stalled


def second_request(history: History, level: int = 1) -> None:
    """The first message was sent twice; nobody knows what became of one request."""
    message = history.find("sends", topic="D", delay_level=level)[0].get("message")
    attempt = history.find("attempts", message=message)[0]
    history.span("attempts", attempt.at - 0.5, None, **{**attempt.columns, "attempt": 1})


def unfinished(history: History, began: float, ended: float) -> None:
    """The group has a message of the queue in hand meanwhile."""
    row = history.find("deliveries", topic="D", broker="broker-b")[-1]
    history.deliver(began, "gd", "cd@9", row.get("message"), ("D", "broker-b", 0), 98).set(received=began)
    history.find("results", delivery=history.find("deliveries", topic="D", queue_offset=98)[0].op)[0].set(until=ended)


excused("dly-timely", "trouble of a node", fault("pause", 2_100, 2_200, node="broker-b"))
excused("dly-timely", "trouble shortly before", fault("pause", 100, 200, node="broker-b"))
excused("dly-timely", "trouble of a link", fault("latency", 2_100, 2_200, link="cd->broker-b"))
excused("dly-timely", "a stall beyond the promise", stalled(1_600, 4_800))
excused("dly-timely", "the group owns the queue", change("members", consumer_group="gd", to={"at": 3_000}))
accused("dly-timely", "trouble later", fault("pause", 8_000, 8_100, node="broker-b"))

excused("dly-timely", "messages unfinished when it is due", lambda h: unfinished(h, 2_000, 3_500))
excused("dly-timely", "messages unfinished when it is late", lambda h: unfinished(h, 3_500, 9_000))
accused("dly-timely", "messages finished before", lambda h: unfinished(h, 1_000, 1_100))
excused("dly-timely", "an orderly group", change("subscriptions", consumer_group="gd", to={"orderly": True}))

seen("dly-not-early", "a level above the highest", lambda h: late(h, 1_990, level=99))
excused("dly-none", "a power cut", fault("power-cut", 30_000, 30_100, node="broker-b"))
excused("dly-none", "a request that may have been stored too", lambda h: second_request(h, -1))

excused("dly-topic", "a request that may have been stored too", second_request)

seen("dly-alo", "it waited while its broker was killed", forgotten)
