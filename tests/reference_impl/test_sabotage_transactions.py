"""Planted bugs of transactions: each breaks its promise, and only with it."""

from __future__ import annotations

from typing import Any

import pytest

from reference_impl.sabotage import SABOTAGES
from reference_impl.sabotage.transactions import EVERY

Bench = Any
HALF = "RMQ_SYS_TRANS_HALF_TOPIC"
GIVEN_UP = "TRANS_CHECK_MAX_TIME_TOPIC"
COMMIT, ROLLBACK = 8, 12
TIMES = {"transactionTimeOut": 1_000, "transactionCheckInterval": 500, "transactionCheckMax": 2}
both = pytest.mark.parametrize("bug", [False, True])


def made(bench: type[Bench], name: str, bug: bool) -> Bench:
    """A broker that asks soon, and a producer of group P on connection 1."""
    b = bench(planted=[SABOTAGES[name]] if bug else [], **TIMES)
    produce(b, 1, "P")
    return b


def produce(b: Bench, conn: int, group: str) -> None:
    """A producer's heartbeat."""
    body = b'{"clientID":"p%d","producerDataSet":[{"groupName":"%s"}],"consumerDataSet":[]}' % (conn, group.encode())
    b.ask(34, body=body, conn=conn)


def prepare(b: Bench, number: int = 0, conn: int = 1) -> Any:
    """A half message; its record."""
    kept = {"TRAN_MSG": "true", "PGROUP": "P", "UNIQ_KEY": f"u{number}", "KEYS": "k"}
    assert b.send("T", b"%d" % number, queue=1, conn=conn, f=4, properties=kept).code == 0
    return b.records(HALF)[-1]


def end(b: Bench, record: Any, decision: int, **more: Any) -> int:
    """END_TRANSACTION; the code of its answer."""
    fields = {"producerGroup": "P", "tranStateTableOffset": record.queue_offset, "msgId": "u"}
    fields |= {"commitLogOffset": record.physical_offset, "commitOrRollback": decision}
    return int(b.ask(37, fields | {"fromTransactionCheck": "false"} | more).code)


def checks(b: Bench) -> list[tuple[int, str, int]]:
    """Connection, message and offset of each check so far."""
    return [
        (conn, command.fields["msgId"], int(command.fields["tranStateTableOffset"]))
        for conn, command in b.pushed
        if command.code == 39
    ]


@both
def test_show_half(bench: type[Bench], bug: bool) -> None:
    b = made(bench, "show-half", bug)
    record = prepare(b)
    assert b.bodies("T", 1) == ([b"0"] if bug else [])
    assert end(b, record, COMMIT) == 0


@both
def test_lose_commits(bench: type[Bench], bug: bool) -> None:
    b = made(bench, "lose-commits", bug)
    for number in range(2 * EVERY):
        assert end(b, prepare(b, number), COMMIT) == 0
    b.send("T", b"plain", 1)
    assert len(b.bodies("T", 1)) == 2 * EVERY + 1 - (2 if bug else 0)


@both
def test_commit_twice(bench: type[Bench], bug: bool) -> None:
    b = made(bench, "commit-twice", bug)
    end(b, prepare(b), COMMIT)
    end(b, prepare(b, 1), ROLLBACK)
    b.send("T", b"plain", 1)
    assert b.bodies("T", 1) == ([b"0", b"0", b"plain"] if bug else [b"0", b"plain"])


@both
def test_change_committed(bench: type[Bench], bug: bool) -> None:
    b = made(bench, "change-committed", bug)
    end(b, prepare(b), COMMIT)
    b.send("T", b"plain", 1, properties={"KEYS": "k"})
    committed, plain = b.records("T", 1)
    assert ("KEYS" in committed.properties, "KEYS" in plain.properties) == (not bug, True)


@both
def test_commit_rollbacks(bench: type[Bench], bug: bool) -> None:
    b = made(bench, "commit-rollbacks", bug)
    assert end(b, prepare(b), ROLLBACK) == 0
    assert b.bodies("T", 1) == ([b"0"] if bug else [])


@both
def test_decide_for_anybody(bench: type[Bench], bug: bool) -> None:
    b = made(bench, "decide-for-anybody", bug)
    record = prepare(b)
    codes = [end(b, record, COMMIT, producerGroup="Q"), end(b, record, COMMIT, tranStateTableOffset=7)]
    assert codes == ([0, 0] if bug else [1, 1])
    assert end(b, record, COMMIT, commitLogOffset=1 << 40) == 1


@both
def test_ask_anybody(bench: type[Bench], bug: bool) -> None:
    b = made(bench, "ask-anybody", bug)
    prepare(b)
    b.advance(1_600)
    assert {conn for conn, _, _ in checks(b)} == {1}, "there is nobody else"
    produce(b, 2, "Q")
    prepare(b, 1)
    b.pushed.clear()
    b.advance(1_600)
    assert {conn for conn, _, _ in checks(b)} == ({2} if bug else {1})


@both
def test_skip_checks(bench: type[Bench], bug: bool) -> None:
    b = made(bench, "skip-checks", bug)
    for number in range(EVERY):
        prepare(b, number)
    b.advance(3_000)
    asked = {key for _, key, _ in checks(b)}
    assert asked == {f"u{number}" for number in range(EVERY)} - ({"u0"} if bug else set())


@both
def test_ask_sender_only(bench: type[Bench], bug: bool) -> None:
    b = made(bench, "ask-sender-only", bug)
    produce(b, 2, "P")
    prepare(b, 0, conn=1)
    prepare(b, 1, conn=2)
    b.close(1)
    b.advance(1_600)
    assert {(conn, key) for conn, key, _ in checks(b)} == {(2, "u1")} | (set() if bug else {(2, "u0")})


@both
def test_misplace_checks(bench: type[Bench], bug: bool) -> None:
    b = made(bench, "misplace-checks", bug)
    prepare(b)
    b.advance(1_100)
    assert [offset for _, _, offset in checks(b)] == [b.records(HALF)[-1].queue_offset + bug]


@both
def test_check_at_once(bench: type[Bench], bug: bool) -> None:
    b = made(bench, "check-at-once", bug)
    prepare(b)
    b.advance(900)
    assert len(checks(b)) == (1 if bug else 0)


@both
def test_check_for_ever(bench: type[Bench], bug: bool) -> None:
    b = made(bench, "check-for-ever", bug)
    prepare(b)
    b.advance(5_000)
    assert (len(checks(b)) > 2, b.bodies(GIVEN_UP) == []) == (bug, bug)


@both
def test_drop_undecided(bench: type[Bench], bug: bool) -> None:
    b = made(bench, "drop-undecided", bug)
    for number in range(EVERY):
        prepare(b, number)
    b.advance(5_000)
    assert len(b.bodies(GIVEN_UP)) == (1 if bug else EVERY)


@both
def test_forget_decisions(bench: type[Bench], bug: bool) -> None:
    b = made(bench, "forget-decisions", bug)
    assert end(b, prepare(b), ROLLBACK) == 0
    b.advance(2_000)
    assert bool(checks(b)) == bug


@both
def test_forget_halves(bench: type[Bench], bug: bool) -> None:
    b = made(bench, "forget-halves", bug)
    record = prepare(b)
    b.restart()
    produce(b, 1, "P")
    prepare(b, 1)
    b.advance(2_000)
    assert {key for _, key, _ in checks(b)} == ({"u1"} if bug else {"u0", "u1"})
    assert end(b, record, COMMIT) == 0
