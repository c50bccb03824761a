"""Counting by samples of the socket table: by link, beyond a socket's life, without other people's sockets."""

from __future__ import annotations

from dataclasses import astuple

from mqcheck.links.base import Counters
from mqcheck.links.meter import Meter, Path
from mqcheck.links.sockets import CLOSE_WAIT, ESTABLISHED, Socket

PATHS = [Path("p->b", "h:1", "h:9", 100), Path("c->b", "h:2", "h:9", 200)]


def towards_peer(inode: int, received: int, acked: int, listen: str = "h:1", state: int = ESTABLISHED) -> Socket:
    return Socket(listen, f"h:{5000 + inode}", state, inode, received, acked)


def towards_server(inode: int, received: int, acked: int, state: int = ESTABLISHED) -> Socket:
    return Socket(f"h:{6000 + inode}", "h:9", state, inode, received, acked + 1)


def test_one_server_address_is_told_apart_by_process() -> None:
    meter = Meter()
    table = [
        towards_peer(11, 100, 70),
        towards_server(12, 80, 60),
        towards_peer(21, 7, 5, "h:2"),
        towards_server(22, 6, 4),
        towards_server(99, 1000, 1000),
        Socket("h:1", "h:5011", 6, 0, 0, 0),
    ]
    assert meter.unknown(table, PATHS)
    meter.sample(table, PATHS, {12: 100, 22: 200})
    assert not meter.unknown(table, PATHS), "sockets of others are looked up once"
    assert meter.counters("p->b", 1) == Counters(100, 60, 80, 70, connections=1, accepted=1)
    assert meter.counters("c->b") == Counters(7, 4, 6, 5, connections=1)
    assert meter.counters("p->b").up_held == 40
    assert meter.counters("p->b").down_held == 10


def test_a_socket_that_is_gone_keeps_its_last_count() -> None:
    meter = Meter()
    meter.sample([towards_peer(11, 100, 70), towards_server(12, 70, 100)], PATHS, {12: 100})
    meter.sample([towards_peer(13, 10, 5, state=CLOSE_WAIT), towards_server(14, 5, 10)], PATHS, {14: 100})
    counters = meter.counters("p->b", 2)
    assert (counters.up_received, counters.up_sent, counters.down_received, counters.down_sent) == (110, 110, 75, 75)
    assert (counters.connections, counters.closed, counters.closing) == (1, 1, 1)
    meter.sample([], PATHS, None)
    assert meter.counters("p->b", 2).closed == 2


def test_counts_never_fall() -> None:
    meter = Meter()
    meter.sample([towards_peer(11, 100, 70)], PATHS, None)
    meter.sample([towards_peer(11, 0, 0, state=7)], PATHS, None)
    assert meter.counters("p->b") == Counters(100, 0, 0, 70)


def test_a_socket_without_a_known_owner_counts_for_nobody_until_it_has_one() -> None:
    meter = Meter()
    table = [towards_server(12, 80, 60, CLOSE_WAIT)]
    meter.sample(table, PATHS, None)
    assert meter.counters("p->b") == Counters()
    meter.sample(table, PATHS, {12: 100})
    assert meter.counters("p->b") == Counters(0, 60, 80, 0, closing=1)


def test_counters_add_up_and_name_themselves() -> None:
    total = Counters(1, 2, 3, 4, 5, 6, 7) + Counters(10, 10, 10, 10, 10, 10, 10)
    assert astuple(total) == (11, 12, 13, 14, 15, 16, 17)
    assert total.up_received == 11
    assert Counters(up_received=1, up_sent=2).up_held == 0


def test_what_an_ended_connection_passed_after_its_last_sample_comes_from_the_proxys_count() -> None:
    meter = Meter()
    meter.sample([towards_peer(11, 100, 70), towards_peer(12, 40, 0, state=CLOSE_WAIT)], PATHS, None)
    own = {"up_received": 900, "up_sent": 0, "down_received": 0, "down_sent": 500}
    live = meter.counters("p->b", 3, own)
    assert (live.up_received, live.down_sent) == (140 + 900 - 40, 70 + 500), "live ones are not in the proxy's count"
    meter.sample([], PATHS, None)
    over = meter.counters("p->b", 3, own)
    assert (over.up_received, over.down_sent) == (900, 500), "ended ones are, and are not counted twice"
    assert meter.counters("p->b", 3, dict.fromkeys(own, 1)).up_received == 140
