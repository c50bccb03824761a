"""A missing message is lost only once delivery had settled; while it goes on, or had no time, nobody knows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from defects.transactions import COMMITTED, a_half
from histories import judged

from mqcheck.judge.verdicts import HELD, INCONCLUSIVE, VIOLATED
from mqcheck.specs import Specs

History = Any
Step = Callable[[History], None]

LATE_MS = 35_000
"""In the last quarter of recover: a delivery here says that delivery had not settled."""


def nothing(history: History) -> None:
    """A healthy run."""


def missing_last(history: History, group: str, member: str) -> None:
    """The last message of broker-b's first queue never came, and no commit of the group has passed it."""
    row = history.find("attempts", topic="T", broker="broker-b", queue=0)[-1]
    assert history.remove("deliveries", message=row.get("message"), consumer_group=group, member=member) == 1
    history.remove(
        "offsets",
        lambda offset: (offset.get("value") or 0) > row.get("queue_offset"),
        consumer_group=group,
        broker="broker-b",
        queue=0,
    )


def con_alo_missing(history: History) -> None:
    missing_last(history, "g1", "c1@1")


def broadcast_missing(history: History) -> None:
    missing_last(history, "gb", "cb2@7")


def delayed_missing(history: History) -> None:
    history.remove("deliveries", message=history.find("deliveries", topic="D")[0].get("message"))


def retry_missing(history: History) -> None:
    message = history.find("deliveries", topic="F")[-1].get("message")
    history.remove("deliveries", topic="%RETRY%gf", message=message)


def delivered_late(history: History, group: str, topic: str, member: str) -> None:
    """Something else is delivered to the member at the end of recover."""
    row = history.find("deliveries", consumer_group=group, topic=topic, member=member)[0]
    place = (topic, row.get("broker"), row.get("queue"))
    more = {"reconsume_times": row.get("reconsume_times")}
    history.deliver(LATE_MS, group, member, row.get("message"), place, row.get("queue_offset"), **more)


def con_alo_busy(history: History) -> None:
    delivered_late(history, "g1", "T", "c1@1")


def broadcast_busy(history: History) -> None:
    delivered_late(history, "gb", "T", "cb2@7")


def other_member_busy(history: History) -> None:
    delivered_late(history, "gb", "T", "cb1@6")


def delayed_busy(history: History) -> None:
    other = history.find("deliveries", topic="D")[-1]
    history.deliver(LATE_MS, "gd", "cd@9", other.get("message"), ("D", "broker-b", 0), other.get("queue_offset"))


def retry_busy(history: History) -> None:
    delivered_late(history, "gf", "%RETRY%gf", "cf@8")


def short_recover(history: History) -> None:
    """Recover ended before the deadline had passed."""
    history.find("phases", name="recover")[0].set(ended=28_000)


def delayed_committed(history: History) -> None:
    """The group's committed offset is past every delayed message."""
    history.commit(LATE_MS, "gd", "cd@9", ("D", "broker-b", 0), 8)


def delayed_above_the_highest(history: History) -> None:
    """The delay level asked for is above the highest, and acts as it."""
    gone = {row.get("message") for row in history.find("deliveries", topic="D")}
    for row in history.find("sends", lambda row: row.get("message") not in gone, topic="D"):
        row.set(delay_level=99)


def delayed_not_due(history: History) -> None:
    """The message is due a moment before recover ends: less than the tolerance is left."""
    for row in history.find("config", key="delay_level_1_ms"):
        row.set(setting="33000")


def delayed_due_later(history: History) -> None:
    """The message is due long after recover; the others come in time."""
    for row in history.find("config", key="delay_level_2_ms"):
        row.set(setting="60000")
    history.find("sends", topic="D")[0].set(delay_level=2)


def delayed_all_due_later(history: History) -> None:
    for row in history.find("config", lambda row: str(row.get("key")).startswith("delay_level_")):
        row.set(setting="60000")


def retry_due_later(history: History) -> None:
    """No retry is due before recover ends, early."""
    short_recover(history)
    for row in history.find("config", key="delay_level_3_ms"):
        row.set(setting="60000")


def nobody_owns(history: History) -> None:
    """The group's only member left in good order before recover began."""
    history.point("members", 26_500, kind="closed", consumer_group="g1", member="c1@1")


def delayed_nobody_owns(history: History) -> None:
    history.point("members", 26_500, kind="closed", consumer_group="gd", member="cd@9")


def delayed_last_missing(history: History) -> None:
    history.remove("deliveries", message=history.find("deliveries", topic="D")[-1].get("message"))


def delayed_others_committed(history: History) -> None:
    """The group has committed its offset up to the last delayed message."""
    history.commit(25_000, "gd", "cd@9", ("D", "broker-b", 0), 7)


def committed_missing(history: History) -> None:
    """A committed message lies in its topic and never came."""
    assert history.remove("deliveries", message=a_half(history, COMMITTED)) == 1


def committed_busy(history: History) -> None:
    delivered_late(history, "gx", "X", "cx@30")


def committed_nobody_owns(history: History) -> None:
    history.point("members", 26_500, kind="closed", consumer_group="gx", member="cx@30")


CASES: tuple[tuple[str, tuple[Step, ...], str], ...] = (
    ("con-alo", (nothing,), HELD),
    ("con-alo", (con_alo_missing,), VIOLATED),
    ("con-alo", (con_alo_missing, con_alo_busy), INCONCLUSIVE),
    ("con-alo", (con_alo_missing, short_recover), INCONCLUSIVE),
    ("con-alo", (con_alo_missing, nobody_owns), INCONCLUSIVE),
    ("con-broadcast-all", (nothing,), HELD),
    ("con-broadcast-all", (broadcast_missing,), VIOLATED),
    ("con-broadcast-all", (broadcast_missing, other_member_busy), VIOLATED),
    ("con-broadcast-all", (broadcast_missing, broadcast_busy), INCONCLUSIVE),
    ("con-broadcast-all", (broadcast_missing, short_recover), INCONCLUSIVE),
    ("dly-alo", (nothing,), HELD),
    ("dly-alo", (delayed_missing,), VIOLATED),
    ("dly-alo", (delayed_missing, delayed_busy), INCONCLUSIVE),
    ("dly-alo", (delayed_missing, delayed_busy, delayed_committed), VIOLATED),
    ("dly-alo", (delayed_missing, short_recover), INCONCLUSIVE),
    ("dly-alo", (delayed_missing, delayed_above_the_highest), VIOLATED),
    ("dly-alo", (delayed_missing, delayed_above_the_highest, delayed_busy), INCONCLUSIVE),
    ("dly-alo", (delayed_missing, delayed_not_due), INCONCLUSIVE),
    ("dly-alo", (delayed_missing, delayed_due_later), HELD),
    ("dly-alo", (delayed_missing, delayed_all_due_later), INCONCLUSIVE),
    ("dly-alo", (delayed_nobody_owns,), INCONCLUSIVE),
    ("dly-alo", (delayed_last_missing, delayed_nobody_owns, delayed_others_committed), HELD),
    ("txn-commit-alo", (nothing,), HELD),
    ("txn-commit-alo", (committed_missing,), VIOLATED),
    ("txn-commit-alo", (committed_missing, committed_busy), INCONCLUSIVE),
    ("txn-commit-alo", (committed_missing, short_recover), INCONCLUSIVE),
    ("txn-commit-alo", (committed_nobody_owns,), INCONCLUSIVE),
    ("con-retry-alo", (nothing,), HELD),
    ("con-retry-alo", (retry_missing,), VIOLATED),
    ("con-retry-alo", (retry_missing, retry_busy), INCONCLUSIVE),
    ("con-retry-alo", (retry_missing, short_recover), INCONCLUSIVE),
    ("con-retry-alo", (retry_missing, retry_due_later), HELD),
)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("guarantee", "steps", "wanted"),
    CASES,
    ids=[f"{case[0]}-{'-'.join(step.__name__ for step in case[1])}" for case in CASES],
)
def test_what_a_missing_message_proves(
    builder: ModuleType, specs: Specs, tmp_path: Path, guarantee: str, steps: tuple[Step, ...], wanted: str
) -> None:
    history = builder.healthy()
    for step in steps:
        step(history)
    verdict = judged(history, specs, tmp_path, guarantee)
    assert (verdict.verdict, verdict.harness_error) == (wanted, False), (verdict.reason, verdict.evidence[:1])


def test_every_promise_of_at_least_once_is_put_to_unsettled_delivery(specs: Specs) -> None:
    tried = {case[0] for case in CASES if case[2] == INCONCLUSIVE}
    owed = {guarantee.id for guarantee in specs if guarantee.id.endswith("-alo")} | {"con-broadcast-all"}
    assert tried == owed
