"""Clauses of the promises about disks."""

from __future__ import annotations

from defects.base import History, a_message

from clauses.base import change, excused, fault, innocent, seen


def not_started(history: History) -> None:
    """The life after the damage ended before it was ready."""
    (life,) = history.find("nodes", node="broker-t", life=1)
    life.set(ready=None, ended=30_900, how="crash", exit_code=3, spawned=30_995)


seen("sto-bad-tail", "starts", not_started)
excused("sto-bad-tail", "whose tail was damaged", change("faults", kind="bad-tail", to={"confirmed": False}))

excused("sto-recover-cq", "before it", change("faults", kind="lost-queues", to={"began": 500}))
excused("sto-recover-cq", "a power cut", fault("power-cut", 32_000, 32_100, node="broker-q"))

seen(
    "sto-diskfull",
    "not readable",
    lambda h: h.find("pulls", node="broker-r")[0].end.update(outcome="error", code=14),
)
innocent(
    "sto-diskfull",
    "an offset out of range",
    lambda h: h.find("pulls", node="broker-r")[0].end.update(code=21, records=0),
)
excused("sto-diskfull", "the fault had an effect", change("faults", kind="disk-nearly-full", to={"confirmed": False}))

excused("sto-retention", "a wrong clock", fault("clock", 1_900, 2_500, node="broker-r"))
excused("sto-retention", "a slave", change("nodes", node="broker-r", to={"broker_id": 1}))

excused(
    "dur-write-error",
    "WAIT = false",
    lambda h: change("sends", message=a_message(h, "broker-w", 30, topic="W"), to={"wait_store": False})(h),
)

excused("sto-min-offset", "a slave", change("nodes", node="broker-z", to={"broker_id": 1}))
excused("sto-min-offset", "lost queues", fault("lost-queues", 30_000, 31_000, node="broker-z"))
