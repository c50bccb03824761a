"""mqcheck.rocketmq.sendheader: fields as the official client writes them; who made a record."""

from __future__ import annotations

import json
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mqcheck.rocketmq.message import decode_properties
from mqcheck.rocketmq.models import MessageQueue, Outgoing
from mqcheck.rocketmq.sendheader import packed, parse_mqc, send_fields, wire_properties, with_attempt

GOLDEN = Path(__file__).parents[2] / "golden" / "frames.jsonl"
FRAMES = {line["id"]: line for line in map(json.loads, GOLDEN.read_text(encoding="utf-8").splitlines())}
RUNS = st.text(st.characters(exclude_characters="\x01\x02", exclude_categories=["Cs"]), min_size=1, max_size=12)


def test_fields_are_the_official_ones() -> None:
    recorded = FRAMES["4.9.7-send_message_v2-req-bin"]["expect"]["extFields"]
    ours = send_fields(
        recorded["a"],
        MessageQueue(recorded["b"], recorded["n"], int(recorded["e"])),
        recorded["i"].encode(),
        born_time_ms=int(recorded["g"]),
        flag=int(recorded["h"]),
    )
    assert ours == recorded


def test_a_retry_says_how_often() -> None:
    fields = send_fields("G", MessageQueue("T", "b", 0), b"", born_time_ms=1, reconsume_times=3, max_reconsume=5)
    assert (fields["j"], fields["l"]) == ("3", "5")


@given(RUNS, st.integers(0, 2**53), st.integers(0, 99))
def test_a_stored_copy_names_its_cause(run: str, message: int, attempt: int) -> None:
    properties = decode_properties(with_attempt({"a": "b"}, run, message, attempt))
    assert parse_mqc(properties["MQC"], run) == (message, attempt)
    assert parse_mqc(properties["MQC"], run + "x") == (None, None)


@pytest.mark.parametrize("text", [None, "", "run", "run.1", "run.1.x", "run.x.1", "other.1.2", "run.-1.0"])
def test_anything_else_is_a_phantom(text: str | None) -> None:
    assert parse_mqc(text, "run") == (None, None)


def test_reserved_names_win_over_user_properties() -> None:
    message = Outgoing("T", b"", tag="A", properties={"TAGS": "forged", "UNIQ_KEY": "forged", "own": "1"})
    assert wire_properties(message, "KEY") == {"TAGS": "A", "UNIQ_KEY": "KEY", "own": "1", "WAIT": "true"}


def test_a_half_message_names_the_group_that_decides() -> None:
    properties = wire_properties(Outgoing("T", b"", half_of="PG"), "KEY")
    assert properties == {"UNIQ_KEY": "KEY", "WAIT": "true", "TRAN_MSG": "true", "PGROUP": "PG"}


def test_bodies_are_packed_from_a_size_on() -> None:
    assert packed(b"abc", None) == (b"abc", 0)
    assert packed(b"abc", 4) == (b"abc", 0)
    body, flag = packed(b"abcd", 4)
    assert (zlib.decompress(body), flag) == (b"abcd", 0x301)
