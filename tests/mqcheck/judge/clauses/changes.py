"""Clauses of the promises about changes by request."""

from __future__ import annotations

from typing import Any

from defects.base import History
from defects.changes import ONE_BROKER, sight

from clauses.base import Step, accused, change, excused, fault, innocent, remove, seen, slave_of, stalled

created = {"about": "topic", "name": "create-0", "kind": "create"}


def another_change(at: float, until: float | None, **to: Any) -> Step:
    """The same topic is changed by somebody else too."""

    def step(history: History) -> None:
        row = history.state(at, "update", "topic", "broker-b", "create-0", "else")
        row.set(until=until, **to)

    return step


excused("adm-topic-created", "another change in between", another_change(33_500, 33_505))
excused("adm-topic-created", "another change without an answer", another_change(32_000, None))
accused("adm-topic-created", "another change before", another_change(32_000, 32_005))
accused("adm-topic-created", "another change later", another_change(35_000, 35_005))
accused("adm-topic-created", "another change that was not sent", another_change(33_500, 33_505, outcome="unsent"))
excused("adm-topic-created", "refused changes", change("states", to={"outcome": "error"}, **created))
excused("adm-topic-created", "looks that failed", lambda h: sight(h, "topic", "create").set(outcome="error"))
excused("adm-topic-created", "a look before", lambda h: sight(h, "topic", "create").set(at=33_002, until=33_004))
excused("adm-topic-created", "trouble of a node", fault("kill", 34_000, 34_100, node="broker-a"))
excused("adm-topic-created", "trouble of a link", fault("latency", 34_000, 34_100, link="admin->broker-a"))
accused("adm-topic-created", "trouble before", fault("kill", 32_000, 32_500, node="broker-b"))
accused("adm-topic-created", "trouble later", fault("reset", 34_600, 34_700, link="admin->broker-b"))
innocent("adm-topic-created", "other kinds", lambda h: sight(h, "topic", "delete").set(setting="else"))
innocent("adm-topic-route", "routes", lambda h: sight(h, "topic", "create").set(setting="else"))
excused("ns-unregister-last", "within a second", lambda h: sight(h, "route", "unregister").set(at=33_900, until=33_905))
excused("ns-unregister-last", "stalls", stalled(33_100, 33_700))


def left(at: float) -> Step:
    """A broker that left is listed."""

    def step(history: History) -> None:
        history.state(33_000, "unregister", "cluster", "nameserver-1", "left", None)
        history.state(at, "seen", "cluster", "nameserver-1", "left", "C")

    return step


seen("ns-cluster-info", "left a second ago", left(34_500))
innocent("ns-cluster-info", "left just now", left(33_500))
accused("ns-cluster-info", "there at once", lambda h: sight(h, "cluster", "register").set(at=33_100, until=33_105))

stale = change("replies", probe="version query: other", to={"detail": '{"changed":"false"}'})
seen("ns-data-version", "another version", stale)
seen("ns-slave-haaddr", "a refusal", lambda h: h.find("replies", probe="register: slave")[0].set(code=1))
innocent(
    "ns-json", "routes that list nobody", change("routes", listed=None, nameserver="nameserver-1", to={"strict": False})
)

accused("ns-register-period", "trouble before", fault("pause", 29_000, 29_100, node="broker-b"))
excused("ns-register-period", "trouble of the link", fault("blackhole", 32_000, 32_100, link="broker-b->nameserver-*"))
excused("ns-register-period", "trouble of the NameServer", fault("kill", 32_000, 32_100, node="nameserver-1"))
excused(
    "ns-register-period",
    "trouble of the link to a master",
    fault("blackhole", 32_000, 32_100, link="broker-b->broker-a"),
)
accused(
    "ns-register-period", "trouble of another's link", fault("blackhole", 32_000, 32_100, link="broker-a->broker-b")
)
excused(
    "ns-register-period",
    "trouble of its slave",
    slave_of("broker-b"),
    fault("pause", 32_000, 32_100, node="broker-b-slave-1"),
)
excused("ns-register-period", "stalls", stalled(31_500, 34_200))
gap = remove("registrations", rows=lambda row: row.at == 32_250, **ONE_BROKER)
innocent("ns-register-period", "tolerance", gap)
late = remove("registrations", rows=lambda row: 21_000 < row.at < 32_000, **ONE_BROKER)
innocent(
    "ns-register-period", "a fifth of the period", change("config", key="register_ms", to={"setting": "10000"}), late
)
