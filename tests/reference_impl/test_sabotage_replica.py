"""Planted bugs of slaves: each breaks its promise, only with it, and never on a master."""

from __future__ import annotations

from typing import Any

import pytest

from reference_impl.effects import StreamOpen
from reference_impl.sabotage import SABOTAGES
from reference_impl.sabotage.replica import CHANGE_EVERY, SKIPPED_BYTES
from tests.reference_impl.pairs import Pair

Bench = Any


def connected(bench: type[Bench], name: str, on: bool) -> Pair:
    planted = [SABOTAGES[name]] if on else []
    pair = Pair(bench, {"brokerRole": "ASYNC_MASTER", "planted": planted}, {"planted": planted})
    pair.master.send("T", b"first", properties={"KEYS": "k"})
    pair.connect()
    pair.tables()
    return pair


def given(broker: Bench) -> list[bytes]:
    """What a pull brings, record by record."""
    answer, at, found = broker.pull("T").body, 0, []
    while at < len(answer):
        size = int.from_bytes(answer[at : at + 4])
        found.append(answer[at : at + size])
        at += size
    return found


@pytest.mark.parametrize("bug", [False, True])
def test_change_replica(bench: type[Bench], bug: bool) -> None:
    pair = connected(bench, "change-replica", bug)
    for number in range(CHANGE_EVERY + 1):
        pair.master.send("T", b"%d" % number, properties={"KEYS": "k"})
    pair.carry()
    theirs, ours = given(pair.slave), given(pair.master)
    differing = [number for number, pieces in enumerate(zip(ours, theirs, strict=True)) if pieces[0] != pieces[1]]
    assert differing == ([0, CHANGE_EVERY] if bug else [])
    assert [len(piece) for piece in theirs] == [len(piece) for piece in ours]


@pytest.mark.parametrize("bug", [False, True])
def test_skip_after_reconnect(bench: type[Bench], bug: bool) -> None:
    pair = connected(bench, "skip-after-reconnect", bug)
    assert pair.slave.bodies("T") == [b"first"]
    pair.master.stream(pair.number, None)
    pair.slave.stream(-pair.number, None)
    pair.slave.advance(pair.slave.settings.ha_reconnect_ms)
    assert [effect for effect in pair.slave.streamed if isinstance(effect, StreamOpen)]
    for body in (b"second", bytes(SKIPPED_BYTES), b"last"):
        pair.master.send("T", body)
    pair.connect()
    here = [piece for piece in given(pair.slave) if piece]
    assert here == (given(pair.master)[::3] if bug else given(pair.master))
    assert len(given(pair.master)) == 4
