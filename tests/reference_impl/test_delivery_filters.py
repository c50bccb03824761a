"""Tag expressions."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_impl.delivery.filters import TAGS_MAX, filter_of, parse_expression
from reference_impl.errors import ExpressionError
from reference_impl.message import java_hash


@pytest.mark.parametrize("expression", ["*", "", None, "  * "])
def test_everything(expression: str | None) -> None:
    assert filter_of(parse_expression("T", expression)) is None


def test_tags_are_compared_by_hash_so_collisions_pass() -> None:
    found = filter_of(parse_expression("T", "Aa || C"))
    assert found is not None
    assert [found.by_code(java_hash(tag)) for tag in ("Aa", "BB", "C", "D")] == [True, True, True, False]
    assert not found.accepts(0, {})
    assert found.accepts(java_hash("C"), {})


@given(st.lists(st.text("abcXYZ09", min_size=1), min_size=1, max_size=20))
def test_each_named_tag_passes(tags: list[str]) -> None:
    found = parse_expression("T", " || ".join(tags), version=4)
    assert found.codes == {java_hash(tag) for tag in tags}
    assert found.to_json()["codeSet"] == sorted(found.codes)
    assert found.to_json()["subVersion"] == 4


def test_what_cannot_be_read() -> None:
    with pytest.raises(ValueError, match="names no tag"):
        parse_expression("T", "||")
    with pytest.raises(ValueError, match="more than"):
        parse_expression("T", "||".join(f"t{number}" for number in range(TAGS_MAX + 1)))


def test_other_kinds_are_kept_as_they_are() -> None:
    found = parse_expression("T", "a > 1 || b", kind="SQL92")
    assert found.kind == "SQL92"
    assert not found.codes


def test_sql92_asks_the_properties() -> None:
    found = filter_of(parse_expression("T", "a > 1", kind="SQL92"))
    assert found is not None
    assert [found.accepts(5, {"a": value}) for value in ("1", "2")] == [False, True]
    with pytest.raises(ExpressionError):
        filter_of(parse_expression("T", "a >", kind="SQL92"))
