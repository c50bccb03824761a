"""Clauses of the promises of filters."""

from __future__ import annotations

from defects.base import History
from defects.filtering import delivered, undelivered

from clauses.base import change, excused, innocent, seen


def kept_back(history: History) -> None:
    """A dear message never reached the group that wants those."""
    undelivered(history, "gq", 30)


def kept_dear(history: History) -> None:
    """One that the tags select, but not the filter."""
    delivered(history, "gt", "ct@20", 1)


seen("flt-sql", "not delivered", kept_back)
innocent("flt-sql", "groups by tags", kept_dear)
excused("flt-progress", "slaves", change("nodes", node="broker-a", to={"broker_id": 1}))
innocent("flt-tag-exact", "groups by expressions", lambda h: delivered(h, "gq", "cq@21", 25))
innocent("flt-tag-complete", "groups by expressions", kept_back)
