"""The kit's evaluator of tag expressions."""

from __future__ import annotations

import pytest

from mqcheck.history.tags import selects


@pytest.mark.parametrize(
    ("expression", "tag", "selected"),
    [
        ("*", None, True),
        ("", "A", True),
        (None, "A", True),
        ("A || B", "B", True),
        ("A||B", "A", True),
        ("A || B", "C", False),
        ("A || B", None, False),
        ("A", "a", False),
        (" || A || ", "A", True),
        ("Aa", "BB", False),
    ],
)
def test_a_tag_expression(expression: str | None, tag: str | None, selected: bool) -> None:
    assert selects("TAG", expression, tag) is selected


def test_another_expression_type_is_not_decided() -> None:
    assert selects("OTHER", "a > 1", "A") is None


def test_a_filter_reads_properties_and_the_tag() -> None:
    assert selects("SQL92", "a > 1 AND TAGS = 'A'", "A", {"a": "2"}) is True
    assert selects("SQL92", "a > 1 AND TAGS = 'A'", None, {"a": "2"}) is False
    assert selects("SQL92", None, "A") is None
