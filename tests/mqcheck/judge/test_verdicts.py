"""Verdicts are merged worst first and survive their way through JSON."""

from __future__ import annotations

import json

import pytest

from mqcheck.judge.verdicts import WORST_FIRST, Verdict, worst

VERDICT = Verdict(
    "g", "s", True, "violated", 3, 2, 1, ({"op": 1, "life": []},), "why", 0.1, "again", "broker", "MUST", "T"
)


def test_the_worst_wins() -> None:
    for index, verdict in enumerate(WORST_FIRST):
        assert worst(WORST_FIRST[index:]) == verdict
    assert worst([]) == "not exercised"
    with pytest.raises(ValueError, match="unknown verdicts"):
        worst(["fine"])


def test_a_verdict_survives_json() -> None:
    assert Verdict.from_dict(json.loads(json.dumps(VERDICT.as_dict()))) == VERDICT
    with pytest.raises(ValueError, match="unknown keys"):
        Verdict.from_dict({**VERDICT.as_dict(), "more": 1})
