"""Tolerant JSON: what fastjson writes and accepts is read, everything else is refused, and strict JSON stays itself."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_impl.errors import JsonError
from reference_impl.loose_json import LOOSE_DEPTH_MAX, _Reader, dumps, dumps_keyed, loads_loose

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=20,
)


@given(VALUES)
def test_strict_json_is_itself(value: Any) -> None:
    assert loads_loose(dumps(value)) == value


@given(VALUES)
def test_the_tolerant_reader_agrees_on_strict_json(value: Any) -> None:
    assert _Reader(json.dumps(value)).value(0) == value


@given(st.binary(max_size=60))
def test_garbage_is_read_or_refused(data: bytes) -> None:
    try:
        found = loads_loose(data)
    except JsonError:
        return
    assert found is None or isinstance(found, bool | int | float | str | list | dict)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{0:"a",1:"b"}', {"0": "a", "1": "b"}),
        ("{a:1,'b':'x\\'y',}", {"a": 1, "b": "x'y"}),
        ('{"t":{{"topic":"T","queueId":0}:{"x":1}}}', {"t": {'{"topic":"T","queueId":0}': {"x": 1}}}),
        ("[1,2.5,-3e2,true,null,]", [1, 2.5, -300.0, True, None]),
        (" {} \n", {}),
        ("{a:'\\u00e9\\n\\ud83d\\ude00'}", {"a": "é\n😀"}),
        ("{a:'\\ud83d'}", {"a": "\ufffd"}),
    ],
)
def test_what_fastjson_writes_is_read(text: str, value: Any) -> None:
    assert loads_loose(text.encode()) == value


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "{a",
        "{a:",
        "{a:1",
        "[1",
        "'abc",
        "{a:nonsense}",
        "{:1}",
        "{a 1}",
        "[1 2]",
        "{a:1} x",
        "{a:'\\u12'}",
        "{,}",
    ],
)
def test_what_is_no_json_is_refused(text: str) -> None:
    with pytest.raises(JsonError, match="at character"):
        loads_loose(text.encode())


def test_depth_has_a_limit() -> None:
    assert loads_loose(b"[" * LOOSE_DEPTH_MAX + b"1," + b"]," * (LOOSE_DEPTH_MAX - 1) + b"]")
    with pytest.raises(JsonError, match="levels"):
        loads_loose(b"[" * 100_000)


def test_every_recorded_json_body_is_read(golden_frames: list[dict[str, Any]]) -> None:
    seen = 0
    for line in golden_frames:
        if "bodyJson" in line["expect"]:
            data = bytes.fromhex(line["hex"])
            body = data[len(data) - line["expect"]["bodyLength"] :]
            assert isinstance(loads_loose(body), dict), line["id"]
            seen += 1
    assert seen > 30


@given(st.dictionaries(st.tuples(TEXT, st.integers(0, 9)), st.integers(0, 1 << 62), max_size=4))
def test_maps_with_objects_as_keys_are_written_and_read(table: dict[tuple[str, int], int]) -> None:
    keys = {dumps({"topic": topic, "queueId": queue}): offset for (topic, queue), offset in table.items()}
    text = dumps({"offsetTable": dumps_keyed((key, dumps(offset)) for key, offset in keys.items()), "x": 1})
    found = loads_loose(text)
    assert found["x"] == 1
    assert {json.dumps(json.loads(key)): value for key, value in found["offsetTable"].items()} == {
        json.dumps(json.loads(key)): value for key, value in keys.items()
    }
