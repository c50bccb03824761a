"""Clauses of the replication promises."""

from __future__ import annotations

from defects.base import History, a_message

from clauses.base import accused, change, excused, fault, innocent, remove, seen, slave_of, stalled, undecided


def of(history: History, offset: int) -> int:
    return a_message(history, "broker-m", offset, topic="S")


LINK = {"link": "broker-m-slave->broker-m"}
SLAVE = {"node": "broker-m-slave"}

excused("rep-sync-ack", "half messages", lambda h: change("sends", message=of(h, 25), to={"transactional": True})(h))
excused("rep-sync-ack", "several slaves", slave_of("broker-m", 2))
excused(
    "rep-sync-ack",
    "brokerRole of this broker",
    change("config", node="broker-m", to={"setting": "ASYNC_MASTER"}),
    lambda h: h.point("config", 1, node="broker-x", key="brokerRole", setting="SYNC_MASTER"),
)
excused(
    "rep-sync-ack",
    "a master that counts itself alone",
    lambda h: h.point("config", 1, node="broker-m", key="inSyncReplicas", setting="1"),
)
accused(
    "rep-sync-ack",
    "a master that waits for one more",
    lambda h: h.point("config", 1, node="broker-m", key="inSyncReplicas", setting="2"),
)
excused("rep-sync-ack", "sent in it", lambda h: change("attempts", message=of(h, 25), to={"at": 13_005})(h))
excused(
    "rep-sync-ack", "answered in the fault", lambda h: change("attempts", message=of(h, 25), to={"until": 15_995})(h)
)
excused("rep-sync-ack", "effect of the fault was measured", change("faults", **LINK, to={"confirmed": False}))

excused("rep-offset-same", "final reading", change("readings", **SLAVE, to={"reading": "early"}))

excused("rep-resume", "complete", change("readings", **SLAVE, to={"complete": False}))
excused("rep-resume", "final reading", change("readings", **SLAVE, to={"reading": "early"}))
excused("rep-resume", "below its last offset", change("readings", **SLAVE, to={"max_offset": 30}))
excused("rep-resume", "half messages", lambda h: change("sends", message=of(h, 30), to={"transactional": True})(h))
excused("rep-resume", "delayed messages", lambda h: change("sends", message=of(h, 30), to={"delay_level": 1})(h))
innocent("rep-resume", "slaves alone", lambda h: remove("final_log", node="broker-m", message=of(h, 30))(h))

LATE = "rep-slave-slow"
excused(LATE, "a message without a body", change("sends", to={"size": 0}))
seen(LATE, "answered late", lambda h: change("attempts", message=of(h, 25), to={"until": 15_970, "at": 13_020})(h))
seen(LATE, "stored", lambda h: remove("final_log", node="broker-m", message=of(h, 25))(h))
innocent(
    LATE,
    "the kit stood still",
    lambda h: change("attempts", message=of(h, 25), to={"until": 15_970, "at": 13_020})(h),
    stalled(13_100, 15_000),
)
excused(LATE, "several slaves", slave_of("broker-m", 2))
excused(
    LATE, "a controller", lambda h: h.point("config", 1, node="broker-m", key="enableControllerMode", setting="true")
)


def read_before(history: History) -> None:
    """The master is read before it ends, and lacks what it answered for."""
    place = {"reading": "before-kill", "node": "broker-m", "broker": "broker-m", "broker_id": 0, "master": True}
    end = {"min_offset": 0, "max_offset": 40, "complete": True}
    history.span("readings", 29_000, 29_100, end, topic="S", queue=0, **place)


ended = fault("kill", 33_000, 33_100, node="broker-m")
undecided(LATE, "read after its end alone", lambda h: remove("final_log", node="broker-m", message=of(h, 25))(h), ended)
seen(LATE, "read before its end", read_before, ended)

MISSING = "rep-slave-missing"
excused(MISSING, "several slaves", slave_of("broker-m", 2))
excused(MISSING, "sent too soon", lambda h: change("attempts", message=of(h, 64), to={"at": 30_400})(h))
excused(MISSING, "answered in the fault", lambda h: change("attempts", message=of(h, 64), to={"until": 31_800})(h))

excused("rep-prefix", "a master whose power was cut", fault("power-cut", 30_000, 30_100, node="broker-m"))
seen(
    "rep-prefix",
    "other bytes",
    lambda h: change("final_log", node="broker-m-slave", message=of(h, 7), to={"record_digest": -1})(h),
)

READ = {"node": "broker-n-slave", "reading": "alive"}
excused("rep-slave-read", "had before", change("readings", **READ, to={"max_offset": 0}))
excused("rep-slave-read", "complete", change("readings", **READ, to={"complete": False}))
excused(
    "rep-slave-read",
    "5.x without slaveReadEnable",
    change("nodes", node="broker-n-slave", to={"version": "5.3.2"}),
)

innocent(
    "rep-slave-read", "asked to ask again", lambda h: h.find("pulls", node="broker-n-slave")[0].set(code=20, records=0)
)
seen(
    "rep-slave-read",
    "asked to ask again for ever",
    change("pulls", node="broker-n-slave", to={"code": 20, "records": 0}),
)

META = ("rep-meta-topics", "rep-meta-offsets")
for each in META:
    excused(each, "master or slave down", fault("kill", 4_000, 4_100, node="broker-n"))
    excused(each, "cut off", fault("blackhole", 4_000, 4_100, link="broker-n-slave->broker-n"))
