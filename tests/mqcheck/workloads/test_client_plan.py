"""Orders travel over a pipe unchanged."""

from __future__ import annotations

import msgspec

from mqcheck.rocketmq.models import ClientSettings
from mqcheck.workloads.client_plan import ClientOrder, ClientPlan


def test_an_order_arrives_as_it_was_sent() -> None:
    order = ClientOrder(
        plan=ClientPlan(name="c-1", role="producer", group="g", topic="t", rate_per_s=5.5, mode="broadcasting"),
        run="r",
        seed=3,
        purpose="scenario/c-1",
        number=4,
        life=1,
        events="events",
        nameservers=("127.0.0.1:1", "127.0.0.1:2"),
        nameserver_names=("nameserver-1", "nameserver-2"),
        settings=ClientSettings(heartbeat_ms=5, two_way_commit=False),
    )
    assert msgspec.json.decode(msgspec.json.encode(order), type=ClientOrder) == order
