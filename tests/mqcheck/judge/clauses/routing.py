"""Clauses of the routing promises."""

from __future__ import annotations

from typing import Any

from defects.routing import still_listed, unlist

from clauses.base import Step, accused, change, excused, fault, innocent, remove, seen, slave_of, stalled

CUT = "broker-b->nameserver-2"


def listed(nameserver: str, broker: str, at: float) -> Step:
    return lambda history: still_listed(history, nameserver, broker, at)


def unlisted(nameserver: str, broker: str, at: float) -> Step:
    return lambda history: unlist(history, nameserver, broker, at)


def unregistered(nameserver: str, broker: str, at: float, until: float | None) -> Step:
    where = {"nameserver": nameserver, "node": broker, "broker": broker, "broker_id": 0}
    return lambda history: history.span("registrations", at, until, kind="unregister", **where)


def closed(link: str, at: float) -> Step:
    """One more connection of the link, which closed then."""
    return lambda history: history.entry("connections", conn=90, link=link, opened=at - 100, closed=at)


def answered(nameserver: str, at: float, code: int) -> Step:
    """The answers of that moment carry another code."""
    return change("routes", rows=lambda row: row.at == at, nameserver=nameserver, to={"code": code})


# The same excuses in four promises: an answer without the broker at ``asked``, owed since ``owed``.
for guarantee, nameserver, broker, owed, asked in (
    ("ns-register-visible", "nameserver-1", "broker-b", 5_250, 5_300),
    ("ns-no-early-expire", "nameserver-1", "broker-b", 5_250, 5_800),
    ("ns-restart-heal", "nameserver-2", "broker-a", 17_000, 21_300),
    ("ns-isolated", "nameserver-1", "broker-b", 16_052, 16_300),
):
    link = f"{broker}->{nameserver}"
    between = (owed + asked) / 2 + 5
    excused(guarantee, "a broken link", fault("down", between, asked + 50, link=link))
    excused(guarantee, "a link broken for good", fault("down", between, None, link=link))
    accused(guarantee, "a link broken later", fault("down", asked + 50, asked + 90, link=link))
    accused(guarantee, "a link healed long before", fault("down", owed - 2_900, owed - 2_800, link=link))
    accused(guarantee, "another link broken", fault("down", between, asked + 50, link=f"{broker}->nameserver-9"))
    excused(guarantee, "trouble of the broker", fault("kill", between, asked + 50, node=broker))
    excused(guarantee, "trouble of the nameserver", fault("pause", between, asked + 50, node=nameserver))
    accused(guarantee, "trouble later", fault("pause", asked + 50, asked + 90, node=nameserver))
    if guarantee != "ns-restart-heal":
        accused(guarantee, "trouble before", fault("pause", owed - 2_900, owed - 2_800, node=nameserver))
        excused(guarantee, "a link healed a moment before", fault("down", owed - 2_100, owed - 900, link=link))
        excused(guarantee, "a connection that closed", closed(link, between))
        excused(guarantee, "a connection that closed a moment before", closed(link, owed - 900))
        accused(guarantee, "a connection that closed later", closed(link, asked + 50))
        accused(guarantee, "a connection that closed before", closed(link, owed - 2_000))
        accused(guarantee, "a connection of another link that closed", closed(f"{broker}->nameserver-9", between))
    if guarantee != "ns-isolated":
        excused(guarantee, "unregistered", unregistered(nameserver, broker, between, between + 2))
        excused(guarantee, "perhaps unregistered", unregistered(nameserver, broker, between, None))
        accused(guarantee, "unregistered before", unregistered(nameserver, broker, owed - 60, owed - 50))
        accused(guarantee, "unregistered later", unregistered(nameserver, broker, asked + 50, asked + 60))
        excused(guarantee, "an answer with a route or 17", answered(nameserver, asked, 1))


def registrations(to: dict[str, Any], since: float) -> Step:
    """What nameserver-1 had from broker-b from then on and before the answer."""
    return change(
        "registrations", rows=lambda row: since <= row.at < 5_800, nameserver="nameserver-1", broker="broker-b", to=to
    )


for guarantee, since in (("ns-register-visible", 5_000), ("ns-no-early-expire", 0)):
    excused(guarantee, "registered with success", registrations({"outcome": "error"}, since))
    excused(guarantee, "registered", registrations({"kind": "version-query"}, since))

excused("ns-register-visible", "a broker of this run", remove("nodes", node="broker-b"))
excused(
    "ns-register-visible",
    "registered a moment ago",
    remove("registrations", rows=lambda row: row.at == 5_250, nameserver="nameserver-1", broker="broker-b"),
)

excused("ns-no-early-expire", "seen by the tap", remove("connections", link="broker-b->nameserver-1"))
excused(
    "ns-no-early-expire",
    "a connection from the registration on",
    change("connections", link="broker-b->nameserver-1", to={"opened": 5_290}),
)
accused("ns-no-early-expire", "a paused broker", fault("pause", 5_400, 5_900, node="broker-b"))
accused("ns-no-early-expire", "a slow link", fault("latency", 5_400, 5_900, link="broker-b->nameserver-1"))
accused("ns-no-early-expire", "a broker killed later", fault("kill", 5_900, 6_000, node="broker-b"))
accused("ns-no-early-expire", "a broker killed before", fault("kill", 1_000, 1_100, node="broker-b"))
for guarantee in ("ns-register-visible", "ns-no-early-expire"):
    excused(guarantee, "a broker whose power was cut long before", fault("power-cut", 1_000, 1_100, node="broker-b"))

excused("ns-expire", "from broker to nameserver", change("faults", link=CUT, to={"direction": "down"}))
excused("ns-expire", "effect of the fault was measured", change("faults", link=CUT, to={"confirmed": False}))
excused("ns-expire", "brokers with slaves", slave_of("broker-b"))
excused("ns-expire", "trouble of the nameserver", fault("pause", 20_000, 20_100, node="nameserver-2"))
accused("ns-expire", "trouble later", fault("pause", 25_400, 25_500, node="nameserver-2"))
excused("ns-expire", "a slow link", fault("latency", 19_000, 19_100, link=CUT))
excused("ns-expire", "a link slow for good", fault("latency", 19_000, None, link=CUT))
accused("ns-expire", "another slow link", fault("latency", 19_000, 19_100, link="broker-a->nameserver-2"))
accused("ns-expire", "a link slow before", fault("latency", 5_000, 5_100, link=CUT))
accused("ns-expire", "a link slow later", fault("latency", 25_400, 25_500, link=CUT))
accused("ns-expire", "a link that was reset", fault("reset", 19_000, 19_100, link=CUT))
innocent("ns-expire", "tolerance", listed("nameserver-2", "broker-b", 23_501))
innocent("ns-expire", "until healed", listed("nameserver-2", "broker-b", 25_991))
innocent("ns-expire", "expiry and scan", listed("nameserver-2", "broker-b", 21_501))
seen("ns-expire", "a paused broker", fault("pause", 1_000, 9_000, node="broker-b"))
innocent("ns-expire", "faults that silence", fault("slow-fsync", 1_000, 9_000, node="broker-b"))
innocent("ns-expire", "faults of links that silence", fault("reset", 1_000, 9_000, link="broker-b->nameserver-1"))

innocent("ns-close", "tolerance", listed("nameserver-1", "broker-a", 13_501))
excused("ns-close", "stalls", stalled(12_100, 12_500))
excused("ns-close", "brokers with slaves", slave_of("broker-a"))
excused("ns-close", "trouble of the nameserver", fault("pause", 13_000, 13_100, node="nameserver-1"))
accused("ns-close", "trouble before", fault("pause", 11_000, 11_100, node="nameserver-1"))
accused("ns-close", "trouble later", fault("pause", 14_400, 14_500, node="nameserver-1"))
accused("ns-close", "a link that was reset", fault("reset", 11_900, 14_600, link="broker-a->nameserver-1"))
excused("ns-close", "a link cut for good", fault("blackhole", 11_900, None, link="broker-a->nameserver-1"))
excused("ns-close", "a link cut a moment before", fault("blackhole", 10_100, 10_500, link="broker-a->nameserver-1"))
accused("ns-close", "a link cut before", fault("blackhole", 8_000, 9_000, link="broker-a->nameserver-1"))
accused("ns-close", "a link cut later", fault("blackhole", 14_400, 14_500, link="broker-a->nameserver-1"))
excused("ns-close", "an end without warning", change("nodes", node="broker-a", life=0, to={"how": "stop"}))
seen("ns-close", "a link down", fault("down", 2_000, 9_000, link="broker-b->nameserver-1"))
innocent("ns-close", "down without effect", fault("down", 2_000, 9_000, link="broker-b->nameserver-1", confirmed=False))
innocent("ns-close", "faults that close", fault("reset", 2_000, 9_000, link="broker-b->nameserver-1"))


def at_5x(history: Any) -> None:
    change("nodes", node="nameserver-1", to={"version": "5.1.4"})(history)


def no_route(outcome: str, code: int | None) -> Step:
    """An answer about a topic that nobody has."""
    end = {"outcome": outcome, "code": code}
    return lambda history: history.span("routes", 30_100, 30_102, end, nameserver="nameserver-1", topic="none")


innocent("ns-empty-17", "not ready at 5.x", no_route("error", 1), at_5x)
seen("ns-empty-17", "not ready at 4.x", no_route("error", 1))
seen("ns-empty-17", "an empty route at 5.x", no_route("ok", 0), at_5x)
innocent("ns-empty-17", "an answer", no_route("unknown", 0))
innocent("ns-empty-17", "a code", no_route("error", None))

innocent("ns-restart-heal", "one period", unlisted("nameserver-2", "broker-a", 17_800))
innocent("ns-restart-heal", "tolerance", unlisted("nameserver-2", "broker-a", 19_300))
innocent("ns-restart-heal", "stalls", unlisted("nameserver-2", "broker-a", 20_300), stalled(17_100, 17_600))
accused("ns-restart-heal", "a link healed before", fault("down", 15_000, 16_000, link="broker-a->nameserver-2"))

excused("ns-isolated", "others are away", change("faults", node="nameserver-2", to={"confirmed": False}))
excused("ns-isolated", "there are others", remove("nodes", node="nameserver-2"))
excused("ns-isolated", "a broker of this run", remove("nodes", node="broker-b"))
excused("ns-isolated", "others were away before", change("faults", node="nameserver-2", to={"active": 16_400}))
excused("ns-isolated", "others are away until then", change("faults", node="nameserver-2", to={"healing": 16_301}))
