"""The kit's evaluator of SQL92 against RocketMQ's own answers: where it decides, it decides the same."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mqcheck.history.sql92 import evaluate

RECORDED: dict[str, Any] = json.loads((Path(__file__).parents[2] / "golden" / "sql92.json").read_text(encoding="utf-8"))
DECIDED_MIN = 3_000


def test_what_is_decided_is_what_rocketmq_answers() -> None:
    wrong, decided = [], 0
    for expression, answers in RECORDED["expressions"].items():
        for number, properties in enumerate(RECORDED["properties"]):
            found = evaluate(expression, properties)
            if found is None:
                continue
            decided += 1
            if answers is None or found is not (answers[number] == "T"):
                wrong.append((expression, properties, found, answers and answers[number]))
    assert not wrong, wrong[:10]
    assert decided >= DECIDED_MIN


@pytest.mark.parametrize(
    ("expression", "properties", "selected"),
    [
        ("price > 50 AND colour <> 'grey'", {"price": "51", "colour": "red"}, True),
        ("price > 50 AND colour <> 'grey'", {"price": "51"}, False),
        ("price > 50 OR TAGS IN ('a', 'b')", {"price": "1", "TAGS": "b"}, True),
        ("price > 50 OR TAGS IN ('a', 'b')", {"TAGS": "c"}, False),
        ("price NOT BETWEEN 3 AND 5", {"price": "4"}, False),
        ("NOT (colour IS NULL)", {}, False),
        ("colour is null", {}, True),
        ("weight >= 1.5", {"weight": "1.50"}, True),
        ("text = 'it''s'", {"text": "it's"}, True),
        ("price > 50", {"price": "many"}, None),
        ("price > 'a'", {"price": "4"}, None),
        ("price LIKE 'a%'", {"price": "4"}, None),
        ("price > 5 extra", {"price": "6"}, None),
        ("", {}, None),
    ],
)
def test_a_filter(expression: str, properties: dict[str, str], selected: bool | None) -> None:
    assert evaluate(expression, properties) is selected
