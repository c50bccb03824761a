"""The NameServer: answers who has which topic, from what brokers tell it.

Reading order: ``state`` (what one NameServer knows), ``routes`` and ``configuration`` (its handlers), ``core``
(dispatch and the scan); the tables are in ``route_table``. Any number of NameServers serve one cluster and know
nothing of each other (ns-isolated). Source: RocketMQ 4.9's DefaultRequestProcessor, RouteInfoManager,
KVConfigManager.
"""

from __future__ import annotations

from reference_impl.nameserver.core import NameServerCore

__all__ = ["NameServerCore"]
