"""What one pytest process has running: kept where that is safe, gone at the end."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mqcheck.embedded.house import KEPT_MAX, House
from mqcheck.errors import NodeError, RefusedError
from mqcheck.guard import start_time

pytestmark = pytest.mark.slow


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path, {"maxMessageSize": 2000})
    yield made
    made.close()


def pids(nodes: Any) -> list[int]:
    return [node.pid for node in nodes.nodes.values()]


def test_the_sessions_own_server_stays(house: House, send: Any) -> None:
    server = house.server()
    pid = server.pid
    send(server.broker_address, "T")
    house.give_back(server)
    again = house.server({})
    assert (again, again.pid, again.messages("T")) == (server, pid, ())
    assert server.settings["broker"]["maxMessageSize"] == 2000
    server.nodes["rocketmq_server"].kill()
    assert house.server().running
    assert server.nameserver_address == again.nameserver_address


def test_what_an_ended_server_kept_is_not_the_next_tests(house: House, send: Any) -> None:
    server = house.server()
    send(server.broker_address, "T")
    server.nodes["rocketmq_server"].kill()
    house.give_back(server)
    assert house.server().messages("T") == ()


def test_another_with_the_same_settings_is_the_same(house: House, send: Any) -> None:
    server = house.server({"maxMessageSize": 500})
    pid = server.pid
    other = house.server({"maxMessageSize": 500})
    assert other is not server, "both are in use"
    send(server.broker_address, "T", b"x")
    house.give_back(server)
    again = house.server({"maxMessageSize": "500"})
    assert again.pid == pid
    assert again.messages("T") == ()
    assert house.server({"maxMessageSize": 600}).pid != pid


def test_clusters_are_kept_unless_something_is_wrong_with_them(house: House) -> None:
    cluster = house.cluster(brokers=1)
    its = pids(cluster)
    house.give_back(cluster)
    assert pids(house.cluster(brokers=1)) == its
    cluster.nodes["broker-a"].kill()
    house.give_back(cluster)
    assert pids(house.cluster(brokers=1)) != its
    assert all(start_time(pid) is None for pid in its)


def test_a_cluster_with_slaves_is_not_kept(house: House) -> None:
    cluster = house.cluster(slaves=1)
    its = pids(cluster)
    house.give_back(cluster)
    assert all(start_time(pid) is None for pid in its)
    assert not cluster.store.exists()


def test_only_so_many_are_kept(house: House) -> None:
    servers = [house.server({"maxMessageSize": 100 + number}) for number in range(KEPT_MAX + 1)]
    its = [server.pid for server in servers]
    for server in servers:
        house.give_back(server)
    assert [start_time(pid) is None for pid in its] == [True, *([False] * KEPT_MAX)]


def test_one_that_cannot_be_emptied_is_ended(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    server = house.server({"maxMessageSize": 100})
    pid = server.pid

    def cannot() -> None:
        raise NodeError("cannot")

    monkeypatch.setattr(server, "empty", cannot)
    with pytest.raises(NodeError, match="cannot"):
        house.give_back(server)
    assert start_time(pid) is None


def test_nothing_is_left(tmp_path: Path) -> None:
    house = House(tmp_path, {})
    own, server, cluster = house.server(), house.server({"maxMessageSize": 100}), house.cluster()
    house.faults(own).linked_address()
    proxies = house._links[own]._server
    assert proxies is not None
    its = [own.pid, server.pid, *pids(cluster), *proxies.pids]
    house.give_back(server)
    house.close()
    house.close()
    assert [pid for pid in its if start_time(pid) is not None] == []


def test_a_refused_start_leaves_nothing(house: House) -> None:
    with pytest.raises(RefusedError, match="maxMessageSiz"):
        house.server({"maxMessageSiz": 1})
    assert house.server().running
