"""Clauses of the promises about members."""

from __future__ import annotations

from defects.base import History
from histories.figures import PHASES

from clauses.base import accused, change, excused, fault, innocent, seen, stalled

RECOVERING_MS = PHASES["recover"][1] - 100


def connected(history: History, at_ms: int) -> None:
    """A heartbeat of a member of the group with the planted defect, on a connection of its own."""
    history.entry("connections", conn=977, link="c4->broker-b", opened=at_ms - 5)
    beat = {"kind": "heartbeat", "consumer_group": "g3", "member": "c4@3", "node": "broker-b"}
    history.point("members", at_ms, conn=977, **beat)


def asking(history: History, *questions: tuple[str, int]) -> None:
    """A client without consumers asks for the routes of topics."""
    for topic, at_ms in questions:
        end = {"listed": True, "broker": "broker-b", "broker_id": 0}
        history.span("routes", at_ms, at_ms + 2, end, nameserver="nameserver-1", topic=topic, member="m9@39")


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
excused("cli-route-poll", "stalls", stalled(3_400, 6_200))
excused("cli-route-poll", "trouble of a node", fault("pause", 4_500, 4_600, node="broker-b"))
excused(
    "cli-route-poll",
    "a NameServer that takes its time",
    change("routes", member="m1@30", rows=lambda row: row.at == 3_800, to={"until": 5_200}),
)
excused(
    "cli-route-poll",
    "a topic that was not there",
    change("routes", member="m1@30", rows=lambda row: row.at < 4_000, to={"listed": False}),
)
accused(
    "cli-route-poll",
    "a topic that was there once",
    change("routes", member="m1@30", rows=lambda row: 500 < row.at < 8_000, to={"listed": False}),
)
seen(
    "cli-route-poll",
    "heartbeats go on",
    change("routes", member="m1@30", rows=lambda row: row.at > 33_000, to={"member": None}),
)
seen(
    "cli-route-poll",
    "pulls go on",
    change("routes", nameserver="nameserver-1", rows=lambda row: row.at == 33_050, to={"member": "c1@1"}),
)
seen("cli-route-poll", "another topic is asked for", lambda h: asking(h, ("Z", 33_100), ("T", 33_110), ("T", 35_000)))
innocent("cli-route-poll", "a client that is gone", lambda h: asking(h, ("Z", 33_100)))
