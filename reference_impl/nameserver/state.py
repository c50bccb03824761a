"""Everything one NameServer knows, in one place for the handlers, and who a registration speaks of."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from msgspec import Struct, field

from reference_impl.frame import Command
from reference_impl.headers import int64, text
from reference_impl.route_table import Broker, RouteTable
from reference_impl.settings import NameServerSettings

if TYPE_CHECKING:
    from reference_impl.disk import Disk

ORDER_NAMESPACE = "ORDER_TOPIC_CONFIG"
"""Key-value namespace of order configurations; handed to every registering broker."""


class NameServerState(Struct):
    """Settings, routes and key-value configuration of one NameServer."""

    settings: NameServerSettings
    disk: Disk | None = None
    """Folder of ``kvConfigPath``; None: the configuration lives as long as the process."""
    table: RouteTable = field(default_factory=RouteTable)
    values: dict[str, dict[str, str]] = field(default_factory=dict)
    """Value by key, by namespace."""
    now_ms: int = 0
    """Time of the latest call."""


Handler = Callable[[NameServerState, int, Command], Command]
"""What serves one code: answers a request that came by a connection."""


def broker_of(command: Command) -> Broker:
    """Who a 103 or 104 speaks of. HeaderError when a field is missing or no number."""
    fields = command.fields
    return Broker(
        cluster=text(fields, "clusterName"),
        name=text(fields, "brokerName"),
        broker_id=int64(fields, "brokerId"),
        address=text(fields, "brokerAddr"),
        ha_address=fields.get("haServerAddr", ""),
    )
