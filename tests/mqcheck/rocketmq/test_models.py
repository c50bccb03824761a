"""mqcheck.rocketmq.models: which queues a route offers, what delay levels mean."""

from __future__ import annotations

import pytest

from mqcheck.rocketmq.models import BrokerRoute, ClientSettings, MessageQueue, Route


def broker(name: str, perm: int, **addresses: str) -> BrokerRoute:
    return BrokerRoute(name, "c", {int(key[1:]): value for key, value in addresses.items()}, perm, 2, 3)


ROUTE = Route(
    "T", (broker("a", 6, n0="h:1"), broker("b", 4, n0="h:2"), broker("c", 2, n0="h:3"), broker("d", 6, n1="h:4"))
)


def test_producers_need_a_writable_master() -> None:
    assert [(q.broker, q.queue) for q in ROUTE.write_queues()] == [(b, q) for b in "ac" for q in range(3)]


def test_consumers_need_readable_queues() -> None:
    assert [(q.broker, q.queue) for q in ROUTE.read_queues()] == [(b, q) for b in "abd" for q in range(2)]


def test_a_borrowed_route_is_capped() -> None:
    capped = ROUTE.capped(1)
    assert capped.write_queues() == (MessageQueue("T", "a", 0), MessageQueue("T", "c", 0))
    assert len(ROUTE.capped(9).write_queues()) == 6


def test_queues_sort_as_the_official_client_sorts_them() -> None:
    queues = [MessageQueue("T", "b", 0), MessageQueue("T", "a", 10), MessageQueue("T", "a", 2)]
    assert sorted(queues) == [queues[2], queues[1], queues[0]]


@pytest.mark.parametrize(("level", "delay_ms"), [(-1, 0), (0, 0), (1, 1_000), (18, 7_200_000), (99, 7_200_000)])
def test_delay_levels(level: int, delay_ms: int) -> None:
    assert ClientSettings().delay_ms(level) == delay_ms
