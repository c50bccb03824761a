"""Header fields as typed values: what Java takes, what it refuses, and in which words."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from reference_impl.errors import HeaderError
from reference_impl.headers import flag, int32, int32_or, int64, int64_or, text

MOST_32, MOST_64 = (1 << 31) - 1, (1 << 63) - 1


@pytest.mark.parametrize(
    ("value", "number"),
    [("0", 0), ("+1", 1), ("-1", -1), ("007", 7), ("-0", 0), ("\u0663", 3), (str(MOST_32), MOST_32),
     (str(-MOST_32 - 1), -MOST_32 - 1), ("0" * 30 + "5", 5)],
)  # fmt: skip
@pytest.mark.parametrize("read", [int32, int64, lambda fields, name: int32_or(fields, name, 9)])
def test_numbers_that_java_reads(read: Callable[[dict[str, str], str], int], value: str, number: int) -> None:
    assert read({"n": value}, "n") == number


@pytest.mark.parametrize(
    "value", ["", " ", "abc", " 1", "1 ", "1_0", "1.0", "1e3", "0x1", "true", "null", "+", "-", "--1", "+-1", "1\n",
              "\u00b2", "9" * 20, "9" * 5000, "-" + "9" * 20],
)  # fmt: skip
def test_numbers_that_java_refuses(value: str) -> None:
    for read in (int32, int64):
        with pytest.raises(HeaderError, match=r"the custom field <n> is '.*not a number: give a whole one") as caught:
            read({"n": value}, "n", 3)
        assert len(str(caught.value)) < 200
    assert (int32_or({"n": value}, "n", 3), int64_or({"n": value}, "n", 4)) == (3, 4)


@pytest.mark.parametrize(
    ("read", "bits", "most"), [(int32, 32, MOST_32), (int64, 64, MOST_64)], ids=["32 bits", "64 bits"]
)
def test_ranges(read: Callable[[dict[str, str], str], int], bits: int, most: int) -> None:
    assert [read({"n": str(number)}, "n") for number in (most, -most - 1)] == [most, -most - 1]
    for beyond in (most + 1, -most - 2):
        with pytest.raises(HeaderError, match=rf"<n> is '{beyond}', not a number: give a whole one of {bits} bits"):
            read({"n": str(beyond)}, "n")


def test_missing_fields() -> None:
    for read in (text, int32, int64):
        with pytest.raises(HeaderError, match=r"^the custom field <n> is null$"):
            read({}, "n")
    assert (int32({}, "n", 5), int64({}, "n", 6), int32_or({}, "n", 7), int64_or({}, "n", 8)) == (5, 6, 7, 8)
    assert text({"n": ""}, "n") == ""


@pytest.mark.parametrize(
    ("value", "found"), [("true", True), ("TRUE", True), ("1", False), ("yes", False), ("", False)]
)
def test_only_the_word_true_is_true(value: str, found: bool) -> None:
    assert flag({"f": value}, "f") is found
    assert flag({}, "f") is False
