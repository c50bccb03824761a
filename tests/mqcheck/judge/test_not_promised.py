"""Every entry that promises nothing: what happens nevertheless is counted, shown, and never a violation."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import pytest
from defects.base import cut_power
from histories import judged
from histories.figures import SLAVE_GONE_MS

from mqcheck.judge.verdicts import NOT_APPLICABLE
from mqcheck.specs import Specs, load_specs

History = Any
Mutation = Callable[[History], dict[str, Any]]

HAPPENS: Final[dict[str, Mutation]] = {}
"""Entry → what makes it happen once more, and a part of what is then shown."""
SHOWN_ALREADY: Final = {"no-af-power"}
"""Entries of which the healthy run has something, and that nothing is added to here."""
OLDER: Final = {"no-offset-power", "no-async-rep", "no-exactly-once"}
"""Entries whose queries are put to the test by whole scenarios alone."""


def happens(entry: str) -> Callable[[Mutation], Mutation]:
    def add(mutation: Mutation) -> Mutation:
        HAPPENS[entry] = mutation
        return mutation

    return add


@happens("no-retention-of-unread")
def _(history: History) -> dict[str, Any]:
    history.find("readings", topic="L", node="broker-b")[0].set(min_offset=1)
    return {"topic": "L", "queue_offset": 0, "begins_at": 1}


@happens("no-visible-after-flush")
def _(history: History) -> dict[str, Any]:
    delivery = history.find("deliveries", consumer_group="g1")[0]
    (send,) = history.find("sends", message=delivery.get("message"))
    delivery.set(at=send.at + 2, received=send.at + 2)
    return {"message": delivery.get("message"), "consumer_group": "g1"}


@happens("no-retry-sync")
def _(history: History) -> dict[str, Any]:
    back = history.find("results", kind="send-back", outcome="ok")[0]
    (failed,) = history.find("deliveries", lambda row: row.op == back.get("delivery"))
    history.remove("deliveries", lambda row: row.at > failed.at, message=failed.get("message"))
    history.remove("final_log", topic="%DLQ%gf", message=failed.get("message"))
    cut_power(history, failed.get("broker"))
    return {"message": failed.get("message"), "consumer_group": "gf"}


@happens("no-auto-failover")
def _(history: History) -> dict[str, Any]:
    message, _ = history.send(SLAVE_GONE_MS[0] + 200, ("N", "broker-n", 0))
    history.find("attempts", message=message)[0].end.update(outcome="unknown", code=None, queue_offset=None)
    return {"message": message, "seen": "unknown"}


@happens("no-slave-history")
def _(history: History) -> dict[str, Any]:
    history.find("readings", node="broker-m-slave")[0].set(min_offset=2)
    return {"node": "broker-m-slave", "master_begins_at": 0, "begins_at": 2}


@happens("no-ns-consistency")
def _(history: History) -> dict[str, Any]:
    route = history.find("routes", lambda row: row.at > 9_000, nameserver="nameserver-2", listed=True)[0]
    return {"op": route.set(listed=False).op, "nameserver": "nameserver-2"}


@happens("no-offset-monotonic")
def _(history: History) -> dict[str, Any]:
    place = {"kind": "commit", "consumer_group": "g1", "broker": "broker-b", "queue": 0}
    first, second = history.find("offsets", **place)[:2]
    return {"op": second.set(value=first.get("value") - 1).op, "value_before": first.get("value")}


@happens("no-single-owner-instant")
def _(history: History) -> dict[str, Any]:
    history.assign("g1", "c9@9", ("T", "broker-b", 0), 5_000)
    return {"consumer_group": "g1", "member": "c1@1", "other": "c9@9"}


@happens("no-global-order")
def _(history: History) -> dict[str, Any]:
    first, second = sorted(
        history.find("deliveries", consumer_group="g1", broker="broker-b", queue=0),
        key=lambda row: row.get("queue_offset"),
    )[:2]
    (slow,) = history.find("results", delivery=first.op)
    slow.set(until=second.at + 20)
    return {"op": second.op, "queue_offset": second.get("queue_offset")}


@happens("no-order-on-failover")
def _(history: History) -> dict[str, Any]:
    for queue in (0, 1):
        (attempt,) = history.find("attempts", topic="T", broker="broker-b", queue=queue, queue_offset=0)
        history.find("sends", message=attempt.get("message"))[0].set(sharding_key="elsewhere", producer="p@0")
    return {"sharding_key": "elsewhere", "queues": 2}


@happens("no-broadcast-retry")
def _(history: History) -> dict[str, Any]:
    delivery = history.find("deliveries", consumer_group="gb")[0]
    history.find("results", delivery=delivery.op)[0].set(result="later")
    return {"op": delivery.op, "result": "later"}


@happens("no-msgid-stable")
def _(history: History) -> dict[str, Any]:
    one, two = history.find("attempts", lambda row: row.get("offset_msg_id"))[:2]
    two.set(message=one.get("message"))
    return {"message": one.get("message"), "ids": 2}


@happens("no-oneway")
def _(history: History) -> dict[str, Any]:
    history.span("sends", 3_000, 3_001, {"code": None}, message=999_999, topic="T", mode="oneway", producer="p@0")
    return {"message": 999_999}


def route(history: History, topic: str, perm: int) -> Any:
    """Once, early, a NameServer named that permission."""
    end = {"listed": True, "broker": "broker-b", "broker_id": 0, "perm": perm, "code": 0}
    return history.span("routes", 900, 902, end, nameserver="nameserver-1", topic=topic)


@happens("no-topic-perm-check")
def _(history: History) -> dict[str, Any]:
    route(history, "L", 4)
    return {"topic": "L", "perm": 4}


@happens("no-oneshot-dlq-read")
def _(history: History) -> dict[str, Any]:
    return {"op": route(history, "%DLQ%gf", 2).op, "perm": 2}


@happens("no-commit-idempotent")
def _(history: History) -> dict[str, Any]:
    taken = history.find("transactions", kind="reply", outcome="ok", decision="rollback")[0]
    history.span("transactions", taken.at + 100, taken.at + 105, taken.end, **{**taken.columns, "decision": "commit"})
    return {"message": taken.get("message"), "decision_before": "rollback", "decision": "commit"}


@happens("no-clock-skew")
def _(history: History) -> dict[str, Any]:
    history.capabilities = [*history.capabilities, "clock"]
    delivery = history.find("deliveries", lambda row: row.get("broker") == "broker-b", consumer_group="gd")[0]
    (send,) = history.find("sends", message=delivery.get("message"))
    history.fault("clock", send.at, send.at + 900, node="broker-b")
    delivery.set(at=send.at + 800, received=send.at + 800)
    return {"op": delivery.op, "came_after_ms": 800}


def test_every_entry_is_here() -> None:
    entries = {guarantee.id for guarantee in load_specs() if not guarantee.promised}
    assert entries == HAPPENS.keys() | SHOWN_ALREADY | OLDER


@pytest.mark.slow
@pytest.mark.parametrize("entry", HAPPENS)
def test_what_happens_is_counted_and_shown(builder: ModuleType, specs: Specs, tmp_path: Path, entry: str) -> None:
    before = judged(builder.healthy(), specs, tmp_path / "before", entry)
    history = builder.healthy()
    named = HAPPENS[entry](history)
    after = judged(history, specs, tmp_path / "after", entry)
    assert (before.verdict, after.verdict) == (NOT_APPLICABLE, NOT_APPLICABLE)
    assert after.evidence_total > before.evidence_total
    assert after.reason.startswith(f"not promised: seen {after.evidence_total} times among ")
    assert int(after.reason.split()[-1]) > 0
    if not before.evidence_total:  # of many only the first are shown
        assert any(named.items() <= row.items() for row in after.evidence), after.evidence
