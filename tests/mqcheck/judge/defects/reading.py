"""Defects of the promises of pulls, lookups and limits."""

from __future__ import annotations

from typing import Any

from defects.base import History, Mutation, excuse, plant


def a_pull(history: History, position: int) -> Any:
    """The pull from that offset of the shelf."""
    return history.find("pulls", topic="L", position=position)[0]


def answered(position: int, **to: Any) -> Mutation:
    """A pull of the shelf is answered otherwise."""

    def mutation(history: History) -> dict[str, Any]:
        pull = a_pull(history, position).set(**to)
        return {"op": pull.op, "topic": "L", "queue": 0, "position": position}

    return mutation


def excused(mutation: Mutation) -> Mutation:
    """The same, and the run must be held."""

    def silent(history: History) -> None:
        mutation(history)

    return silent


plant("con-pull-batch")(answered(3, records=5, last_offset=7, next_offset=8))
excuse("con-pull-batch")(excused(answered(3, max_num=-1, records=5)))
plant("con-pull-order")(answered(3, ascending=False))
excuse("con-pull-order")(excused(answered(3, expression="tag", last_offset=9, next_offset=10)))
plant("con-pull-next")(answered(3, next_offset=6))
excuse("con-pull-next")(excused(answered(3, expression="tag", next_offset=20)))
plant("con-pull-bounds")(answered(3, max_offset=39))
plant("con-offset-moved")(answered(41, next_offset=1_041))
excuse("con-offset-moved")(excused(answered(41, code=2, next_offset=None)))


@excuse("con-pull-bounds")
def _(history: History) -> None:
    """More than a question that was asked at the same time was answered."""
    for row in history.find("offsets", topic="L", kind="max"):
        row.set(position=39)
    first = a_pull(history, 0).set(max_offset=38)
    history.find("offsets", topic="L", kind="max")[0].set(at=first.at - 5, until=first.at + 1)


def probed(probe: str, **to: Any) -> Mutation:
    """The first of these requests is answered otherwise."""

    def mutation(history: History) -> dict[str, Any]:
        reply = history.find("replies", probe=probe)[0].set(**to)
        return {"op": reply.op, "probe": probe}

    return mutation


for guarantee, probe, wrong in (
    ("con-perm", "pull-barred-group", 19),
    ("con-sub-latest", "pull-newer-subscription", 0),
    ("con-pull-topic-unknown", "pull-unknown-topic", 19),
    ("con-pull-group-unknown", "pull-unknown-group", 0),
    ("con-pull-queue-range", "pull-queue-below", 0),
    ("sto-topic-limit", "topic-too-long", 0),
):
    plant(guarantee)(probed(probe, code=wrong))
    excuse(guarantee)(excused(probed(probe, code=2)))


def a_row(history: History, table: str, offset: int) -> Any:
    """The row of the shelf's message at that offset."""
    return history.find(table, topic="L", queue_offset=offset)[0]


@plant("sto-offset-resp")
def _(history: History) -> dict[str, Any]:
    attempt = a_row(history, "attempts", 5).set(physical_offset=4_999)
    return {"op": attempt.op, "message": attempt.get("message")}


@excuse("sto-offset-resp")
def _(history: History) -> None:
    attempt = a_row(history, "attempts", 5).set(physical_offset=4_999)
    history.find("sends", message=attempt.get("message"))[0].set(delay_level=1)


def torn(history: History) -> int:
    """The last message of the first batch is not stored."""
    message: int = history.find("sends", batch=900)[-1].get("message")
    history.remove("final_log", message=message)
    return message


@plant("sto-batch-atomic")
def _(history: History) -> dict[str, Any]:
    return {"message": torn(history) - 4, "topic": "B", "queue": 0}


@excuse("sto-batch-atomic")
def _(history: History) -> None:
    torn(history)
    for row in history.find("attempts", batch=900):
        row.until, row.end = None, {}
    history.fault("kill", 30_000, 30_100, node="broker-b")


@plant("sto-batch-order")
def _(history: History) -> dict[str, Any]:
    one, two = (
        history.find("final_log", message=row.get("message"))[0] for row in history.find("sends", batch=900)[:2]
    )
    first, second = one.get("queue_offset"), two.get("queue_offset")
    one.set(queue_offset=second)
    two.set(queue_offset=first)
    return {"message": two.get("message"), "queue_offset": first, "nth_of_batch": 1}


@excuse("sto-batch-order")
def _(history: History) -> None:
    """Of two batches, the later one is stored first."""
    batches = [
        [history.find("final_log", message=row.get("message"))[0] for row in history.find("sends", batch=number)]
        for number in (900, 901)
    ]
    for one, two in zip(*batches, strict=True):
        first, second = one.get("queue_offset"), two.get("queue_offset")
        one.set(queue_offset=second)
        two.set(queue_offset=first)


@plant("sto-max-offset")
def _(history: History) -> dict[str, Any]:
    asked = history.find("offsets", topic="L", kind="max")[9].set(position=39)
    return {"op": asked.op, "answered_before": 40, "seen": 39}


@excuse("sto-max-offset")
def _(history: History) -> None:
    """The question before had not been answered yet."""
    first, second = history.find("offsets", topic="L", kind="max")[:2]
    first.set(until=second.at + 1)
    second.set(position=39)


@plant("sto-time-order")
def _(history: History) -> dict[str, Any]:
    record = a_row(history, "final_log", 5).set(store_time=1_000_039)
    return {"op": record.op, "message": record.get("message"), "queue_offset": 5}


@excuse("sto-time-order")
def _(history: History) -> None:
    a_row(history, "final_log", 5).set(store_time=1_000_040)


def searched(time: int, position: int) -> Mutation:
    """The first search is for that time and answered so."""

    def mutation(history: History) -> dict[str, Any]:
        search = history.find("offsets", kind="search")[0].set(argument_ms=time, position=position)
        return {"op": search.op, "searched_time": time, "seen": position}

    return mutation


plant("sto-query-time")(searched(1_000_055, 7))
excuse("sto-query-time")(excused(searched(1_000_055, 6)))


def unfound(kind: str, at: float | None = None) -> Mutation:
    """The first lookup of a kind finds nothing."""

    def mutation(history: History) -> dict[str, Any]:
        lookup = history.find("lookups", kind=kind)[0].set(code=22, records=0)
        if at is not None:
            lookup.set(at=at, until=at + 3)
        history.remove("found", parent=lookup.op)
        return {"op": lookup.op, "name": lookup.get("name")}

    return mutation


plant("sto-query-key")(unfound("key"))
excuse("sto-query-key")(excused(unfound("key", at=2_100)))
plant("sto-view-id")(unfound("view"))


@excuse("sto-view-id")
def _(history: History) -> None:
    """Nothing is found where nothing is any more."""
    unfound("view")(history)
    history.remove("final_log", topic="L", queue_offset=0)


def sized(size: str, at_least: int, **to: Any) -> Mutation:
    """The first message of at least that size is answered otherwise."""

    def mutation(history: History) -> dict[str, Any]:
        attempt = history.find("attempts", lambda row: (row.get(size) or 0) >= at_least)[0].set(**to)
        return {"op": attempt.op, "message": attempt.get("message")}

    return mutation


plant("sto-size-limit")(sized("body_size", 4_194_305, outcome="ok", code=0))
excuse("sto-size-limit")(excused(sized("body_size", 4_194_305, code=2)))
plant("sto-props-limit")(sized("props_size", 32_768, outcome="ok", code=0))
excuse("sto-props-limit")(excused(sized("props_size", 32_768, code=2)))
