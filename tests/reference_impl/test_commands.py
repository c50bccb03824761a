"""The catalogue against what was recorded."""

from __future__ import annotations

from typing import Any

from reference_impl import commands
from reference_impl.commands import RequestCode, ResponseCode


def test_codes_are_named_as_recorded(golden_frames: list[dict[str, Any]]) -> None:
    known = {int(code): code.name for code in RequestCode}
    named = 0
    for line in golden_frames:
        if line["direction"] == "request" and line["code"] in known:
            assert known[line["code"]] == line["name"], line["id"]
            named += 1
    assert named > 100


def test_response_codes_are_the_recorded_ones(golden_frames: list[dict[str, Any]]) -> None:
    old = {line["code"] for line in golden_frames if line["direction"] == "response" and "4.9.7" in line["source"]}
    assert old <= {int(code) for code in ResponseCode}
    assert len(old) > 5


def test_send_names_go_both_ways() -> None:
    assert len(commands.SEND_V1_TO_V2) == len(commands.SEND_V2_TO_V1) == 14
    assert all(commands.SEND_V2_TO_V1[short] == long for long, short in commands.SEND_V1_TO_V2.items())


def test_nobody_may_send_to_internal_topics() -> None:
    assert commands.NOT_ALLOWED_SEND_TOPICS <= commands.SYSTEM_TOPICS
    assert commands.TBW102 not in commands.NOT_ALLOWED_SEND_TOPICS


def test_the_remark_of_code_3_begins_with_a_space() -> None:
    assert commands.unsupported_remark(-5) == " request type -5 not supported"
