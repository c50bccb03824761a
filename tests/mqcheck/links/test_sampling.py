"""Samples on a system that can tell, and on one that cannot."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from mqcheck.errors import LinkError
from mqcheck.links import sampling
from mqcheck.links.base import Counters
from mqcheck.links.sampling import Sampling, ports
from mqcheck.links.sockets import ESTABLISHED, Socket

LINK = "producer-1->broker-a"
PEER = Socket("127.0.0.1:5", "127.0.0.1:70", ESTABLISHED, 11, 40, 30)
SERVER = Socket("127.0.0.1:71", "127.0.0.1:9", ESTABLISHED, 12, 30, 41)


class Lane:
    """A Toxiproxy server with one connection through it."""

    pid = 7
    pids = (7,)

    def metrics(self) -> dict[str, dict[str, int]]:
        return {}


async def call(work: Callable[[], Any]) -> Any:
    return work()


@pytest.fixture
def one_link() -> Sampling:
    lane = Lane()
    proxy = SimpleNamespace(name="p", listen="127.0.0.1:5", upstream="127.0.0.1:9", lane=lane, accepted=lambda: 1)
    return Sampling(lane, lambda: {LINK: [proxy]}, call)  # type: ignore[arg-type, return-value, dict-item, list-item]


def test_what_the_sockets_say_is_counted(one_link: Sampling, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[set[int], set[int]]] = []

    def table(local: set[int], remote: set[int]) -> list[Socket]:
        asked.append((local, remote))
        return [PEER, SERVER]

    monkeypatch.setattr(sampling.sockets, "table", table)
    monkeypatch.setattr(sampling.sockets, "owned", lambda pids: {12: 7})
    counted = asyncio.run(one_link.counts([LINK]))
    assert counted == {LINK: Counters(40, 40, 30, 30, connections=1, accepted=1)}
    assert set(map(repr, asked)) == {repr(({5}, {9}))}
    assert asyncio.run(one_link.connections([LINK])) == {LINK: 1}


def test_where_the_system_cannot_tell_there_are_zeros(one_link: Sampling, monkeypatch: pytest.MonkeyPatch) -> None:
    def table(local: set[int], remote: set[int]) -> list[Socket]:
        raise LinkError("no such table here")

    monkeypatch.setattr(sampling.sockets, "table", table)
    assert asyncio.run(one_link.counts([LINK])) == {LINK: Counters()}
    assert asyncio.run(one_link.connections([LINK])) == {LINK: 0}


def test_it_samples_steadily_until_it_is_told_to_stop(one_link: Sampling, monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[int] = []
    monkeypatch.setattr(sampling, "SAMPLE_MS", 1)
    monkeypatch.setattr(sampling.sockets, "table", lambda local, remote: taken.append(1) or [])

    async def go() -> None:
        one_link.start()
        one_link.start()
        while len(taken) < 3:
            await asyncio.sleep(0.001)
        one_link.stop()
        one_link.stop()
        await asyncio.sleep(0.005)
        seen = len(taken)
        await asyncio.sleep(0.01)
        assert len(taken) == seen
        one_link.start()
        await one_link.close()
        await one_link.close()

    asyncio.run(asyncio.wait_for(go(), 20))


def test_ports_of_addresses() -> None:
    assert ports(["127.0.0.1:5", "[::1]:6"]) == {5, 6}
