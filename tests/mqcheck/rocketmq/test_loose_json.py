"""mqcheck.rocketmq.loose_json: fastjson's dialect."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mqcheck.rocketmq.loose_json import DEPTH_MAX, parse_loose

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


@given(JSON)
def test_strict_json_reads_the_same(value: object) -> None:
    assert parse_loose(json.dumps(value, indent=1)) == value


def test_keys_that_are_no_strings() -> None:
    assert parse_loose('{0:"a", "b":{1:2}}') == {"0": "a", "b": {"1": 2}}
    read = parse_loose('{"offsetTable":{{"brokerName":"b","queueId":0,"topic":"t"}:3}}')
    assert read == {"offsetTable": {'{"brokerName":"b","queueId":0,"topic":"t"}': 3}}


def test_numbers_and_words() -> None:
    assert parse_loose("[1.5,-2,true,false,null]") == [1.5, -2, True, False, None]


@pytest.mark.parametrize(
    "text", ["", "{", "[1", "{1}", '{"a":}', "[1,]", "[1]x", '"open', "nonsense", "{1:2,}", "[1 2]"]
)
def test_damage(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse_loose(text)


def test_depth_is_limited() -> None:
    with pytest.raises(ValueError, match=str(DEPTH_MAX)):
        parse_loose("[" * (DEPTH_MAX + 2))


@given(st.text(max_size=30))
def test_any_text_is_a_value_or_refused(text: str) -> None:
    try:
        parse_loose(text)
    except ValueError:
        return
