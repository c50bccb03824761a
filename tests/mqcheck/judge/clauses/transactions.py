"""Clauses of the promises of transactions."""

from __future__ import annotations

from typing import Any

from defects.base import History
from defects.transactions import (
    ASKED,
    BUSY,
    COMMITTED,
    LEFT,
    NOTHING_THERE,
    OPEN,
    ROLLED,
    SILENT,
    WRONG_PLACE,
    a_half,
    comes,
    the,
    unasked,
)

from clauses.base import Step, accused, change, excused, fault, innocent, seen


def of(table: str, number: int, where: dict[str, Any] | None = None, **to: Any) -> Step:
    """Columns of the first row about a half message are set."""
    return lambda history: the(history, table, number, **(where or {})).set(**to)


def given_up_is_read(history: History) -> None:
    """Somebody reads the topic of what was given up."""
    place = ("TRANS_CHECK_MAX_TIME_TOPIC", "broker-b", 0)
    history.deliver(5_000, "gx", "cx@30", a_half(history, SILENT), place, 0, flag=0)


def half_of(history: History, number: int = ASKED) -> dict[str, Any]:
    """A half message as `decide` takes it; what is known of it is taken away before."""
    message = a_half(history, number)
    (send,) = history.find("sends", message=message)
    if number == ASKED:
        unasked(history, number)
    names = {"message": message, "node": "broker-b", "producer_group": "tellers"}
    return {**names, "half_offset": send.get("queue_offset"), "physical_offset": 1}


def sender_returns(history: History) -> None:
    """The one that sent the lost half messages connects again."""
    history.entry("connections", conn=49, link="teller->broker-b", opened=1_800)


def sent_twice(history: History, number: int) -> None:
    """Nobody knows what became of another request for the same half message."""
    attempt = the(history, "attempts", number)
    history.span("attempts", attempt.at - 0.5, None, **{**attempt.columns, "attempt": 1})


def decided_before(history: History) -> None:
    """It was rolled back just before its broker was killed."""
    unasked(history, LEFT)
    send = the(history, "sends", LEFT)
    names = {"message": send.get("message"), "node": "broker-a", "producer_group": "tellers"}
    half = {**names, "half_offset": send.get("queue_offset"), "physical_offset": 1}
    history.decide(11_900, half, "rollback")


def second_copy(history: History) -> None:
    """A committed message lies at two places."""
    comes(history, COMMITTED)


def committed_again(**end: Any) -> Step:
    """Another commit of that message, and how it ended; nothing: nobody knows."""

    def step(history: History) -> None:
        commit = the(history, "transactions", COMMITTED)
        history.span("transactions", 1_100, 1_106, end or {"outcome": "unknown"}, **commit.columns)

    return step


def whose_own_clock(history: History) -> None:
    """The broker is somebody else's."""
    history.point("config", 1, node="broker-b", key="external_name", setting="b1")


seen("txn-half-invisible", "never committed", of("transactions", COMMITTED, decision="rollback"))
seen("txn-half-invisible", "a commit of another group", of("transactions", COMMITTED, producer_group="clerks"))
innocent("txn-half-invisible", "what was given up", given_up_is_read)
excused("txn-half-invisible", "a commit that may have arrived", of("transactions", ASKED, at=1_900, until=None))

seen(
    "txn-commit-alo",
    "delivered",
    lambda history: history.remove("deliveries", message=a_half(history, COMMITTED)),
)
excused("txn-commit-alo", "a power cut", fault("power-cut", 30_000, 30_100, node="broker-b"))
excused("txn-commit-alo", "nobody looked", change("readings", topic="X", broker="broker-b", to={"complete": False}))

seen("txn-commit-same", "the place of the half message", of("final_log", COMMITTED, prepared_offset="7"))
seen("txn-commit-same", "UNIQ_KEY", of("deliveries", COMMITTED, unique_key="other"))
seen("txn-commit-same", "the flag of a message that nobody asked about", of("sends", COMMITTED, props_digest=-1))

innocent("txn-rollback-none", "no rollback", of("transactions", ROLLED, {"decision": "rollback"}, until=None))

innocent("txn-check-asked", "decided before", lambda history: history.decide(2_000, half_of(history), "rollback"))
excused("txn-check-asked", "trouble of the broker", fault("pause", 2_000, 2_100, node="broker-b"))
excused("txn-check-asked", "trouble of a link", fault("latency", 2_000, 2_100, link="teller2->broker-b"))
excused("txn-check-asked", "nobody is there", change("members", member="teller2@2", to={"conn": 40}))
accused("txn-check-asked", "trouble later", fault("pause", 6_000, 6_100, node="broker-b"))
seen("txn-check-asked", "late", of("checks", ASKED, at=4_420), of("transactions", ASKED, at=4_425, until=4_430))

excused("txn-check-takeover", "the sender is back", sender_returns)
for promise in ("txn-check-asked", "txn-check-takeover", "txn-check-not-early"):
    excused(promise, "a broker with a clock of its own", whose_own_clock)

excused("txn-check-not-early", "clock faults", fault("clock", 30_000, 30_100, node="broker-b"))
excused("txn-check-limit", "a message sent twice", lambda history: sent_twice(history, SILENT))
accused("txn-check-limit", "a kill later", fault("kill", 8_000, 8_100, node="broker-b"))
excused("txn-parked", "nobody looked", change("readings", topic="TRANS_CHECK_MAX_TIME_TOPIC", to={"complete": False}))
excused("txn-parked", "somebody decided", lambda history: history.decide(4_000, half_of(history, SILENT), "rollback"))

excused("txn-no-check-done", "a restart", fault("kill", 2_000, 2_100, node="broker-b"))
excused("txn-no-check-done", "decided late", of("transactions", COMMITTED, until=2_010))
seen("txn-group-guard", "another place", of("transactions", ROLLED, {"half_offset": 9_999}, outcome="ok", code=0))

seen("txn-check-identity", "UNIQ_KEY", of("checks", ASKED, unique_key="other"))
seen("txn-check-identity", "the body", of("checks", ASKED, body_digest=-1))
excused("txn-check-identity", "a restart", fault("kill", 2_500, 2_600, node="broker-b"))

seen("txn-survives-restart", "a decision", of("transactions", OPEN, outcome="refused", code=1, remark=NOTHING_THERE))
innocent("txn-survives-restart", "a busy broker", of("transactions", OPEN, outcome="refused", code=1, remark=BUSY))
excused("txn-survives-restart", "a power cut", fault("power-cut", 30_000, 30_100, node="broker-a"))
excused("txn-survives-restart", "a pause", fault("pause", 15_200, 15_300, node="broker-a"))
innocent("txn-survives-restart", "decided before the end", decided_before)

seen("con-dup-cause", "two copies of one commit", second_copy)
seen(
    "con-dup-cause",
    "a commit that was surely refused",
    second_copy,
    committed_again(outcome="refused", code=1, remark=WRONG_PLACE),
)
innocent("con-dup-cause", "two commits", second_copy, committed_again(outcome="ok", code=0))
innocent("con-dup-cause", "a commit that may have been taken", second_copy, committed_again())
innocent(
    "con-dup-cause",
    "a refusal for another reason",
    second_copy,
    committed_again(outcome="refused", code=1, remark=BUSY),
)
