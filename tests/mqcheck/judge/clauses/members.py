"""Clauses of the promises about members."""

from __future__ import annotations

from defects.base import History
from histories.figures import PHASES

from clauses.base import accused, change, excused, fault, stalled

RECOVERING_MS = PHASES["recover"][1] - 100


def connected(history: History, at_ms: int) -> None:
    """A heartbeat of a member of the group with the planted defect, on a connection of its own."""
    history.entry("connections", conn=977, link="c4->broker-b", opened=at_ms - 5)
    beat = {"kind": "heartbeat", "consumer_group": "g3", "member": "c4@3", "node": "broker-b"}
    history.point("members", at_ms, conn=977, **beat)


def broadcasting(history: History) -> None:
    history.point("subscriptions", 100, consumer_group="gm", topic="T", expression="*", mode="broadcasting")


excused("con-members-list", "a heartbeat without answer", change("members", member="m6@35", to={"code": None}))
excused(
    "con-unregister",
    "asked before it was answered",
    change("members", rows=lambda row: row.at == 7_652, kind="listed", to={"asked": 6_800}),
)
excused("con-expire-close", "a connection that is open", change("connections", conn=102, to={"closed": None}))
excused("con-expire-close", "links in trouble", fault("blackhole", 4_000, 4_100, link="m4->broker-b"))
excused("con-notify-ids", "who goes soon", change("members", kind="heartbeat", member="m1@30", to={"conn": None}))
excused("con-notify-ids", "a broadcasting group", broadcasting)
excused("con-notify-ids", "trouble of the broker", fault("pause", 2_500, 2_600, node="broker-b"))
excused("con-rebalance-cover", "a member that has come back", lambda h: connected(h, RECOVERING_MS))
accused("con-rebalance-cover", "a connection that stays", lambda h: connected(h, 340))
excused("con-rebalance-cover", "a kit that stands still", stalled(300, 3_500))
excused("con-rebalance-cover", "orderly groups", change("subscriptions", consumer_group="g3", to={"orderly": True}))
excused("con-rebalance-cover", "trouble of a broker", fault("kill", 1_500, 1_600, node="broker-b"))
excused("cli-heartbeat", "stalls", stalled(3_500, 6_200))
excused("cli-persist", "stalls", stalled(2_500, 5_500))
