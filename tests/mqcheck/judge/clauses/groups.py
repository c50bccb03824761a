"""Clauses of the promises of groups: queue locks."""

from __future__ import annotations

from defects.base import History
from defects.groups import EXPIRED_MS, contest_at, suspended
from histories import flow, groups

from clauses.base import accused, change, excused, fault, remove, seen, stalled, undecided


def refused_owner(history: History) -> None:
    """An owner's renewal is refused."""
    (renewal,) = history.find("locks", lambda row: row.at == 4_000, consumer_group="go")
    renewal.set(granted=False)


excused("ord-lock-expiry", "stalls", stalled(EXPIRED_MS - 1_000, EXPIRED_MS - 500))
excused("ord-lock-expiry", "a changed clock", fault("clock", 30_000, 30_100, node="broker-b"))
accused("ord-lock-expiry", "another broker's clock", fault("clock", 30_000, 30_100, node="broker-a"))
seen("ord-lock-renew", "refused to its owner", refused_owner)
unasked = change("locks", rows=lambda row: row.at == 7_500, to={"outcome": "error"})
excused("ord-lock-renew", "trouble of the broker", unasked, fault("kill", 6_100, 6_200, node="broker-b"))
accused("ord-lock-renew", "trouble later", unasked, fault("kill", 9_000, 9_100, node="broker-b"))
accused(
    "ord-lock-renew",
    "given back before it was got again",
    unasked,
    lambda h: h.lock(1_700, "co@5", True, kind="unlock") and None,
)
excused("ord-unlock", "another owner", lambda h: groups.lock(h, 20_125, "third", True))
excused(
    "ord-unlock",
    "given back before it was asked for",
    lambda h: contest_at(h, 20_120).set(at=20_129, until=20_132),
)
accused("ord-unlock", "another queue's owner", lambda h: groups.lock(h, 20_125, "third", True, queue=7))
excused("ord-unlock", "granted with success", change("locks", consumer_group="gx", to={"outcome": "error"}))


def delivered_again(history: History) -> None:
    """A dead letter comes back from the retry topic."""
    message = suspended(history, 3, 2).get("message")
    history.deliver(20_000, "gs", "cs@21", message, ("%RETRY%gs", "broker-b", 0), 0, reconsume_times=3)


excused("ord-suspend-block", "orderly groups", change("subscriptions", consumer_group="gs", to={"orderly": False}))
excused("ord-suspend-block", "broadcasting", change("subscriptions", consumer_group="gs", to={"mode": "broadcasting"}))
excused(
    "ord-suspend-block",
    "a queue that was taken again",
    change("deliveries", consumer_group="gs", queue_offset=4, reconsume_times=1, to={"session": 301}),
)
seen("ord-orderly-dlq", "delivered no more", delivered_again)
excused("ord-orderly-dlq", "a reading that is too early", change("readings", broker="broker-b", to={"at": 5_000}))
excused(
    "ord-orderly-dlq",
    "a dead letter topic that was not read",
    change("readings", topic="%DLQ%gs", to={"complete": False}),
)
excused(
    "ord-orderly-dlq",
    "a dead letter topic that was read before it was due",
    change("readings", topic="%DLQ%gs", to={"at": 5_000}),
)
excused("ord-orderly-dlq", "a broker that was down meanwhile", fault("kill", 4_000, 4_100, node="broker-b"))
excused(
    "ord-orderly-dlq",
    "a broker that was not asked",
    lambda h: h.subscribe("gs", flow.SUSPENDING[0], orderly=True, node="broker-x"),
)
none_there = (remove("readings", topic="%DLQ%gs"), remove("final_log", topic="%DLQ%gs"))
undecided("ord-orderly-dlq", "topics that were listed too early", *none_there)
seen(
    "ord-orderly-dlq",
    "no dead letter topic at all",
    *none_there,
    lambda h: h.point("members", 30_000, kind="closed", consumer_group="gs", member="cs@21", node="broker-b"),
)
