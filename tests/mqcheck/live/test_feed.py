"""What is told of rows as they are written, and that counting them agrees with reading the history afterwards."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mqcheck.clock import RealClock
from mqcheck.history.recorder import Recorder
from mqcheck.judge.verdicts import Verdict
from mqcheck.live.feed import RATES_NS, WINDOW_NS, Feed, Tally, percentile
from mqcheck.live.follow import Follower
from mqcheck.report.outcomes import Outcome
from mqcheck.report.summary import read_stream

MS = 1_000_000


def tally() -> tuple[Tally, list[dict[str, Any]]]:
    told: list[dict[str, Any]] = []
    return Tally({"scenario": "steady", "attempt": 0}, told.append), told


def verdict(guarantee: str, word: str, *, aimed: bool) -> Verdict:
    return Verdict(
        guarantee=guarantee,
        scenario="steady",
        aimed=aimed,
        verdict=word,
        exercised=1,
        enough=1,
        evidence_total=int(word == "violated"),
        evidence=(),
        reason="",
        judge_seconds=0.0,
        replay="",
        subject="broker",
        level="MUST",
    )


def test_as_many_operations_are_counted_as_the_history_holds(tmp_path: Path) -> None:
    count, _ = tally()
    recorder = Recorder(tmp_path, run="r", process="kit", number=0, clock=RealClock(), on_row=count)
    for _ in range(3):
        recorder.end("sends", recorder.begin("sends", topic="t"), outcome="ok")
    recorder.begin("pulls", queue=0)
    recorder.begin("connections", conn=1)
    recorder.point("deliveries", queue=0)
    recorder.end("phases", recorder.begin("phases", name="load", began=1), ended=2)
    recorder.close()
    assert count.operations == read_stream(recorder.path)[0] == 4


def test_phases_and_faults_are_told_with_every_state_they_pass() -> None:
    count, told = tally()
    count({"e": "phases", "w": "b", "t": 1, "op": 1, "name": "fault"})
    count({"e": "faults", "w": "b", "t": 2, "op": 2, "kind": "kill", "node": "broker-a", "began": 2})
    count({"e": "faults", "w": "e", "t": 3, "op": 2, "active": 3})
    count({"e": "faults", "w": "e", "t": 4, "op": 2, "healing": 4})
    count({"e": "faults", "w": "e", "t": 5, "op": 2, "healed": 5, "confirmed": True})
    count({"e": "phases", "w": "e", "t": 6, "op": 1, "ended": 6})
    assert [(each["phase"], each["state"]) for each in told if each["event"] == "phase"] == [
        ("fault", "began"),
        ("fault", "ended"),
    ]
    faults = [each for each in told if each["event"] == "fault"]
    assert [each["state"] for each in faults] == ["injecting", "active", "healing", "healed"]
    assert {(each["fault"], each["kind"], each["on"]) for each in faults} == {(2, "kill", "broker-a")}
    assert faults[-1]["had_effect"] is True
    assert all(each["scenario"] == "steady" for each in told)


def test_rates_are_told_once_a_second_over_the_sends_of_the_last_seconds() -> None:
    count, told = tally()
    for number in range(100):
        t = RATES_NS + number * 50 * MS
        count({"e": "sends", "w": "b", "t": t, "op": number})
        count({"e": "sends", "w": "e", "t": t + (number + 1) * MS // 10, "op": number, "outcome": "ok"})
    rates = [each for each in told if each["event"] == "rates"]
    assert [each["operations_per_s"] for each in rates] == [20.0] * 4
    assert rates[-1]["operations"] == 81
    # Of the eighty calls of those four seconds, from 0.1 ms to 8.0 ms.
    assert (rates[-1]["send_p50_ms"], rates[-1]["send_p99_ms"]) == (4.0, 8.0)
    count({"e": "pulls", "w": "b", "t": 6 * RATES_NS + WINDOW_NS, "op": 999})
    assert (told[-1]["send_p50_ms"], told[-1]["send_p99_ms"]) == (None, None)


@pytest.mark.parametrize(("percent", "value"), [(50, 5.0), (99, 10.0), (100, 10.0), (1, 1.0)])
def test_a_percentile_is_a_value_that_was_seen(percent: int, value: float) -> None:
    assert percentile([float(each) for each in range(1, 11)], percent) == value


def test_a_feed_makes_its_file_when_there_is_something_to_tell(tmp_path: Path) -> None:
    feed = Feed(tmp_path, "gw0", now=lambda: 7)
    feed.close()
    assert not list(tmp_path.iterdir())
    row = feed.scenario("steady", tmp_path / "steady.rerun-2")
    row({"e": "phases", "w": "b", "t": 8, "op": 1, "name": "load"})
    verdicts = (
        verdict("a", "held", aimed=True),
        verdict("b", "violated", aimed=False),
        verdict("c", "held", aimed=False),
    )
    feed.judged(Outcome("steady", 2, tmp_path, 1.5, verdicts, None))
    feed.close()
    began, phase, judged = Follower(tmp_path).new()
    assert began == {"event": "scenario", "t": 7, "scenario": "steady", "attempt": 2}
    assert phase["phase"] == "load"
    assert [each["guarantee"] for each in judged["verdicts"]] == ["a", "b"]
