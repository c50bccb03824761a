"""What a promise would excuse is no evidence for it: nothing is held by what could not have been seen broken."""

from __future__ import annotations

from defects.base import History
from histories.rows import Row

from clauses.base import Step, change, fault, remove, stalled, undecided
from clauses.consumption import meddled, power

BROKERS = ("broker-a", "broker-b", "broker-m")
COMMITTED = ("con-alo", "con-no-skip", "con-restart-resume", "ord-queue-fifo")
AT_THE_END = ("con-alo", "con-restart-resume", "ord-queue-fifo")
CUT_AWAY = (
    *COMMITTED,
    "con-group-indep",
    "con-broadcast-all",
    "con-dup-cause",
    "con-longpoll-wake",
    "con-retry-max",
    "con-retry-alo",
    "dly-alo",
    "sto-offset-unique",
)


def troubled(kind: str) -> tuple[Step, ...]:
    """Whatever happened on these brokers happened in a fault."""
    return tuple(fault(kind, 1, None, node=broker) for broker in BROKERS)


def links(kind: str) -> Step:
    return fault(kind, 1, None, link="*->*")


def meddled_with_all(history: History) -> None:
    for group in ("g1", "g2", "g3", "go", "gl"):
        meddled(group)(history)
    for group, topic in (("gq", "Q"), ("gq", "W"), ("gs", "V"), ("gt", "W")):
        meddled(group, topic)(history)


def on_disk(row: Row) -> bool:
    return row.get("kind") in ("fsync-error", "disk-full")


for guarantee in CUT_AWAY:
    undecided(guarantee, "nothing but power cuts", *map(power, BROKERS))
for guarantee in (*COMMITTED, "con-group-indep"):
    undecided(guarantee, "nothing but offsets that somebody set", meddled_with_all)
for guarantee in AT_THE_END:
    undecided(
        guarantee, "nothing but lost offsets", change("subscriptions", to={"from_where": "last"}), *troubled("kill")
    )
for guarantee in ("con-no-skip", "con-restart-resume", "con-dup-cause"):
    undecided(guarantee, "nothing but broadcasting", change("subscriptions", to={"mode": "broadcasting"}))
for guarantee in ("con-retry-delay", "dly-not-early"):
    undecided(guarantee, "nothing but clocks that jump", *troubled("clock"))
    undecided(guarantee, "no delay that anybody knows", remove("config", rows=lambda row: "delay_" in row.get("key")))
for guarantee in ("con-longpoll-wake", "con-longpoll-timeout"):
    undecided(guarantee, "nothing but brokers in trouble", *troubled("pause"))
    undecided(guarantee, "nothing but links in trouble", links("latency"))
for guarantee in ("ns-register-visible", "ns-no-early-expire", "ns-restart-heal", "ns-isolated"):
    undecided(guarantee, "nothing but cut links", links("down"))
for guarantee in ("ns-expire", "ns-close"):
    undecided(guarantee, "nothing but slow links", links("latency"))

for guarantee in ("ns-expire", "ns-close"):
    undecided(guarantee, "nothing but a stall", stalled(12_000, 32_000))

undecided("con-alo", "nothing committed past a message", remove("offsets", kind="commit"))
undecided("con-broadcast-all", "no pull known", remove("pulls", consumer_group="gb"))
undecided("con-longpoll-wake", "held too short to tell", change("pulls", suspend_ms=1500, to={"suspend_ms": 900}))
undecided("con-retry-max", "nobody looked", change("readings", broker="broker-b", to={"complete": False}))
undecided("con-expire", "a link in trouble", links("blackhole"))
undecided("con-expire", "brokers in trouble", *troubled("pause"))
undecided("rep-sync-ack", "no answer", change("attempts", broker="broker-m", to={"outcome": "unknown"}))
undecided("rep-sync-ack", "transactions", change("sends", topic="S", to={"transactional": True}))
undecided("rep-offset-same", "master not read", change("readings", node="broker-m", to={"complete": False}))
undecided("prd-no-false-ok", "modes without an answer", change("sends", to={"mode": "oneway"}))
undecided("ord-queue-lock", "a broker that dies", *troubled("kill"))
undecided("dur-ack-kill", "gone by age", change("readings", broker="broker-a", to={"min_offset": 999}))
undecided("dur-notok-stored", "gone by age", change("readings", to={"min_offset": 999}))
undecided("dur-reject-absent", "nobody looked", change("readings", to={"complete": False}))
undecided("sto-fifo-queue", "all under way at once", change("sends", to={"until": 60_000}))
undecided("sto-recover-no-ghost", "nothing read", remove("final_log"))
for guarantee, node in (("dur-ack-fsync-error", "broker-e"), ("dur-ack-disk-full", "broker-f")):
    undecided(guarantee, "messages that do not wait", change("sends", topic="E", to={"wait_store": False}))
    undecided(guarantee, "no answer", change("attempts", topic="E", to={"outcome": "unknown"}))
    undecided(guarantee, "healed before the cut", change("faults", node=node, rows=on_disk, to={"healing": 10_400}))
    undecided(guarantee, "nobody looked", remove("surveys"), change("readings", topic="E", to={"complete": False}))
