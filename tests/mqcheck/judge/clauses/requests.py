"""Clauses of the promises of order, delay, protocol and flow."""

from __future__ import annotations

from typing import Any

from defects.base import History, a_message

from clauses.base import Step, accused, change, excused, fault, innocent, remove, seen, stalled


def second_grant(**to: Any) -> Step:
    return change("locks", rows=lambda row: row.at == 2_500, to=to)


def given_back(history: History) -> None:
    """What the second owner got it gives back, so that only its own grant is in question."""
    history.lock(2_900, "cx@10", True, kind="unlock")


excused("ord-queue-lock", "granted with success", second_grant(outcome="error"))
excused("ord-queue-lock", "trouble of the broker", given_back, fault("kill", 2_200, 2_300, node="broker-b"))
accused("ord-queue-lock", "a paused broker", given_back, fault("pause", 2_200, 2_300, node="broker-b"))
accused("ord-queue-lock", "trouble before", given_back, fault("kill", 500, 600, node="broker-b"))
accused("ord-queue-lock", "trouble later", given_back, fault("kill", 9_000, 9_100, node="broker-b"))


def unlocked(at: float, until: float | None, **to: Any) -> Step:
    """The owner gives its lock back."""
    return lambda h: h.lock(at, "co@5", True, kind="unlock").set(until=until, **to)


excused("ord-queue-lock", "unlocked", given_back, unlocked(2_300, 2_303))
excused("ord-queue-lock", "every lock unlocked", given_back, unlocked(2_300, 2_303, topic=None, queue=None))
accused("ord-queue-lock", "an unlock that was not sent", given_back, unlocked(2_300, 2_303, outcome="unsent"))
accused("ord-queue-lock", "unlocked later", given_back, unlocked(2_600, 2_603))
accused("ord-queue-lock", "unlocked elsewhere", given_back, unlocked(2_300, 2_303, queue=7))


def before_success(history: History) -> None:
    """The listener got a message while the one before had not succeeded yet."""
    message = a_message(history, "broker-b", 6)
    (delivery,) = history.find("deliveries", message=message, consumer_group="go")
    change("results", delivery=delivery.op, to={"at": 9_000, "until": 9_000})(history)


seen("ord-queue-fifo", "only after success", before_success)
excused("ord-queue-fifo", "orderly groups", change("subscriptions", consumer_group="go", to={"orderly": False}))

excused("dly-not-early", "clock faults", fault("clock", 30_000, 30_100, node="broker-b"))
innocent("dly-not-early", "delayed messages", change("sends", topic="T", to={"delay_level": 0}))


def commits_past_the_delayed(history: History) -> None:
    history.commit(35_000, "gd", "cd@9", ("D", "broker-b", 0), 8)


def busy(history: History) -> None:
    """Another delayed message came at the end of recover."""
    other = history.find("deliveries", topic="D")[-1]
    history.deliver(35_000, "gd", "cd@9", other.get("message"), ("D", "broker-b", 0), other.get("queue_offset"))


def set_by_somebody(history: History) -> None:
    where = {"consumer_group": "gd", "topic": "D", "node": "broker-z", "broker": "broker-z"}
    history.span("offsets", 500, 502, kind="reset", value=1, **where)


last = change("subscriptions", consumer_group="gd", to={"from_where": "last"})
kill = fault("kill", 30_000, 30_100, node="broker-b")
excused("dly-alo", "a power cut", fault("power-cut", 30_000, 30_100, node="broker-b"))
accused("dly-alo", "passed although deliveries go on", commits_past_the_delayed, busy)
excused("dly-alo", "offsets that somebody set", commits_past_the_delayed, busy, set_by_somebody)
excused("dly-alo", "starts at the end, and a restart", commits_past_the_delayed, busy, last, kill)
accused("dly-alo", "starts at the end, and no restart", commits_past_the_delayed, busy, last)
accused("dly-alo", "starts at the beginning, and a restart", commits_past_the_delayed, busy, kill)
excused(
    "dly-alo",
    "passed by a commit that succeeded",
    busy,
    lambda h: h.commit(35_000, "gd", "cd@9", ("D", "broker-b", 0), 8).set(until=None),
)
excused(
    "dly-alo",
    "passed by a commit",
    busy,
    lambda h: h.commit(35_000, "gd", "cd@9", ("D", "broker-b", 0), 8).set(kind="max"),
)
innocent(
    "dly-alo",
    "delayed messages",
    lambda h: remove("deliveries", consumer_group="gf", message=h.find("sends", topic="F")[0].get("message"))(h),
)


def first_probe(probe: str, /, **to: Any) -> Step:
    return lambda h: h.find("replies", probe=probe)[0].set(**to)


seen("prt-opaque", "the response flag", first_probe("known", response_flag="2"))
innocent("prt-opaque", "one-way requests", first_probe("oneway", answers=2))
innocent("prt-opaque", "the flag of an answer", first_probe("known", answers=0, response_flag="2"))
innocent("prt-oneway", "answers to other requests", first_probe("known", answers=2))

excused("prt-unknown-code", "garbage", first_probe("unknown-code", encoding="garbage"))
excused("prt-unknown-code", "one-way requests", first_probe("unknown-code", oneway=True))
excused("prt-unknown-code", "brokers", first_probe("unknown-code", node="nameserver-1"))
innocent("prt-unknown-code", "unknown codes", first_probe("known", code=0))
for name, code in (("low", 0), ("high", 9_000)):
    seen("prt-unknown-code", f"{name} codes", first_probe("known", request_code=code))
seen("prt-unknown-code", "codes probed as unknown", first_probe("known", probe="unknown-code-5"))
closed = first_probe("unknown-code", answers=0, outcome="closed", code=None)
seen("prt-unknown-code", "a closed connection", closed)
for name, link in (("its link", "probe->broker-b"), ("every link", "probe->*")):
    innocent("prt-unknown-code", f"trouble on {name}", closed, fault("reset", 28_900, 29_500, link=link))
innocent("prt-unknown-code", "lasting trouble", closed, fault("reset", 28_900, None, link="probe->broker-b"))
innocent("prt-unknown-code", "trouble a moment before", closed, fault("reset", 28_000, 28_500, link="probe->broker-b"))
seen("prt-unknown-code", "trouble before", closed, fault("reset", 27_000, 27_500, link="probe->broker-b"))
seen("prt-unknown-code", "trouble later", closed, fault("reset", 30_000, 30_500, link="probe->broker-b"))
seen("prt-unknown-code", "a kill later", closed, fault("kill", 30_000, 30_500, node="broker-b"))
silent = {"answers": 0, "outcome": "none", "code": None}
excused("prt-unknown-code", "silence before the time-out", change("replies", probe="unknown-code", to=silent))
seen(
    "prt-unknown-code",
    "silence until the time-out",
    change("replies", probe="unknown-code", to={**silent, "until": 31_500}),
)
excused(
    "prt-unknown-code",
    "silence and a stall",
    change("replies", probe="unknown-code", to={**silent, "until": 31_500}),
    change("replies", probe="known", to={"code": 1}),
    stalled(29_500, 31_400),
    change("replies", probe="unknown-code", to={"code": None}),
    first_probe("unknown-code", answers=1, outcome="ok", code=3, until=29_003),
)


def a_try(number: int, **to: Any) -> Step:
    """Columns of the so-manieth request of the first retried send are set."""
    return lambda h: next(iter(h.find("attempts", topic="R", attempt=number))).set(**to)


seen("prd-retry", "number of attempts", a_try(1, attempt=3))
seen("prd-retry", "within its time-out", a_try(1, at=12_600, until=12_605))
innocent("prd-retry", "tolerance", a_try(1, at=12_450, until=12_455))
innocent("prd-retry", "stalls", a_try(1, at=12_600, until=12_605), stalled(9_500, 9_800))
excused("prd-retry", "synchronous sends", change("sends", topic="R", to={"mode": "async"}))
excused(
    "prd-no-false-ok",
    "answered sends",
    lambda h: change("sends", message=a_message(h, "broker-b", 7), to={"mode": "oneway"})(h),
)
