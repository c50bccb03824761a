"""Clauses of the promises of groups: queue locks."""

from __future__ import annotations

from defects.base import History
from defects.groups import EXPIRED_MS, contest_at
from histories import groups

from clauses.base import accused, change, excused, fault, seen, stalled


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
excused("ord-unlock", "another owner", lambda h: groups.lock(h, 20_125, "third", True))
excused(
    "ord-unlock",
    "given back before it was asked for",
    lambda h: contest_at(h, 20_120).set(at=20_129, until=20_132),
)
accused("ord-unlock", "another queue's owner", lambda h: groups.lock(h, 20_125, "third", True, queue=7))
excused("ord-unlock", "granted with success", change("locks", consumer_group="gx", to={"outcome": "error"}))
