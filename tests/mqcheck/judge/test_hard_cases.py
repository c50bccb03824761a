"""Guarantees in hard cases: defects that hide behind a circumstance, and circumstances that look like a defect."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from histories import judged

from mqcheck.history.loader import load
from mqcheck.judge.verdicts import HELD, INCONCLUSIVE, VIOLATED
from mqcheck.specs import Specs

History = Any


@pytest.fixture
def history(builder: ModuleType) -> History:
    return builder.healthy()


def stall(history: History, began: float, ended: float) -> None:
    history.entry("stalls", process="kit", began=began, ended=ended)


def offset_gone(history: History) -> None:
    history.find("offsets", kind="query", consumer_group="g1", broker="broker-a", queue=0)[0].set(position=1)


def test_a_small_stall_before_a_kill_hides_no_lost_offset(history: History, specs: Specs, tmp_path: Path) -> None:
    offset_gone(history)
    stall(history, 11_000, 11_111)
    assert judged(history, specs, tmp_path, "con-offset-persist").verdict == VIOLATED


def test_a_stall_longer_than_the_flush_makes_a_lost_offset_undecidable(
    history: History, specs: Specs, tmp_path: Path
) -> None:
    offset_gone(history)
    stall(history, 1_000, 11_900)
    verdict = judged(history, specs, tmp_path, "con-offset-persist")
    assert verdict.verdict == INCONCLUSIVE
    assert verdict.reason.startswith("stall: kit 10900 ms")


def test_a_small_stall_alone_leaves_offsets_held(history: History, specs: Specs, tmp_path: Path) -> None:
    stall(history, 11_000, 11_111)
    assert judged(history, specs, tmp_path, "con-offset-persist").verdict == HELD


def test_a_silent_member_that_closes_at_the_end_must_be_replaced(
    history: History, specs: Specs, tmp_path: Path
) -> None:
    history.remove("faults", link="broker-b->nameserver-2")
    history.remove("members", lambda row: row.at > 20_000, kind="assigned", consumer_group="g3", member="c4@3")
    history.point("members", 35_990, kind="closed", consumer_group="g3", member="c5@4")
    verdict = judged(history, specs, tmp_path, "con-expire")
    assert verdict.verdict == VIOLATED
    assert verdict.evidence[0]["seen"] == "nobody else owns it"


@pytest.mark.parametrize(
    ("taken", "stalled", "expected"),
    [
        (25_300, (24_880, 25_290), HELD),
        (25_300, (25_310, 25_900), VIOLATED),
        (25_300, None, VIOLATED),
        (24_800, None, HELD),
        (None, (24_880, 25_290), VIOLATED),
    ],
)
def test_a_stall_around_the_latest_moment_excuses_a_late_owner_as_a_whole(
    taken: float | None,
    stalled: tuple[float, float] | None,
    expected: str,
    history: History,
    specs: Specs,
    tmp_path: Path,
) -> None:
    """The queues must be taken until 24,900 ms; a stall that only begins before that delays them by all of it."""
    history.remove("faults", link="broker-b->nameserver-2")
    for row in history.find(
        "members", lambda row: row.at > 20_000, kind="assigned", consumer_group="g3", member="c4@3"
    ):
        row.set(at=taken or 99_000)
    if taken is None:
        history.remove("members", lambda row: row.at > 90_000)
    if stalled is not None:
        stall(history, *stalled)
    assert judged(history, specs, tmp_path, "con-expire").verdict == expected


def test_an_orderly_group_waits_for_the_lock_of_a_silent_member(history: History, specs: Specs, tmp_path: Path) -> None:
    history.remove("faults", link="broker-b->nameserver-2")
    history.remove("members", lambda row: row.at > 20_000, kind="assigned", consumer_group="g3", member="c4@3")
    for row in history.find("subscriptions", consumer_group="g3"):
        row.set(orderly=True)
    assert judged(history, specs, tmp_path, "con-expire").verdict == HELD


def test_a_member_that_left_is_no_evidence_of_expiry(history: History, specs: Specs, tmp_path: Path) -> None:
    history.point("members", 18_500, kind="unregistered", consumer_group="g3", member="c5@4")
    verdict = judged(history, specs, tmp_path, "con-expire")
    assert (verdict.verdict, verdict.exercised) == (INCONCLUSIVE, 0)


def test_no_dead_letter_topic_at_all_is_a_lost_dead_letter(history: History, specs: Specs, tmp_path: Path) -> None:
    assert history.remove("final_log", topic="%DLQ%gf") > 0
    assert history.remove("readings", topic="%DLQ%gf") > 0
    verdict = judged(history, specs, tmp_path, "con-retry-max")
    assert verdict.verdict == VIOLATED
    assert verdict.evidence[0]["expected"] == "in %DLQ%gf"


def test_a_dead_letter_topic_nobody_could_read_is_not_judged(history: History, specs: Specs, tmp_path: Path) -> None:
    history.remove("final_log", topic="%DLQ%gf")
    for row in history.find("readings", topic="%DLQ%gf"):
        row.set(complete=False)
    verdict = judged(history, specs, tmp_path, "con-retry-max")
    assert (verdict.verdict, verdict.exercised) == (INCONCLUSIVE, 0)


def retry_copy_again(history: History) -> tuple[Any, Any]:
    """The first redelivery of a message is delivered once more, from another place."""
    first = history.find("deliveries", topic="%RETRY%gf", reconsume_times=1)[0]
    more = {"reconsume_times": 1, "origin_topic": first.get("origin_topic")}
    place = ("%RETRY%gf", "broker-b", 0)
    copy = history.deliver(first.at + 5, "gf", "cf@8", first.get("message"), place, 900, **more)
    return first, copy


@pytest.mark.parametrize("guarantee", ["con-retry-max", "con-dup-cause"])
def test_a_retry_copy_without_a_send_back_is_flagged(
    history: History, specs: Specs, tmp_path: Path, guarantee: str
) -> None:
    first, _ = retry_copy_again(history)
    verdict = judged(history, specs, tmp_path, guarantee)
    assert verdict.verdict == VIOLATED
    assert verdict.evidence[0]["message"] == first.get("message")


@pytest.mark.parametrize("guarantee", ["con-retry-max", "con-dup-cause"])
def test_each_send_back_may_make_a_copy(history: History, specs: Specs, tmp_path: Path, guarantee: str) -> None:
    first, _ = retry_copy_again(history)
    (original,) = history.find("deliveries", topic="F", message=first.get("message"))
    history.span("results", original.at + 50, None, delivery=original.op, consumer_group="gf", kind="send-back")
    assert judged(history, specs, tmp_path, guarantee).verdict == HELD


def test_a_local_retry_is_not_the_redelivery_of_the_broker(history: History, specs: Specs, tmp_path: Path) -> None:
    first = history.find("deliveries", topic="%RETRY%gf", reconsume_times=1)[0]
    (original,) = history.find("deliveries", topic="F", message=first.get("message"))
    place = ("F", "broker-b", 0)
    offset = original.get("queue_offset")
    history.deliver(original.at + 20, "gf", "cf@8", first.get("message"), place, offset, reconsume_times=1)
    assert judged(history, specs, tmp_path, "con-dup-cause").verdict == HELD


def test_a_kill_whose_healing_was_stamped_late_excuses_no_lost_route(
    history: History, specs: Specs, tmp_path: Path
) -> None:
    (fault,) = history.find("faults", kind="kill", node="nameserver-2")
    fault.set(healed=17_400)
    for route in history.find("routes", lambda row: row.at == 21_300, nameserver="nameserver-2", broker="broker-a"):
        history.rows["routes"].remove(route)
    verdict = judged(history, specs, tmp_path, "ns-restart-heal")
    assert verdict.verdict == VIOLATED, verdict.reason


def test_a_message_not_delivered_for_want_of_time_is_undecided_and_names_the_stall(
    history: History, specs: Specs, tmp_path: Path
) -> None:
    (attempt,) = history.find("attempts", topic="T", broker="broker-b", queue=0, queue_offset=7)
    message = attempt.get("message")
    history.remove("deliveries", message=message, consumer_group="g1")
    history.remove("offsets", lambda row: (row.get("value") or 0) > 7, kind="commit", consumer_group="g1")
    stall(history, 27_500, 35_500)
    verdict = judged(history, specs, tmp_path, "con-alo")
    assert verdict.verdict == INCONCLUSIVE
    assert verdict.reason.startswith("1 messages not delivered yet")
    assert verdict.reason.endswith("stall: kit 8000 ms")


def test_too_little_names_the_longest_stall(history: History, specs: Specs, tmp_path: Path) -> None:
    history.remove("replies")
    stall(history, 100, 900)
    stall(history, 1_000, 1_100)
    verdict = judged(history, specs, tmp_path, "prt-opaque")
    assert verdict.reason == (
        "too little happened: 0 of the 20 pieces of evidence it needs; longest stall: kit 800 ms, all together 900 ms"
    )


def test_two_copies_in_one_broker_stand_in_one_place_each(history: History, tmp_path: Path) -> None:
    (attempt,) = history.find("attempts", topic="T", broker="broker-b", queue=0, queue_offset=7)
    history.record(attempt.get("message"), ("T", "broker-b", 1), 2, 1)
    history.write(tmp_path)
    connection = load(tmp_path)
    query = "SELECT DISTINCT queue, queue_offset FROM expected WHERE message = ?"
    assert connection.execute(query, [attempt.get("message")]).fetchall() == [(0, 7)]
    connection.close()


@pytest.mark.parametrize(("others", "verdict"), [(3, VIOLATED), (2, INCONCLUSIVE)])
def test_a_code_that_is_never_answered_while_others_are_is_silence(
    history: History, specs: Specs, tmp_path: Path, others: int, verdict: str
) -> None:
    history.remove("replies")
    silent = {"outcome": "none", "answers": 0}
    for at in range(20_000, 22_000, 500):
        history.span(
            "replies", at, at + 400, silent, probe="unknown-code", node="broker-b", request_code=9_999, encoding="json"
        )
        for number in range(others):
            answer = {"answers": 1, "code": 0}
            history.span(
                "replies", at + number, at + 300, answer, probe="max", node="broker-b", request_code=30, encoding="json"
            )
    assert judged(history, specs, tmp_path, "prt-unknown-code").verdict == verdict
