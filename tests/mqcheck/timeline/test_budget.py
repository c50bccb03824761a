"""A timeline is cut to a size: what nobody pointed at first, and it says what went."""

from __future__ import annotations

from itertools import accumulate
from typing import Any

from mqcheck.timeline.budget import encoded, fitted


def timeline() -> dict[str, Any]:
    events = [[float(at), None, at % 5, 5 + at % 3, -1, -1, -1] for at in range(20)]
    picture = {
        "at": [1] * 400,
        "offset": [1] * 400,
        "who": [0] * 400,
        "mark": [[7, 2], [300, 1]],
    }
    return {
        "length_ms": 500.0,
        "words": [f"word-{number}" for number in range(8)],
        "evidence": [1, 2],
        "messages": {
            str(message): {"head": {}, "events": [list(event) for event in events]} for message in range(1, 60)
        },
        "connections": [["c", "s", 0.0, float(number), "us"] for number in range(100)],
        "steps": [[float(number), "m", "g", "assigned", "assigned"] for number in range(60)],
        "orders": [picture],
        "left_out": {"lives of messages": 5},
    }


def size(data: Any) -> int:
    return len(encoded(data).encode())


def test_what_fits_stays_as_it_is() -> None:
    whole = timeline()
    assert fitted(whole, size(whole)) == timeline()


def test_samples_go_first_and_evidence_stays() -> None:
    whole = timeline()
    slim = fitted(whole, size(whole) // 2)
    assert size(slim) <= size(whole) // 2
    assert {"1", "2"} < set(slim["messages"])
    assert slim["orders"] == whole["orders"]
    assert slim["left_out"]["lives of messages"] == 5 + 59 - len(slim["messages"])
    assert whole == timeline()


def test_points_are_thinned_without_moving_or_losing_marks() -> None:
    slim = fitted(timeline(), 7_000)
    picture = slim["orders"][0]
    offsets = list(accumulate(picture["offset"]))
    assert len(offsets) < 400
    assert [offsets[number] for number, _ in picture["mark"]] == [8, 301]
    assert slim["left_out"]["deliveries in order pictures"] == 400 - len(offsets)


def test_words_of_what_went_away_go_too_and_the_rest_still_says_the_same() -> None:
    whole = timeline()
    whole["words"] += ["only said by a sample"]
    whole["messages"]["50"]["events"][0][5] = 8
    before = [[whole["words"][number] for number in event[2:4]] for event in whole["messages"]["2"]["events"]]
    slim = fitted(whole, size(whole) // 4)
    assert "only said by a sample" not in slim["words"]
    assert [[slim["words"][number] for number in event[2:4]] for event in slim["messages"]["2"]["events"]] == before


def test_the_least_is_reached_and_not_gone_round_for_ever() -> None:
    slim = fitted(timeline(), 10)
    assert slim["messages"] == {}
    assert slim["left_out"]["order pictures"] == 0 or slim["orders"] == []
    assert len(slim["connections"]) <= 1


def test_the_longest_connections_stay() -> None:
    slim = fitted(timeline(), 3_000)
    assert slim["connections"]
    assert min(row[3] for row in slim["connections"]) > 50
