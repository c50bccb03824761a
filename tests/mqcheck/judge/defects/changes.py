"""Defects of the promises about changes by request."""

from __future__ import annotations

from typing import Any, Final

from defects.base import History, Mutation, excuse, plant

STATES: Final = {
    "adm-topic-created": ("topic", "create"),
    "adm-topic-updated": ("topic", "update"),
    "adm-topic-deleted": ("topic", "delete"),
    "adm-topic-refused": ("topic", "refuse"),
    "adm-topic-route": ("route", "create"),
    "adm-group-created": ("group", "create"),
    "adm-group-updated": ("group", "update"),
    "adm-group-deleted": ("group", "delete"),
    "adm-config-updated": ("config", "update"),
    "adm-offset-set": ("offset", "update"),
    "adm-topic-stats": ("bounds", "told"),
    "adm-connections": ("member", "told"),
    "ns-topic-changed": ("route", "update"),
    "ns-topic-deleted": ("route", "delete"),
    "ns-wipe": ("route", "wipe"),
    "ns-add-write": ("route", "restore"),
    "ns-unregister-last": ("route", "unregister"),
    "ns-crc": ("route", "refuse"),
    "ns-cluster-info": ("cluster", "register"),
    "ns-topic-list": ("topic-list", "register"),
    "ns-kv-put": ("kv", "put"),
    "ns-kv-delete": ("kv", "drop"),
    "ns-kv-list": ("kv-list", "put"),
}
"""Guarantee → what is changed, and how."""


def sight(history: History, about: str, kind: str) -> Any:
    """The look at the first change of this kind."""
    (row,) = history.find("states", kind="seen", about=about, name=f"{kind}-0")
    return row


def otherwise(about: str, kind: str) -> Mutation:
    """Something else is there."""

    def mutation(history: History) -> dict[str, Any]:
        row = sight(history, about, kind).set(setting="else")
        return {"op": row.op, "name": f"{kind}-0", "seen": "else"}

    return mutation


def unanswered(about: str, kind: str) -> Mutation:
    """Another look sees something else after a change whose answer never came."""

    def mutation(history: History) -> None:
        node = sight(history, about, kind).get("node")
        history.state(33_000, kind, about, node, "third", "wanted").set(until=None)
        history.state(34_000, "seen", about, node, "third", "else")

    return mutation


for guarantee, (about, kind) in STATES.items():
    plant(guarantee)(otherwise(about, kind))
    excuse(guarantee)(unanswered(about, kind))


@plant("ns-data-version")
def _(history: History) -> dict[str, Any]:
    (row, _) = history.find("replies", probe="version query: same")
    return {"op": row.set(detail='{"changed":"true"}').op, "expected": "changed=false"}


@excuse("ns-data-version")
def _(history: History) -> None:
    history.told("version query: stale", 322, '{"changed":"true"}', 5)


@plant("ns-slave-haaddr")
def _(history: History) -> dict[str, Any]:
    (row, _) = history.find("replies", probe="register: slave")
    return {"op": row.set(detail='{"haServerAddr":"","masterAddr":"h:1"}').op}


@excuse("ns-slave-haaddr")
def _(history: History) -> None:
    history.told("register: ghost", 103, "{}", 5)


@plant("ns-json")
def _(history: History) -> dict[str, Any]:
    return {"op": history.find("routes", listed=True)[0].set(strict=False).op, "expected": "strict JSON"}


@excuse("ns-json")
def _(history: History) -> None:
    history.find("routes", listed=True)[0].set(strict=None)


@plant("ns-register-period")
def _(history: History) -> dict[str, Any]:
    later = registration(history, 34_250)
    history.remove("registrations", lambda row: 31_000 < row.at < 34_000, **ONE_BROKER)
    return {"op": later.op, "expected": 1_000, "seen": 4_000}


@excuse("ns-register-period")
def _(history: History) -> None:
    history.remove("registrations", lambda row: 31_000 < row.at < 34_000, **ONE_BROKER)
    history.fault("pause", 32_000, 33_000, node="broker-b")


ONE_BROKER: Final = {"nameserver": "nameserver-1", "broker": "broker-b"}


def registration(history: History, at: float) -> Any:
    """The registration of broker-b at nameserver-1 at a time."""
    (row,) = history.find("registrations", lambda row: row.at == at, **ONE_BROKER)
    return row
