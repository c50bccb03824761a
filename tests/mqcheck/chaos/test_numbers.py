"""Numbers out of made-up histories whose numbers are known."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from histories import Builder

from mqcheck.chaos.numbers import DEFINITIONS, numbers_of, schema

LOAD_MS = 10_000
PERIOD_MS = 50
LATENCY_MS = 4.0


class Story(Builder):
    """A send each 50 ms for ten seconds, delivered 2 ms after its acknowledgement, with what is told of it."""

    def __init__(
        self,
        failing: Callable[[float], bool] = lambda at: False,
        silent: Callable[[float], bool] = lambda at: False,
        slow: Callable[[float], float] = lambda at: LATENCY_MS,
    ) -> None:
        super().__init__()
        self.acked: list[tuple[int, float]] = []
        self.point("subscriptions", 0, consumer_group="g", topic="t", mode="clustering")
        for number in range(LOAD_MS // PERIOD_MS):
            at = 100.0 + number * PERIOD_MS
            if not silent(at):
                self.message(number, at, at + slow(at), ok=not failing(at))

    def message(self, number: int, at: float, until: float, *, ok: bool) -> None:
        outcome = {
            "outcome": "ok" if ok else "unknown",
            "code": 0 if ok else None,
            "queue_offset": number if ok else None,
        }
        place = {"broker": "broker-a", "queue": 0}
        send = self.span("sends", at, until, {**outcome, **place}, message=number, topic="t", mode="sync", producer="p")
        self.span(
            "attempts",
            at,
            until,
            outcome,
            parent=send.op,
            message=number,
            attempt=0,
            topic="t",
            node="broker-a",
            **place,
        )
        if ok:
            self.acked.append((number, until))
            self.deliver(number, until + 2)

    def deliver(self, number: int, at: float) -> None:
        place = {"broker": "broker-a", "node": "broker-a", "queue": 0, "queue_offset": number}
        given = self.point(
            "deliveries", at, consumer_group="g", member="c", message=number, topic="t", received=at, **place
        )
        self.span(
            "results",
            at + 1,
            at + 1,
            delivery=given.op,
            consumer_group="g",
            member="c",
            kind="listener",
            result="success",
        )

    def fault(self, kind: str, began: float, healed: float, node: str = "broker-a") -> None:
        self.entry(
            "faults", kind=kind, node=node, began=began, active=began, healing=healed, healed=healed, confirmed=True
        )

    def read_back(self, *lost: int) -> None:
        place = {"node": "broker-a", "broker": "broker-a", "topic": "t", "queue": 0}
        columns = {"reading": "final", **place}
        end = {"min_offset": 0, "max_offset": 200, "complete": True}
        self.span("readings", 20_000, 20_010, end, broker_id=0, master=True, **columns)
        for number, _ in self.acked:
            if number not in lost:
                self.point("final_log", 20_005, message=number, queue_offset=number, **columns)


def numbers(story: Story, tmp_path: Path) -> dict[str, Any]:
    found = numbers_of(story.write(tmp_path / "history"))
    jsonschema.validate(found, schema())
    return found


def test_a_fault_that_nobody_noticed_disturbed_nothing(tmp_path: Path) -> None:
    story = Story()
    story.fault("kill", 4_000, 5_000, node="nameserver-1")
    found = numbers(story, tmp_path)
    (episode,) = found["episodes"]
    assert (episode["faults"], episode["on"]) == (["kill"], ["nameserver-1"])
    assert (episode["began_ms"], episode["healed_ms"]) == (3_900, 4_900)
    for kind in ("send", "deliver"):
        assert episode["rto"][kind] == {"disturbed": False, "after_begin_ms": 0, "after_heal_ms": 0}
        assert found["availability"][kind]["share"] == 1
        assert found["availability"][kind]["down_ms"] == 0
    assert found["stalled_ms"] == 0


def test_rto_is_from_begin_and_heal_to_the_first_success_of_steady_ones(tmp_path: Path) -> None:
    # Failures while it lasts; after the heal one success, then failures again: only what follows them is steady.
    story = Story(failing=lambda at: 4_000 <= at < 5_200 or 5_300 <= at < 5_600)
    story.fault("kill", 4_000, 5_000)
    (episode,) = numbers(story, tmp_path)["episodes"]
    send = episode["rto"]["send"]
    assert send["disturbed"]
    assert send["after_begin_ms"] == pytest.approx(1_604, abs=PERIOD_MS)
    assert send["after_heal_ms"] == pytest.approx(604, abs=PERIOD_MS)


def test_rto_is_of_the_last_disturbance_not_of_an_early_one_with_a_rest_after_it(tmp_path: Path) -> None:
    story = Story(failing=lambda at: 4_000 <= at < 4_100 or 6_000 <= at < 6_900)
    story.fault("latency", 4_000, 6_000)
    send = numbers(story, tmp_path)["episodes"][0]["rto"]["send"]
    assert send["after_begin_ms"] == pytest.approx(2_904, abs=PERIOD_MS)
    assert send["after_heal_ms"] == pytest.approx(904, abs=PERIOD_MS)


def test_what_flickers_for_long_after_the_heal_comes_back_in_the_end(tmp_path: Path) -> None:
    story = Story(failing=lambda at: 4_000 <= at < 5_000 or (5_000 <= at < 7_000 and at % 500 == 0))
    story.fault("kill", 4_000, 5_000)
    send = numbers(story, tmp_path)["episodes"][0]["rto"]["send"]
    assert send["after_heal_ms"] == pytest.approx(1_554, abs=PERIOD_MS)  # the last failure is at 6500


def test_what_hardly_happened_before_the_fault_has_neither_rto_nor_downtime(tmp_path: Path) -> None:
    story = Story(silent=lambda at: 300 <= at < 6_000)
    story.fault("kill", 300, 5_900)
    found = numbers(story, tmp_path)
    assert found["episodes"][0]["rto"] == {}
    assert found["availability"]["send"]["down_ms"] is None


def test_a_fault_that_outlives_the_load_is_an_episode_without_a_length(tmp_path: Path) -> None:
    story = Story()
    story.entry("faults", kind="kill", node="broker-a", began=12_000, active=12_000, confirmed=True)
    (episode,) = numbers(story, tmp_path)["episodes"]
    assert (episode["began_ms"], episode["healed_ms"]) == (11_900, 11_900)


def test_a_pause_of_successes_is_an_interruption_too(tmp_path: Path) -> None:
    story = Story(silent=lambda at: 4_000 <= at < 6_000)
    story.fault("pause", 4_000, 5_900)
    found = numbers(story, tmp_path)
    (episode,) = found["episodes"]
    assert episode["rto"]["deliver"]["after_begin_ms"] == pytest.approx(2_006, abs=PERIOD_MS)
    assert episode["rto"]["send"]["after_heal_ms"] == pytest.approx(104, abs=PERIOD_MS)
    assert found["availability"]["send"]["down_ms"] == pytest.approx(2_050, abs=PERIOD_MS)
    assert found["availability"]["send"]["share"] == 1


def test_what_the_kit_stood_still_of_a_pause_is_none(tmp_path: Path) -> None:
    story = Story(silent=lambda at: 4_000 <= at < 6_000)
    story.fault("pause", 4_000, 5_900)
    story.entry("stalls", began=4_050, ended=5_950)
    found = numbers(story, tmp_path)
    assert not found["episodes"][0]["rto"]["send"]["disturbed"]
    assert found["stalled_ms"] == 1_900


def test_what_does_not_come_back_has_no_rto(tmp_path: Path) -> None:
    story = Story(failing=lambda at: at >= 4_000)
    story.fault("kill", 4_000, 5_000)
    (episode,) = numbers(story, tmp_path)["episodes"]
    assert episode["rto"]["send"] == {"disturbed": True, "after_begin_ms": None, "after_heal_ms": None}


def test_faults_that_overlap_are_one_episode_and_others_are_not(tmp_path: Path) -> None:
    story = Story()
    story.fault("kill", 2_000, 3_000)
    story.fault("pause", 2_500, 3_500, node="broker-b")
    story.fault("kill", 2_600, 2_700, node="nameserver-1")
    story.fault("disk-full", 6_000, 7_000)
    first, second = numbers(story, tmp_path)["episodes"]
    assert (first["faults"], first["on"]) == (["kill", "pause"], ["broker-a", "broker-b", "nameserver-1"])
    assert (first["began_ms"], first["healed_ms"], second["began_ms"]) == (1_900, 3_400, 5_900)


def test_latency_is_told_before_during_and_after(tmp_path: Path) -> None:
    story = Story(slow=lambda at: 300.0 if 4_000 <= at < 6_000 else LATENCY_MS)
    story.fault("latency", 4_000, 6_000)
    (episode,) = numbers(story, tmp_path)["episodes"]
    medians = {stage: episode["latency_ms"][stage]["send"]["p50"] for stage in ("before", "during", "after")}
    assert medians == {"before": 4, "during": 300, "after": 4}
    assert episode["latency_ms"]["during"]["deliver"]["max"] == 302
    assert episode["availability"]["during"]["send"] == {"operations": 40, "ended_well": 40, "share": 1}


def test_rpo_is_what_was_acknowledged_and_is_in_no_final_reading(tmp_path: Path) -> None:
    story = Story()
    story.fault("power-cut", 4_000, 5_000)
    story.read_back(70, 75)  # sent at 3600 and 3850 ms
    rpo = numbers(story, tmp_path)["rpo"]
    assert rpo == {
        "acknowledged": 200,
        "lost_messages": 2,
        "lost_undelivered": 0,
        "unread": 0,
        "lost_by_broker": {"broker-a": 2},
        "ms": 396,
    }


def test_the_cut_that_took_a_message_counts_not_the_latency_that_began_long_before(tmp_path: Path) -> None:
    story = Story()
    story.fault("latency", 1_000, 9_000)
    story.fault("kill", 3_700, 3_900)
    story.fault("power-cut", 3_800, 3_850, node="broker-b")
    story.fault("power-cut", 4_000, 5_000)
    story.read_back(70)  # acknowledged at 3604 ms
    assert numbers(story, tmp_path)["rpo"]["ms"] == 396


def test_without_a_cut_the_next_fault_of_the_broker_counts(tmp_path: Path) -> None:
    story = Story()
    story.fault("kill", 3_650, 3_660, node="billing-1")
    story.fault("kill", 3_700, 3_900)
    story.read_back(70)
    assert numbers(story, tmp_path)["rpo"]["ms"] == 96


def test_what_nobody_read_back_is_not_lost_but_unread(tmp_path: Path) -> None:
    story = Story(failing=lambda at: at >= 4_000)
    rpo = numbers(story, tmp_path)["rpo"]
    assert (rpo["lost_messages"], rpo["unread"], rpo["ms"]) == (0, rpo["acknowledged"], None)


def test_redeliveries_and_duplicates_are_told_apart(tmp_path: Path) -> None:
    story = Story()
    story.deliver(3, 9_000)  # done long before
    story.read_back()
    story.point(
        "final_log",
        20_006,
        message=3,
        queue_offset=900,
        reading="final",
        node="broker-a",
        broker="broker-a",
        topic="t",
        queue=0,
    )
    whole = numbers(story, tmp_path)
    assert whole["latency_ms"]["deliver"]["max"] == LATENCY_MS + 2
    found = whole["redelivery"]
    assert found["groups"]["g"]["deliveries"] == 201
    assert found["groups"]["g"]["redeliveries"] == 1
    assert found["groups"]["g"]["duplicates"] == 1
    assert found["stored_more_than_once"] == 1


def test_the_backlog_is_what_was_acknowledged_and_is_not_done(tmp_path: Path) -> None:
    story = Story()
    for table in ("deliveries", "results"):
        story.rows[table] = [row for row in story.rows[table] if not 3_000 <= row.at < 6_000]
    curve = dict(map(tuple, numbers(story, tmp_path)["backlog"]["g"]))
    assert curve[0] == 0
    assert max(curve.values()) == pytest.approx(60, abs=1)
    assert curve[max(curve)] == pytest.approx(60, abs=1)
    assert curve[min(curve, key=lambda at: abs(at - 4_400))] == pytest.approx(30, abs=3)


def test_a_history_without_sends_has_no_numbers(tmp_path: Path) -> None:
    story = Story(silent=lambda at: True)
    story.fault("kill", 4_000, 5_000)
    found = numbers(story, tmp_path)
    assert (found["observed_ms"], found["rpo"], found["episodes"]) == (0, None, [])


def test_the_schema_bites(tmp_path: Path) -> None:
    jsonschema.Draft202012Validator.check_schema(schema())
    story = Story(failing=lambda at: 4_000 <= at < 5_000)
    story.fault("kill", 4_000, 5_000)
    found = numbers(story, tmp_path)
    for change in (
        lambda data: data.pop("rpo"),
        lambda data: data.update(extra=1),
        lambda data: data["episodes"][0]["rto"]["send"].pop("disturbed"),
        lambda data: data["episodes"][0]["latency_ms"]["before"].update(think={}),
        lambda data: data["availability"]["send"].update(share=2),
        lambda data: data["backlog"]["g"].append([1]),
        lambda data: data.update(format=2),
    ):
        wrong = copy.deepcopy(found)
        change(wrong)
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(wrong, schema())


def test_every_definition_is_in_the_documentation(pytestconfig: pytest.Config) -> None:
    page = (pytestconfig.rootpath / "docs" / "chaos.md").read_text(encoding="utf-8")
    flat = re.sub(r"\s+", " ", page)
    assert [word for word, meaning in DEFINITIONS.items() if meaning not in flat] == []
