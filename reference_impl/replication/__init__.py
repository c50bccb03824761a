"""Replication: RocketMQ's own HA protocol, by which a slave copies the commit log of its master byte by byte.

Reading order: ``wire`` (the two layouts) → ``master`` (sends the log, hears what was taken) → ``slave`` (fetches it).
What must not live here: topics, groups, acknowledgement rules, sockets; the log itself is the store's.
"""

from __future__ import annotations

from reference_impl.replication.master import Master
from reference_impl.replication.slave import Slave

__all__ = ["Master", "Slave"]
