"""Planted bugs of what is read: each breaks its promise, and only with it."""

from __future__ import annotations

import zlib
from typing import Any

import pytest

from reference_impl.message import decode_record
from reference_impl.sabotage import SABOTAGES

Bench = Any


def planted(name: str, on: bool) -> list[Any]:
    return [SABOTAGES[name]] if on else []


@pytest.mark.parametrize("bug", [False, True])
def test_hide_recovered_leaves_out_what_the_log_held_at_the_start(bench: type[Bench], bug: bool) -> None:
    b = bench(planted=planted("hide-recovered", bug))
    for number in range(20):
        b.send("T", b"%d" % number)
    b.flush()
    assert len(b.bodies("T")) == 20
    b.restart()
    b.send("T", b"later")
    assert len(b.bodies("T")) == (19 if bug else 21)


@pytest.mark.parametrize("bug", [False, True])
def test_leave_holes(bench: type[Bench], bug: bool) -> None:
    b = bench(planted=planted("leave-holes", bug))
    bodies = [b"%d" % number for number in range(20)]
    assert [b.send("T", body).fields["queueOffset"] for body in bodies] == [str(number) for number in range(20)]
    left_out = {0, 10} if bug else set()
    assert b.bodies("T") == [body for number, body in enumerate(bodies) if number not in left_out]


@pytest.mark.parametrize("bug", [False, True])
def test_wrong_checksum(bench: type[Bench], bug: bool) -> None:
    b = bench(planted=planted("wrong-checksum", bug))
    bodies = [b"%d" % number for number in range(11)]
    for body in bodies:
        b.send("T", body)
    answer, at, records = b.pull("T").body, 0, []
    while at < len(answer):
        records.append(decode_record(answer, at, check_crc=False))
        at += records[-1].size
    assert [record.body for record in records] == bodies
    differing = {record.queue_offset for record in records if record.crc != zlib.crc32(record.body) & 0x7FFFFFFF}
    assert differing == ({0, 10} if bug else set())


@pytest.mark.parametrize("bug", [False, True])
def test_corrupt_recovered(bench: type[Bench], bug: bool) -> None:
    b = bench(planted=planted("corrupt-recovered", bug))
    bodies = [b"%d" % number for number in range(11)]
    for body in bodies:
        b.send("T", body, properties={"KEYS": "0"})
    b.flush()
    assert b.bodies("T") == bodies
    b.restart()
    b.send("T", b"later")
    answer, at, records = b.pull("T").body, 0, []
    while at < len(answer):
        records.append(decode_record(answer, at, check_crc=False))
        at += records[-1].size
    assert [record.queue_offset for record in records] == list(range(12))
    differing = {record.queue_offset for record in records if record.crc != zlib.crc32(record.body) & 0x7FFFFFFF}
    assert differing == ({0, 10} if bug else set())
    assert [record.body for record in records[1:10]] == bodies[1:10]
    assert all(record.properties["KEYS"] == "0" for record in records[:11])


@pytest.mark.parametrize("bug", [False, True])
def test_hide_late(bench: type[Bench], bug: bool) -> None:
    b = bench(planted=planted("hide-late", bug), flushDiskType="SYNC_FLUSH")
    late = b.begin(310, b.send_fields("T"), b"late")
    b.advance(b.settings.syncFlushTimeout)
    assert b.answer(late).code == 10
    b.flush()
    soon = b.begin(310, b.send_fields("T"), b"soon")
    b.flush()
    assert b.answer(soon).code == 0
    assert b.bodies("T") == ([b"soon"] if bug else [b"late", b"soon"])
