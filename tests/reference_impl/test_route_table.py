"""The NameServer's tables alone; their way through requests is in ``test_nameserver``."""

from __future__ import annotations

from reference_impl.register_body import DataVersion, Registration, TopicEntry
from reference_impl.route_table import Broker, RouteTable, addresses_json

BODY = Registration(DataVersion(1, 1), {"T": TopicEntry("T", 4, 4, 6)})


def _broker(name: str, number: int = 0, address: str = "h:1") -> Broker:
    return Broker("C", name, number, address)


def test_keys_of_addresses_have_quotes_only_when_strict() -> None:
    assert bytes(addresses_json({1: "b:2", 0: "a:1"}, strict=True)) == b'{"0":"a:1","1":"b:2"}'
    assert bytes(addresses_json({0: "a:1"}, strict=False)) == b'{0:"a:1"}'


def test_one_of_two_groups_leaves_the_other_whole() -> None:
    table = RouteTable()
    table.register(0, 1, _broker("a", address="a:1"), BODY)
    table.register(0, 2, _broker("b", address="b:1"), BODY)
    table.connection_ended(1)
    route = table.route("T", strict=True)
    assert route is not None
    assert [queue["brokerName"] for queue in route["queueDatas"]] == ["b"]
    assert table.topics_of_cluster("C") == ["T"]


def test_age_is_counted_from_the_last_registration() -> None:
    table = RouteTable()
    table.register(0, 1, _broker("a"), BODY)
    table.register(70, 1, _broker("a"), BODY)
    assert table.expire(170, 100) == []
    assert table.expire(171, 100) == [1]
    assert table.route("T", strict=True) is None
    assert table.refresh(0, "h:1", DataVersion(1, 1)) is None


def test_a_broker_without_an_address_is_nobodys_master() -> None:
    table = RouteTable()
    assert table.register(0, 1, _broker("a", 1, ""), BODY) == {}
    assert table.register(0, 1, _broker("a", 2, "a:2"), BODY) == {}
