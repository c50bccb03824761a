"""Held ports: refused to those who look for a free one, given to the server that is to have them."""

from __future__ import annotations

import socket
from types import SimpleNamespace

import pytest

from mqcheck.links.ports import HOST
from mqcheck.targets import ports
from mqcheck.targets.ports import HeldPorts


def listen(port: int, *, reuse: bool) -> socket.socket:
    server = socket.socket()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, reuse)
    try:
        server.bind((HOST, port))
        server.listen()
    except OSError:
        server.close()
        raise
    return server


@pytest.mark.parametrize(("broker", "distances"), [(True, (0, -2, 1)), (False, (0,))])
def test_a_held_port_is_refused_to_others_and_given_to_its_server_every_time(
    broker: bool, distances: tuple[int, ...]
) -> None:
    held = HeldPorts(broker=broker)
    for distance in distances:
        for _ in range(2):
            with pytest.raises(OSError, match="in use"):
                listen(held.port + distance, reuse=False)
            listen(held.port + distance, reuse=True).close()
    held.close()
    held.close()
    for distance in distances:
        listen(held.port + distance, reuse=False).close()


def test_a_block_with_one_port_taken_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = HeldPorts(broker=True), HeldPorts(broker=True)
    free = second.port
    second.close()

    draws = iter((first.port + 2, first.port - 1, free))
    monkeypatch.setattr(ports, "_draw", SimpleNamespace(randrange=lambda low, high: next(draws)))
    third = HeldPorts(broker=True)
    assert third.port == free
    first.close()
    third.close()
