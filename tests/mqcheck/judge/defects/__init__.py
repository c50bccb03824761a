"""A minimal defect and an excused look-alike for every guarantee, by area; importing an area fills both."""

from defects import (
    changes,
    consumption,
    delay,
    disks,
    features,
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
from defects.base import EXCUSES, PLANTS

__all__ = [
    "EXCUSES",
    "PLANTS",
    "changes",
    "consumption",
    "delay",
    "disks",
    "features",
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
