"""One history per clause of a guarantee's query: the verdict would be another if the clause were gone."""

from clauses import (
    changes,
    consumption,
    delay,
    disks,
    evidence,
    filtering,
    flow,
    groups,
    members,
    reading,
    replication,
    requests,
    routing,
    storage,
    transactions,
    wire,
)
from clauses.base import CASES, Case

__all__ = [
    "CASES",
    "Case",
    "changes",
    "consumption",
    "delay",
    "disks",
    "evidence",
    "filtering",
    "flow",
    "groups",
    "members",
    "reading",
    "replication",
    "requests",
    "routing",
    "storage",
    "transactions",
    "wire",
]
