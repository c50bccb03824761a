"""One proxy of a link: disturbed, changed, healed by verb, moved, its port kept while it is down."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from mqcheck.errors import LinkError, PortTakenError
from mqcheck.links import disturbance, ports
from mqcheck.links.proxies import LinkProxy
from mqcheck.links.toxiproxy import ToxiproxyServer

pytestmark = pytest.mark.e2e


@pytest.fixture
def proxy(toxiproxy: ToxiproxyServer) -> Iterator[LinkProxy]:
    proxy = LinkProxy(toxiproxy, "test-proxies", ports.free_port(), "127.0.0.1:9")
    proxy.lay()
    yield proxy
    proxy.remove()


def toxics(proxy: LinkProxy) -> dict[str, dict[str, int]]:
    return {toxic.name: dict(toxic.attributes) for toxic in proxy.lane.proxy(proxy.name).toxics}


def test_a_verb_used_again_replaces_itself_and_nothing_else(proxy: LinkProxy) -> None:
    proxy.disturb(disturbance.bandwidth(5, "up"))
    proxy.disturb(disturbance.latency(5, 0, "both"))
    proxy.disturb(disturbance.latency(9, 1, "both"))
    assert toxics(proxy) == {
        "bandwidth_upstream": {"rate": 5},
        "latency_upstream": {"latency": 9, "jitter": 1},
        "latency_downstream": {"latency": 9, "jitter": 1},
    }
    proxy.disturb(disturbance.latency(9, 1, "down"))
    assert set(toxics(proxy)) == {"bandwidth_upstream", "latency_downstream"}


def test_healing_one_verb_leaves_the_others(proxy: LinkProxy) -> None:
    proxy.disturb(disturbance.blackhole("down"))
    proxy.disturb(disturbance.latency(5, 0, "up"))
    proxy.disturb(disturbance.down())
    assert proxy.heal("latency") is True
    assert set(toxics(proxy)) == {"blackhole_downstream"}
    assert proxy.lane.proxy(proxy.name).enabled is False
    assert proxy.heal("down") is True
    assert proxy.lane.proxy(proxy.name).enabled is True
    assert proxy.heal() is True
    assert toxics(proxy) == {}
    assert proxy.heal() is True, "healing what is whole does nothing"


def test_while_it_is_down_its_port_is_kept(proxy: LinkProxy) -> None:
    proxy.disturb(disturbance.down())
    proxy.disturb(disturbance.down())
    with socket.socket() as other, pytest.raises(OSError, match="in use"):
        other.bind((ports.HOST, int(proxy.listen.rpartition(":")[2])))
    proxy.heal()
    with socket.create_connection((ports.HOST, int(proxy.listen.rpartition(":")[2])), timeout=10):
        pass


def test_it_moves_and_heals_to_where_it_moved(proxy: LinkProxy) -> None:
    proxy.disturb(disturbance.down())
    proxy.lead_to("127.0.0.1:10")
    proxy.lead_to("127.0.0.1:10")
    proxy.heal()
    state = proxy.lane.proxy(proxy.name)
    assert (state.upstream, state.enabled, proxy.upstream) == ("127.0.0.1:10", True, "127.0.0.1:10")


def test_accepted_counts_from_its_own_laying(proxy: LinkProxy) -> None:
    with socket.create_connection((ports.HOST, int(proxy.listen.rpartition(":")[2])), timeout=10) as client:
        assert client.recv(1) == b"", "nobody listens at port 9"
    assert proxy.accepted() == 1
    proxy.remove()
    again = LinkProxy(proxy.lane, proxy.name, ports.free_port(), proxy.upstream)
    again.lay()
    assert again.accepted() == 0


def test_a_port_that_went_away_is_told(proxy: LinkProxy) -> None:
    other = LinkProxy(proxy.lane, "test-proxies-2", int(proxy.listen.rpartition(":")[2]), proxy.upstream)
    with pytest.raises(PortTakenError):
        other.lay()


def test_taking_it_from_a_server_that_has_gone_is_no_error() -> None:
    server = ToxiproxyServer.start()
    proxy = LinkProxy(server, "gone", ports.free_port(), "127.0.0.1:9")
    proxy.lay()
    proxy.disturb(disturbance.down())
    server.stop()
    proxy.remove()
    with pytest.raises(LinkError, match="no answer"):
        proxy.heal()
