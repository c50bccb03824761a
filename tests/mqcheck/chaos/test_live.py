"""Figures of a history that is being written: windows, what is under way, stalls, torn lines."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mqcheck.chaos.live import KEPT_NS, Follower, Seen

MS = 1_000_000


def line(table: str, at_ms: float, op: int, **columns: Any) -> bytes:
    return json.dumps({"e": table, "t": int(at_ms * MS), "op": op, **columns}, separators=(",", ":")).encode()


def send(op: int, began_ms: float, ended_ms: float | None, outcome: str = "ok") -> list[bytes]:
    begun = line("sends", began_ms, op, w="b", message=op, mode="sync")
    return [begun, *([] if ended_ms is None else [line("sends", ended_ms, op, w="e", outcome=outcome)])]


def seen(*lines: bytes) -> Seen:
    made = Seen()
    for each in lines:
        made.take(each)
    return made


def test_the_success_rate_is_of_what_ended_in_the_window() -> None:
    lines = [*send(1, 0, 10, "error"), *send(2, 900, 950), *send(3, 990, 1_400, "unknown"), *send(4, 1_500, 1_600)]
    found = seen(*lines)
    assert found.success_rate("send", 1_000, 1_700 * MS) == pytest.approx(2 / 3)
    assert found.success_rate("send", 2_000, 1_700 * MS) == pytest.approx(2 / 4)
    assert found.success_rate("send", 100, 5_000 * MS) == 0.0


def test_a_send_under_way_for_longer_than_the_window_is_none_that_ended_well() -> None:
    found = seen(*send(1, 1_000, 1_900), *send(2, 500, None))
    assert found.success_rate("send", 1_000, 1_400 * MS) == 1.0
    assert found.success_rate("send", 1_000, 2_000 * MS) == 0.5
    assert found.latency_ms("send", 99, 1_000, 2_000 * MS) == 1_500


def test_latency_is_a_percentile_and_at_least_the_window_where_nothing_ended() -> None:
    found = seen(*(each for op in range(100) for each in send(op, 1_000, 1_000 + op)))
    assert found.latency_ms("send", 50, 1_000, 1_100 * MS) == 50
    assert found.latency_ms("send", 99, 1_000, 1_100 * MS) == 99
    assert found.latency_ms("send", 50, 700, 9_000 * MS) == 700
    assert found.per_second("send", 200, 1_100 * MS) == 500


def test_a_delivery_lasts_from_its_send_and_a_failed_listener_is_a_failure() -> None:
    found = seen(
        *send(7, 1_000, 1_010),
        line("deliveries", 1_051, 8, message=7, received=1_050 * MS),
        line("results", 1_060, 9, w="b", kind="listener", result="later"),
        line("results", 1_060, 9, w="e", outcome="ok"),
    )
    assert found.latency_ms("deliver", 99, 500, 1_100 * MS) == 50
    assert found.success_rate("deliver", 500, 1_100 * MS) == 0.5


def test_what_is_delivered_again_is_no_slow_delivery_but_another_groups_is_its_own() -> None:
    first = line("deliveries", 1_050, 8, message=7, consumer_group="a", received=1_050 * MS)
    again = line("deliveries", 1_900, 9, message=7, consumer_group="a", received=1_900 * MS)
    other = line("deliveries", 1_030, 10, message=7, consumer_group="b", received=1_030 * MS)
    found = seen(*send(7, 1_000, 1_010), first, again, other)
    assert found.per_second("deliver", 1_000, 1_950 * MS) == 2
    assert found.latency_ms("deliver", 100, 1_000, 1_950 * MS) == 50


def test_time_in_which_the_kit_stood_still_does_not_count() -> None:
    lines = [*send(1, 900, 950), line("stalls", 2_001, 2, began=1_000 * MS, ended=2_000 * MS)]
    assert seen(*lines[:2]).success_rate("send", 500, 2_100 * MS) == 0.0
    found = seen(*lines)
    assert found.success_rate("send", 500, 2_100 * MS) == 1.0
    assert found.began(500, 2_100 * MS) == 600 * MS
    assert found.began(500, 1_700 * MS) == 200 * MS  # a window that begins inside of a stall


def test_what_is_long_over_is_forgotten() -> None:
    late = KEPT_NS // MS + 2_000
    found = seen(*send(1, 900, 950), *send(2, late, late))
    assert len(found.ended["send"].times) == 1


def test_files_are_read_as_they_grow_and_half_lines_wait(tmp_path: Path) -> None:
    follower = Follower(tmp_path)
    with follower.look() as found:
        assert found.per_second("send", 1_000, 1_000 * MS) == 0
    first, second = send(1, 900, 950)
    path = tmp_path / "kit.0.jsonl"
    path.write_bytes(first + b"\n" + second[:20])
    with follower.look() as found:
        assert found.per_second("send", 1_000, 1_000 * MS) == 0
        assert list(found.under_way) == [1]
    path.write_bytes(first + b"\n" + second + b"\n")
    (tmp_path / "producer-2.0.jsonl").write_bytes(b"\n".join(send(2, 900, 940)) + b"\n")
    with follower.look() as found:
        assert found.per_second("send", 1_000, 1_000 * MS) == 2
        assert not found.under_way
