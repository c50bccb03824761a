"""Planted bugs around slaves: each breaks its promise, only with it, and never where it is of no concern."""

from __future__ import annotations

from typing import Any

import pytest

from reference_impl.sabotage import SABOTAGES
from reference_impl.sabotage.slaves import MOVED_BYTES
from tests.reference_impl.pairs import Pair

Bench = Any


def pair_of(bench: type[Bench], name: str, on: bool, **master: Any) -> Pair:
    """Master and slave with the bug, connected and with the same tables."""
    planted = [SABOTAGES[name]] if on else []
    pair = Pair(bench, {"planted": planted, **master}, {"planted": planted})
    pair.master.ask(310, pair.master.send_fields("T", properties={"WAIT": "false"}), b"first")
    pair.connect()
    pair.tables()
    return pair


@pytest.mark.parametrize("bug", [False, True])
def test_refuse_slow_slave(bench: type[Bench], bug: bool) -> None:
    pair = pair_of(bench, "refuse-slow-slave", bug)
    opaque = pair.master.begin(310, pair.master.send_fields("T"), b"second")
    pair.master.advance(pair.master.settings.slaveTimeout)
    assert pair.master.answer(opaque).code == (1 if bug else 12)
    assert pair.master.bodies("T") == [b"first", b"second"]


@pytest.mark.parametrize("bug", [False, True])
def test_ack_without_slave(bench: type[Bench], bug: bool) -> None:
    planted = [SABOTAGES["ack-without-slave"]] if bug else []
    master = bench(brokerRole="SYNC_MASTER", planted=planted)
    assert master.send("T").code == (0 if bug else 11)


@pytest.mark.parametrize("bug", [False, True])
def test_move_replica(bench: type[Bench], bug: bool) -> None:
    pair = pair_of(bench, "move-replica", bug)
    (here,) = pair.master.records("T")
    given = pair.slave.pull("T").body
    moved = int.from_bytes(given[28:36]) - here.physical_offset
    assert moved == (MOVED_BYTES if bug else 0)
    assert pair.master.pull("T").body[28:36] == here.physical_offset.to_bytes(8)


@pytest.mark.parametrize("bug", [False, True])
def test_mute_without_master(bench: type[Bench], bug: bool) -> None:
    pair = pair_of(bench, "mute-without-master", bug)
    assert pair.slave.pull("T").code == 0
    pair.slave.stream(-pair.number, None)
    assert pair.slave.pull("T").code == (14 if bug else 0)
    assert pair.slave.ask(30, {"topic": "T", "queueId": 0}).code == 0
    assert pair.master.pull("T").code == 0


@pytest.mark.parametrize("bug", [False, True])
def test_slave_takes_sends(bench: type[Bench], bug: bool) -> None:
    pair = pair_of(bench, "slave-takes-sends", bug)
    assert pair.slave.send("T").code == (0 if bug else 14)
    assert pair.slave.pull("T").code == 0
    assert pair.slave.bodies("T") == [b"first"]


@pytest.mark.parametrize("bug", [False, True])
def test_suggest_slave(bench: type[Bench], bug: bool) -> None:
    pair = pair_of(bench, "suggest-slave", bug)
    for broker in (pair.master, pair.slave):
        assert broker.pull("T").fields["suggestWhichBrokerId"] == ("1" if bug else "0")
        assert "suggestWhichBrokerId" not in broker.ask(30, {"topic": "T", "queueId": 0}).fields


@pytest.mark.parametrize(("name", "code"), [("keep-own-topics", 21), ("keep-own-offsets", 43)])
@pytest.mark.parametrize("bug", [False, True])
def test_tables_that_a_slave_never_asks_for(bench: type[Bench], name: str, code: int, bug: bool) -> None:
    planted = [SABOTAGES[name]] if bug else []
    pair = Pair(bench, {"planted": planted}, {"planted": planted})
    codes = pair.tables()
    assert sorted(codes) == sorted({21, 43, 45, 201} - ({code} if bug else set()))
