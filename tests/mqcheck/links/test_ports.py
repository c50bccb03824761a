"""Ports are free, in pairs where asked, and can be kept while nobody listens."""

from __future__ import annotations

import random
import socket

import pytest

from mqcheck.errors import LinkError
from mqcheck.links import ports


def test_a_free_port_can_be_listened_on_and_is_no_port_of_the_systems_own_range() -> None:
    for vip in (False, True):
        port = ports.free_port(vip=vip)
        assert ports.PORT_MIN <= port <= ports.port_max()
        with socket.create_server((ports.HOST, port)):
            pass
    assert ports.port_max() > ports.PORT_MIN


def test_a_pair_is_free_at_both_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    port = ports.free_port(vip=True)
    drawn = iter([port, port, port + 1])
    monkeypatch.setattr(ports, "_draw", random.Random(1))
    monkeypatch.setattr(ports._draw, "randint", lambda *_: next(drawn))
    with socket.create_server((ports.HOST, port - ports.VIP_DISTANCE)):
        assert ports.free_port() == port
        assert ports.free_port(vip=True) == port + 1


def test_no_free_port_is_an_error_with_a_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "_all_free", lambda _: False)
    with pytest.raises(LinkError, match=r"no free port .* close some programs"):
        ports.free_port()


def test_a_kept_port_is_refused_to_others_and_open_to_a_server_that_reuses_it() -> None:
    port = ports.free_port()
    holder = ports.reserve(port)
    assert holder is not None
    with socket.socket() as other, pytest.raises(OSError, match="in use"):
        other.bind((ports.HOST, port))
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind((ports.HOST, port))
        server.listen()
        assert ports.reserve(port) is None
    holder.close()
