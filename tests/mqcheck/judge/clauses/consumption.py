"""Clauses of the consumption promises."""

from __future__ import annotations

from typing import Any

from defects.base import History, a_message
from defects.consumption import queried

from clauses.base import Step, accused, change, excused, fault, innocent, remove, seen, stalled, undecided

PLACE = ("T", "broker-b", 0)


def power(node: str) -> Step:
    return fault("power-cut", 30_000, 30_100, node=node)


def meddled(group: str, topic: str = "T") -> Step:
    """An administrator set an offset of the group, somewhere else."""
    return lambda h: h.span(
        "offsets",
        500,
        502,
        kind="reset",
        consumer_group=group,
        topic=topic,
        node="broker-z",
        broker="broker-z",
        value=1,
    )


def subscription(group: str, **to: Any) -> Step:
    return change("subscriptions", consumer_group=group, to=to)


def commits_of(group: str, **to: Any) -> Step:
    """The commits of the group on the queue of the planted defect are something else."""
    return change("offsets", kind="commit", consumer_group=group, broker="broker-b", queue=0, to=to)


# A group that starts at the end may lose its offset with a broker: the same clauses in several promises.
for guarantee, group, topic in (
    ("con-alo", "g1", "T"),
    ("con-restart-resume", "g2", "T"),
    ("ord-queue-fifo", "go", "T"),
):
    last = subscription(group, from_where="last")
    excused(guarantee, "starts at the end, and a restart", last, fault("kill", 30_000, 30_100, node="broker-b"))
    accused(guarantee, "starts at the end, and no restart", last)
    accused(guarantee, "starts at the end, and another fault", last, fault("pause", 30_000, 30_100, node="broker-b"))
    accused(guarantee, "starts at the beginning, and a restart", fault("kill", 30_000, 30_100, node="broker-b"))
    excused(guarantee, "a power cut", power("broker-b"))
    excused(guarantee, "offsets that somebody set", meddled(group))
    accused(guarantee, "offsets of another group that somebody set", meddled("g9", topic))
    accused(guarantee, "offsets of another topic that somebody set", meddled(group, "U"))


def seventh(history: History) -> int:
    return a_message(history, "broker-b", 7)


def in_dead_letters(history: History) -> None:
    history.record(seventh(history), ("%DLQ%g1", "broker-b", 0), 0, 0)
    place = {"node": "broker-b", "broker": "broker-b", "broker_id": 0, "topic": "%DLQ%g1", "queue": 0}
    end = {"min_offset": 0, "max_offset": 1, "complete": True}
    history.span("readings", 36_400, 36_600, end, reading="final", master=True, **place)


def busy(history: History) -> None:
    """Something else was delivered to g1 at the end of recover."""
    history.deliver(35_000, "g1", "c1@1", a_message(history, "broker-b", 6), PLACE, 6)


def last_missing(history: History) -> None:
    """The last message of the queue never came, and no commit of the group has passed it."""
    row = history.find("attempts", topic="T", broker="broker-b", queue=0)[-1]
    history.remove("deliveries", message=row.get("message"), consumer_group="g1")
    where = {"consumer_group": "g1", "broker": "broker-b", "queue": 0}
    history.remove("offsets", lambda offset: (offset.get("value") or 0) > row.get("queue_offset"), **where)


def unanswered_commit(history: History) -> None:
    history.commit(35_100, "g1", "c1@1", PLACE, 1_000).set(until=None)


def a_query_past_the_end(history: History) -> None:
    history.commit(35_100, "g1", "c1@1", PLACE, 1_000).set(kind="max")


def after_recover(history: History) -> None:
    history.deliver(36_100, "g1", "c1@1", a_message(history, "broker-b", 6), PLACE, 6)


excused("con-alo", "delayed messages", lambda h: change("sends", message=seventh(h), to={"delay_level": 1})(h))
excused("con-alo", "dead letters", in_dead_letters)
accused("con-alo", "passed although deliveries go on", busy)
undecided("con-alo", "passed by a commit that succeeded", last_missing, busy, unanswered_commit)
undecided("con-alo", "passed by a commit", last_missing, busy, a_query_past_the_end)
seen("con-alo", "deliveries after recover are no progress", last_missing, after_recover)
undecided("con-alo", "a stall that leaves too little time", last_missing, stalled(27_500, 35_900))

excused("con-no-skip", "a power cut", power("broker-b"))
excused("con-no-skip", "offsets that somebody set", meddled("g1"))
excused("con-no-skip", "broadcasting", subscription("g1", mode="broadcasting"))
excused("con-no-skip", "commits that were sent", commits_of("g1", outcome="unsent"))
excused("con-no-skip", "commits", commits_of("g1", kind="max"))
excused(
    "con-no-skip",
    "what the group had when it committed",
    lambda h: change("deliveries", message=seventh(h), consumer_group="g1", to={"at": 34_000, "received": 34_000})(h),
)

excused("con-restart-resume", "broadcasting", subscription("g2", mode="broadcasting"))
excused("con-restart-resume", "a commit that succeeded", commits_of("g2", outcome="unknown"))
accused(
    "con-restart-resume",
    "commits after the pull",
    lambda h: h.commit(9_500, "g2", "c2@2", PLACE, 1_000),
)
accused(
    "con-restart-resume",
    "commits that were sent",
    lambda h: h.commit(8_900, "g2", "c2@2", PLACE, 1_000).set(outcome="unsent"),
)
accused("con-restart-resume", "commits alone", lambda h: h.commit(8_900, "g2", "c2@2", PLACE, 1_000).set(kind="max"))


def also_committed(at: float, **to: Any) -> Step:
    """One more, lower commit on the queue whose offset went back."""
    return lambda h: h.commit(at, "g1", "c1@1", ("T", "broker-a", 0), 5).set(**to)


def committed_anew(history: History) -> None:
    """The members commit what they know before anybody asks the broker that has come back."""
    for group, member in (("g1", "c1@1"), ("g2", "c2@2"), ("go", "co@5")):
        for queue in (0, 1):
            history.commit(15_300, group, member, ("T", "broker-a", queue), 60)


excused("con-offset-persist", "slow fsync", fault("slow-fsync", 5_000, 5_100, node="broker-a"))
excused("con-offset-persist", "an end by a kill", change("nodes", node="broker-a", life=0, to={"how": "stop"}))
excused("con-offset-persist", "queries that were answered", lambda h: queried(h).set(until=None))
excused("con-offset-persist", "queries that were sent", lambda h: queried(h).set(outcome="unsent"))
excused("con-offset-persist", "queries after the restart", lambda h: queried(h).set(at=14_000))
excused("con-offset-persist", "a later commit that went back", also_committed(11_900))
excused(
    "con-offset-persist",
    "a commit in the life that was killed",
    change("nodes", node="broker-a", life=0, to={"ready": 11_950}),
)
accused("con-offset-persist", "a commit after the query", also_committed(15_900))
accused("con-offset-persist", "a commit that was not sent", also_committed(11_900, outcome="unsent"))
accused("con-offset-persist", "no commit at all", also_committed(11_900, kind="max"))
seen("con-offset-persist", "not found", lambda h: queried(h).set(code=22, position=None))
undecided("con-offset-persist", "not committed anew before the query", committed_anew)
undecided("con-offset-persist", "evidence of a well disk", fault("slow-fsync", 5_000, 5_100, node="broker-a"))

excused("con-group-indep", "a power cut", power("broker-a"))
excused("con-group-indep", "offsets that somebody set", meddled("g1"))
excused("con-group-indep", "an answer", lambda h: queried(h).set(outcome="error"))
excused("con-group-indep", "queries", lambda h: queried(h).set(kind="max"))
excused("con-group-indep", "an offset of another group", lambda h: queried(h).set(position=61))
undecided("con-group-indep", "somebody else has committed more", remove("offsets", kind="query", consumer_group="gl"))
undecided("con-group-indep", "asked after that", change("offsets", consumer_group="gl", to={"at": 100, "until": 102}))


def broadcast_seventh(table: str, **to: Any) -> Step:
    return lambda h: change(table, message=seventh(h), to=to)(h)


excused("con-broadcast-all", "a power cut", power("broker-b"))
excused("con-broadcast-all", "batches", broadcast_seventh("sends", batch=1))
excused("con-broadcast-all", "half messages", broadcast_seventh("sends", transactional=True))
excused("con-broadcast-all", "delayed messages", broadcast_seventh("sends", delay_level=1))
excused("con-broadcast-all", "answered with 0", broadcast_seventh("attempts", outcome="kept"))
excused("con-broadcast-all", "sent before recover", broadcast_seventh("sends", until=30_000))
excused("con-broadcast-all", "sent after its first pull", broadcast_seventh("sends", at=290))
excused("con-broadcast-all", "broadcasting", subscription("gb", mode="clustering"))


PULL = {"broker": "broker-b", "queue": 0, "position": 7, "topic": "T", "suspend_ms": 1_500}


def pull_times(history: History) -> tuple[float, float]:
    (pull,) = history.find("pulls", **PULL)
    return pull.at, pull.until


def fault_at_pull(before: float, after: float | None, **where: Any) -> Step:
    """A fault from so long after the pull's beginning (negative: before it) to so long after."""

    def step(history: History) -> None:
        began, _ = pull_times(history)
        fault("latency", began + before, None if after is None else began + after, **where)(history)

    return step


for name, link in (("its link", "c1->broker-b"), ("every link", "c1->*")):
    excused("con-longpoll-wake", f"trouble on {name}", fault_at_pull(100, 200, link=link))
    excused("con-longpoll-wake", f"lasting trouble on {name}", fault_at_pull(100, None, link=link))
    excused("con-longpoll-wake", f"trouble a moment before on {name}", fault_at_pull(-800, -500, link=link))
    accused("con-longpoll-wake", f"trouble before on {name}", fault_at_pull(-2_400, -2_000, link=link))
    accused("con-longpoll-wake", f"trouble later on {name}", fault_at_pull(2_000, 2_100, link=link))
accused("con-longpoll-wake", "trouble on another link", fault_at_pull(100, 200, link="c1->broker-a"))
excused("con-longpoll-wake", "trouble of the broker", fault_at_pull(100, 200, node="broker-b"))
accused("con-longpoll-wake", "trouble of the broker before", fault_at_pull(-400, -200, node="broker-b"))
accused("con-longpoll-wake", "trouble of the broker later", fault_at_pull(2_000, 2_100, node="broker-b"))
excused("con-longpoll-wake", "whole topics", change("pulls", **PULL, to={"expression": "tag"}))
excused("con-longpoll-wake", "pulls that may be held", change("pulls", **PULL, to={"suspend_ms": 0}))
excused("con-longpoll-wake", "batches", broadcast_seventh("attempts", batch=1))
excused("con-longpoll-wake", "answered with 0", broadcast_seventh("attempts", outcome="kept"))
excused("con-longpoll-wake", "half messages", broadcast_seventh("sends", transactional=True))
excused("con-longpoll-wake", "delayed messages", broadcast_seventh("sends", delay_level=1))
excused("con-longpoll-wake", "sent while it was held", broadcast_seventh("attempts", at=500))
innocent("con-longpoll-wake", "tolerance", lambda h: change("pulls", **PULL, to={"until": pull_times(h)[1] + 900})(h))
undecided(
    "con-longpoll-wake",
    "a stall longer than the tolerance",
    lambda h: change("pulls", **PULL, to={"until": pull_times(h)[1] + 1_900})(h),
    lambda h: stalled(pull_times(h)[0] + 100, pull_times(h)[0] + 1_900)(h),
)


def first_held(**to: Any) -> Step:
    return lambda h: h.find("pulls", topic="EMPTY")[0].set(**to)


innocent("con-longpoll-timeout", "tolerance", first_held(until=30_900))
innocent("con-longpoll-timeout", "stalls", first_held(until=31_300), stalled(28_100, 28_600))
seen("con-longpoll-timeout", "the same offset", first_held(next_offset=8))
excused("con-longpoll-timeout", "pulls that may be held", first_held(suspend_ms=0))
excused("con-longpoll-timeout", "answers to a pull", first_held(code=1))
excused("con-longpoll-timeout", "trouble of the broker", fault("pause", 28_100, 28_200, node="broker-b"))
accused("con-longpoll-timeout", "trouble later", fault("pause", 33_000, 33_100, node="broker-b"))
excused("con-longpoll-timeout", "trouble on every link", fault("latency", 28_100, 28_200, link="probe->*"))
excused("con-longpoll-timeout", "lasting trouble", fault("latency", 28_100, None, link="probe->broker-b"))
excused("con-longpoll-timeout", "trouble a moment before", fault("latency", 27_000, 27_500, link="probe->broker-b"))
accused("con-longpoll-timeout", "trouble on a link later", fault("latency", 33_000, 33_100, link="probe->broker-b"))
undecided("con-longpoll-timeout", "a stall longer than its time", first_held(until=33_000), stalled(28_100, 30_900))

excused("con-retry-delay", "clock faults", fault("clock", 30_000, 30_100, node="broker-b"))
seen("con-retry-delay", "a counter without a send-back", remove("results", kind="send-back"))

excused("con-retry-max", "a power cut", power("broker-b"))
excused("con-retry-max", "read at all", change("readings", broker="broker-b", to={"complete": False}))
excused("con-retry-max", "a master", change("readings", broker="broker-b", to={"master": False}))
excused("con-retry-max", "final reading", change("readings", broker="broker-b", to={"reading": "early"}))

for column in ("body_digest", "props_digest", "flag", "unique_key"):
    value = "other" if column == "unique_key" else -1
    for name, table, topic in (
        ("redeliveries", "deliveries", "%RETRY%gf"),
        ("dead letters", "final_log", "%DLQ%gf"),
    ):
        seen("con-retry-identity", f"{column} of {name}", change(table, topic=topic, to={column: value}))
innocent("con-retry-identity", "copies alone", change("deliveries", topic="F", to={"body_digest": -1}))
innocent("con-retry-identity", "records alone", change("final_log", topic="T", to={"body_digest": -1}))
innocent(
    "con-retry-identity", "what can be decoded", change("final_log", topic="%DLQ%gf", to={"flag": -1, "parsed": False})
)


def failed(history: History) -> Any:
    """The first delivery of the message that was never redelivered."""
    return history.find("deliveries", topic="F")[-1]


def back(**to: Any) -> Step:
    return lambda h: change("results", delivery=failed(h).op, kind="send-back", to=to)(h)


def dead(history: History) -> None:
    history.record(failed(history).get("message"), ("%DLQ%gf", "broker-b", 0), 9, 0)


excused("con-retry-alo", "dead letters", dead)
excused("con-retry-alo", "a power cut", power("broker-b"))
excused("con-retry-alo", "straight to the dead letters", back(delay_level=-1))
excused("con-retry-alo", "the last retry", subscription("gf", max_reconsume=0))
excused(
    "con-retry-alo",
    "due before the end",
    back(delay_level=5),
    change("config", key="delay_level_5_ms", to={"setting": "60000"}),
)
excused("con-retry-alo", "an owner", remove("members", consumer_group="gf", topic="%RETRY%gf"))


def listing(history: History) -> Any:
    return history.find("members", lambda row: row.at == 25_405, kind="listed")[0]


def also_listed(at: float) -> Step:
    """The silent member is in the group at that moment."""
    return change("members", rows=lambda row: row.at == at, kind="listed", to={"members": "c4@3,c5@4"})


innocent("con-expire", "tolerance", also_listed(23_405))
innocent("con-expire", "expiry and scan", also_listed(22_405))
innocent("con-expire", "stalls", also_listed(25_405), stalled(19_000, 21_000))
undecided("con-expire", "a stall longer than the expiry", also_listed(25_405), stalled(19_000, 25_000))
excused("con-expire", "trouble of a broker", fault("pause", 20_000, 20_100, node="broker-b"))
accused("con-expire", "trouble later", fault("pause", 26_000, 26_100, node="broker-b"))
excused("con-expire", "a lasting fault of its link", fault("blackhole", 19_000, None, link="c5->broker-b"))
excused("con-expire", "a fault of its link a moment before", fault("blackhole", 17_000, 17_500, link="c5->broker-b"))
accused("con-expire", "a fault of its link later", fault("blackhole", 26_000, 26_100, link="c5->broker-b"))
accused("con-expire", "a fault of another link", fault("blackhole", 19_000, 25_000, link="c7->broker-b"))


def stored_again(history: History) -> Any:
    """The seventh message, stored once by its one request, is delivered from a second place."""
    return history.deliver(20_000, "g1", "c1@1", seventh(history), PLACE, 900)


seen("con-dup-cause", "several places", stored_again)
innocent("con-dup-cause", "several places after a power cut", stored_again, power("broker-b"))
innocent(
    "con-dup-cause",
    "delay progress lost by a crash",
    stored_again,
    lambda h: change("sends", message=seventh(h), to={"delay_level": 1})(h),
    fault("kill", 19_000, 19_100, node="broker-b"),
)
seen("con-dup-cause", "a kill repeats no plain message", stored_again, fault("kill", 19_000, 19_100, node="broker-b"))
innocent("con-dup-cause", "a request that came twice", stored_again, fault("frame-duplicate", 1e4, 1e4, link="c->b"))
seen("con-dup-cause", "one that came twice later", stored_again, fault("frame-duplicate", 21_000, None, link="c->b"))
excused("con-dup-cause", "broadcasting", subscription("g1", mode="broadcasting"))
excused("con-dup-cause", "offsets that somebody set", meddled("g1"))
excused("con-dup-cause", "a restart", fault("kill", 19_000, 19_100, node="broker-b"))
accused("con-dup-cause", "a pause", fault("pause", 19_000, 19_100, node="broker-b"))
accused("con-dup-cause", "a restart later", fault("kill", 21_000, 21_100, node="broker-b"))


def moved(at: float) -> Step:
    """A pull of the group was told that its offset was moved."""
    where = {"consumer_group": "g1", "member": "c1@1", "session": 300, "node": "broker-b", "broker": "broker-b"}
    end = {"code": 21, "next_offset": 0}
    return lambda h: h.span("pulls", at, at + 5, end, kind="pull", topic="T", queue=0, position=9, **where)


excused("con-dup-cause", "an offset that was moved", moved(19_000))
accused("con-dup-cause", "an offset that was moved before", moved(500))
accused("con-dup-cause", "an offset that was moved later", moved(21_000))


def reassigned(at: float) -> Step:
    where = {"consumer_group": "g1", "member": "c1@1", "topic": "T", "broker": "broker-b", "queue": 0}
    return lambda h: h.point("members", at, kind="assigned", **where)


excused("con-dup-cause", "a rebalance", reassigned(19_000))
accused("con-dup-cause", "a rebalance later", reassigned(21_000))
