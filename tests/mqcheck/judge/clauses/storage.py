"""Clauses of the storage promises."""

from __future__ import annotations

from typing import Any

from defects import PLANTS
from defects.base import History, a_message, cut_power

from clauses.base import Step, accused, change, excused, fault, innocent, remove, seen, undecided


def of_message(table: str, broker: str, offset: int, topic: str = "T", **to: Any) -> Step:
    """Columns of a message's row are set."""
    return lambda h: change(table, message=a_message(h, broker, offset, topic=topic), to=to)(h)


def acked_and_there(history: History, broker: str) -> None:
    """Acknowledged under a failing disk, and in the log all the same."""
    message = a_message(history, broker, 5, topic="E")
    for table in ("attempts", "sends"):
        history.find(table, message=message)[0].end.update(outcome="ok", code=0)


def reading(broker: str, topic: str, **to: Any) -> Step:
    """Columns of the readings of a queue are set."""
    return change("readings", broker=broker, topic=topic, queue=0, to=to)


excused("dur-reject-absent", "a request that came twice", fault("frame-duplicate", 1, None, link="p->broker-b"))
accused("dur-reject-absent", "one that came twice before", fault("frame-duplicate", 1, 2, link="p->broker-b"))


def unseen(history: History) -> None:
    """Nobody looked at the bytes of the logs: only the final reading says what is lost."""
    remove("surveys")(history)
    remove("surveyed")(history)


def unread(broker: str, offset: int, topic: str) -> Step:
    """The planted defect, seen by the final reading alone."""

    def step(history: History) -> None:
        unseen(history)
        remove("final_log", message=a_message(history, broker, offset, topic=topic))(history)

    return step


# Where an acknowledged message is owed: the same clauses in several promises.
for guarantee, broker, topic, offset, before in (
    ("dur-ack-kill", "broker-a", "T", 3, ()),
    ("dur-ack-power-sf", "broker-s", "P", 9, (unread("broker-s", 9, "P"),)),
    ("dur-power-readable", "broker-s", "P", 9, ()),
    ("dur-notok-stored", "broker-b", "K", 2, ()),
):
    excused(guarantee, "complete", *before, reading(broker, topic, complete=False))
    excused(guarantee, "master", *before, reading(broker, topic, master=False))
    excused(guarantee, "final reading", *before, reading(broker, topic, reading="early"))
    excused(guarantee, "below the minimum", *before, reading(broker, topic, min_offset=offset + 1))
    excused(guarantee, "half messages", of_message("sends", broker, offset, topic, transactional=True))
    excused(guarantee, "delayed messages", of_message("sends", broker, offset, topic, delay_level=1))

for guarantee, broker, topic, offset in (
    ("dur-ack-kill", "broker-a", "T", 3),
    ("dur-ack-power-sf", "broker-s", "P", 9),
    ("dur-power-readable", "broker-s", "P", 9),
    ("dur-ack-fsync-error", "broker-e", "E", 5),
    ("dur-ack-disk-full", "broker-f", "E", 5),
):
    excused(guarantee, "answered with 0", of_message("attempts", broker, offset, topic, outcome="kept", code=10))

for guarantee, broker, topic, offset in (
    ("dur-ack-power-sf", "broker-s", "P", 9),
    ("dur-power-readable", "broker-s", "P", 9),
    ("dur-ack-fsync-error", "broker-e", "E", 5),
    ("dur-ack-disk-full", "broker-f", "E", 5),
):
    excused(guarantee, "SYNC_FLUSH", change("config", node=broker, key="flushDiskType", to={"setting": "ASYNC_FLUSH"}))
    excused(guarantee, "answered before the cut", change("nodes", node=broker, life=0, to={"ending": 300}))
    excused(guarantee, "not waiting for the store", of_message("sends", broker, offset, topic, wait_store=False))


def not_tried(kind: str) -> Step:
    """The disk fault was over before the message was acknowledged."""
    return change("faults", kind=kind, to={"began": 8_000, "active": 8_010, "healing": 8_990, "healed": 9_000})


seen("dur-ack-power-sf", "without a survey a reading counts", unread("broker-s", 9, "P"))
innocent("dur-ack-power-sf", "bytes count, not a reading", of_message("final_log", "broker-s", 9, "P", message=-1))
for guarantee, kind, broker in (
    ("dur-ack-fsync-error", "fsync-error", "broker-e"),
    ("dur-ack-disk-full", "disk-full", "broker-f"),
):
    excused(guarantee, "the fault is over", not_tried(kind))
    innocent(guarantee, "a flush made up for it", lambda h, broker=broker: acked_and_there(h, broker))
    innocent("dur-ack-power-sf", f"acknowledged under {kind}", PLANTS[guarantee])
excused("dur-power-readable", "a disk that failed", lambda h: h.fault("disk-full", 5_000, 5_100, node="broker-s"))
for kind in ("fsync-error", "disk-full"):
    accused(
        "dur-power-readable", f"{kind} elsewhere", lambda h, kind=kind: h.fault(kind, 5_000, 5_100, node="broker-a")
    )
undecided("dur-power-readable", "a tenth unread", reading("broker-s", "P", complete=False))

excused("dur-power-start", "it was ready", change("nodes", node="broker-s", life=1, to={"ready": 11_300}))
excused("dur-power-start", "killed while it started", change("nodes", node="broker-s", life=1, to={"how": "kill"}))
excused("dur-power-start", "a cut", change("nodes", node="broker-s", life=0, to={"how": "kill"}))
seen(
    "dur-meta-power",
    "groups",
    change("inventory", node="broker-p", kind="group", reading="after", to={"listed": False}),
)
excused("dur-meta-power", "it was there", change("inventory", reading="before", to={"listed": False}))
excused("dur-meta-power", "an answer", change("inventory", reading="after", to={"outcome": "unknown"}))
excused("dur-meta-power", "a cut in between", change("nodes", node="broker-s", life=0, to={"how": "kill"}))
excused("dur-meta-power", "a cut after the first look", change("nodes", node="broker-s", life=0, to={"ending": 8_000}))
excused("dur-meta-power", "a cut before the second", change("nodes", node="broker-s", life=0, to={"ending": 13_000}))


undecided("dur-ack-kill", "a tenth unread", change("readings", broker="broker-a", to={"complete": False}))
undecided("dur-ack-kill", "a tenth unread: final", change("readings", broker="broker-a", to={"reading": "early"}))
undecided("dur-ack-kill", "a tenth unread: master", change("readings", broker="broker-a", to={"master": False}))

excused("dur-ack-power-sf", "power was cut", change("nodes", node="broker-s", life=0, to={"how": "stop"}))
undecided("dur-ack-power-sf", "a tenth unread", unseen, reading("broker-s", "P", complete=False))


def nothing_lost_but(**sent: Any) -> Step:
    """Of the messages that the ASYNC_FLUSH broker lost one is left, and changed so that its loss proves nothing."""

    def step(history: History) -> None:
        unseen(history)
        held = {row.get("message") for row in history.find("final_log")}
        lost = history.find("attempts", lambda row: row.get("message") not in held, broker="broker-p", topic="P")
        for row in lost[1:] if sent else lost:
            history.record(row.get("message"), ("P", "broker-p", 0), row.get("queue_offset"), 0)
        for name, value in sent.items():
            table = "attempts" if name == "outcome" else "sends"
            change(table, message=lost[0].get("message"), to={name: value})(history)

    return step


undecided("dur-ack-power-sf", "the cut lost nothing", nothing_lost_but())
undecided("dur-ack-power-sf", "the cut lost a kept one", nothing_lost_but(outcome="kept"))
undecided("dur-ack-power-sf", "the cut lost a delayed one", nothing_lost_but(delay_level=1))
undecided("dur-ack-power-sf", "the cut lost a half one", nothing_lost_but(transactional=True))
undecided("dur-ack-power-sf", "what the cut lost is unread", unseen, reading("broker-p", "P", complete=False))
undecided("dur-ack-power-sf", "what the cut lost was on a slave", unseen, reading("broker-p", "P", master=False))

accused("dur-notok-stored", "a kill after the reading", lambda h: h.fault("kill", 36_700, 36_800, node="broker-b"))
excused("dur-notok-stored", "a kill before the reading", lambda h: h.fault("kill", 30_000, 30_100, node="broker-b"))
innocent(
    "dur-notok-stored", "answers 10 to 12 alone", lambda h: remove("final_log", message=a_message(h, "broker-b", 4))(h)
)

for table in ("deliveries", "final_log"):
    for column in ("body_digest", "props_digest", "flag"):
        seen("dur-body-intact", f"{column} in {table}", of_message(table, "broker-b", 4, **{column: -1}))
innocent("dur-body-intact", "what can be decoded", of_message("final_log", "broker-b", 4, body_digest=-1, parsed=False))
innocent("dur-body-intact", "its own topic", change("deliveries", topic="%RETRY%gf", to={"body_digest": -1}))
seen("dur-crc-valid", "records", of_message("final_log", "broker-b", 4, crc_ok=False))

excused("sto-offset-dense", "a cut before the reading", lambda h: cut_power(h, "broker-b"))
accused("sto-offset-dense", "a cut after the reading", lambda h: cut_power(h, "broker-b", 37_000))
excused("sto-offset-dense", "below the maximum", reading("broker-b", "T", max_offset=5))
excused("sto-offset-dense", "above the minimum", reading("broker-b", "T", min_offset=6))
innocent(
    "sto-offset-dense", "masters", remove("final_log", node="broker-m-slave", rows=lambda r: r.get("queue_offset") == 9)
)


def both(table: str, **to: Any) -> Step:
    """Columns of the two messages that stand in the wrong order are set."""

    def step(history: History) -> None:
        for offset in (5, 6):
            of_message(table, "broker-b", offset, **to)(history)

    return step


def overlapping(history: History) -> None:
    """The first of the two was answered only after the second had been sent."""
    of_message("sends", "broker-b", 5, until=8_000)(history)


def asked_twice(history: History) -> None:
    """Each of the two had a request before the one that was answered."""
    for offset in (5, 6):
        message = a_message(history, "broker-b", offset)
        (attempt,) = history.find("attempts", message=message)
        columns = {**attempt.columns, "attempt": 1}
        history.span("attempts", attempt.at, attempt.at + 1, {"outcome": "unsent"}, **columns)


def logged_twice(history: History) -> None:
    """Each of the two has a second record, so that no one place is known; the answers are in order."""
    for offset in (5, 6):
        history.record(a_message(history, "broker-b", offset), ("T", "broker-b", 0), 900 + offset, 1)


def answers_swapped(history: History) -> None:
    (first,) = history.find("attempts", topic="T", broker="broker-b", queue=0, queue_offset=5)
    (second,) = history.find("attempts", topic="T", broker="broker-b", queue=0, queue_offset=6)
    first.set(queue_offset=6)
    second.set(queue_offset=5)


excused("sto-fifo-queue", "batches", both("sends", batch=1))
excused("sto-fifo-queue", "half messages", both("sends", transactional=True))
excused("sto-fifo-queue", "delayed messages", both("sends", delay_level=1))
excused("sto-fifo-queue", "answered with 0", both("attempts", outcome="kept"))
excused("sto-fifo-queue", "retried sends", asked_twice)
excused("sto-fifo-queue", "one after the other", overlapping)
excused("sto-fifo-queue", "records with one place", logged_twice)
excused("sto-fifo-queue", "a power cut", lambda h: cut_power(h, "broker-b"))
seen("sto-fifo-queue", "order of the answers", answers_swapped)

seen("sto-recover-no-ghost", "checksums", lambda h: h.find("final_log", broker="broker-a")[0].set(crc_ok=False))
excused("sto-recover-no-ghost", "an end without warning", change("nodes", node="broker-a", life=0, to={"how": "stop"}))
excused("sto-recover-no-ghost", "read after the restart", change("readings", broker="broker-a", to={"at": 11_000}))
