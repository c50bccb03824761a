"""Members of JSON bodies as typed values."""

from __future__ import annotations

from typing import Any

import pytest

from reference_impl.errors import JsonError
from reference_impl.shapes import (
    member_flag,
    member_list,
    member_object,
    member_objects,
    member_text,
    member_whole,
    object_of,
)


def test_what_is_read() -> None:
    shape: dict[str, Any] = {"t": "x", "n": 5, "s": "-6", "b": True, "y": "TRUE", "l": [1], "o": {"k": 1}, "z": None}
    assert [member_text(shape, name) for name in ("t", "n", "b")] == ["x", "5", "True"]
    assert [member_whole(shape, name) for name in ("n", "s")] == [5, -6]
    assert [member_flag(shape, name, False) for name in ("b", "y", "n", "t", "z")] == [True, True, True, False, False]
    assert (member_list(shape, "l"), member_object(shape, "o"), member_objects({"l": [{}]}, "l")) == (
        [1],
        {"k": 1},
        [{}],
    )
    for absent in ("z", "none"):
        assert (member_text(shape, absent, "d"), member_whole(shape, absent, 3)) == ("d", 3)
        assert (member_list(shape, absent), member_object(shape, absent), member_objects(shape, absent)) == ([], {}, [])
    assert member_whole({"n": ""}, "n", 3) == 3


@pytest.mark.parametrize("value", ["x", "1_0 ", 1.5, True, [], {}, 1 << 63, "9" * 5000])
def test_what_is_no_number(value: object) -> None:
    with pytest.raises(JsonError, match=r"n is .*, not a number: give a whole one of 64 bits") as caught:
        member_whole({"n": value}, "n", 3)
    assert len(str(caught.value)) < 200


def test_what_has_another_shape() -> None:
    for read in (member_text, member_whole):
        with pytest.raises(JsonError, match=r"^n is missing$"):
            read({}, "n")
    with pytest.raises(JsonError, match=r"n is a list, not a text"):
        member_text({"n": []}, "n")
    with pytest.raises(JsonError, match=r"n is 5, not a list"):
        member_list({"n": 5}, "n")
    with pytest.raises(JsonError, match=r"an entry of n is null, not an object"):
        member_objects({"n": [None]}, "n")
    with pytest.raises(JsonError, match=r"n is 'x', not an object"):
        member_object({"n": "x"}, "n")
    with pytest.raises(JsonError, match=r"it is a list, not an object"):
        object_of([], "it")
