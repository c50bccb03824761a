"""Clauses of the replication promises."""

from __future__ import annotations

from defects.base import History, a_message

from clauses.base import accused, change, excused, innocent, remove, slave_of


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
