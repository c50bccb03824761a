"""Tag expressions."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_impl.delivery.filters import (
    KEPT_MS,
    TAGS_MAX,
    FilterTable,
    Subscription,
    compiled_of,
    filter_of,
    parse_expression,
)
from reference_impl.errors import ExpressionError
from reference_impl.message import java_hash


@pytest.mark.parametrize("expression", ["*", "", None])
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
    subscription = parse_expression("T", "a > 1", kind="SQL92")
    found = filter_of(subscription, compiled_of("SQL92", "a > 1"))
    assert found is not None
    assert [found.accepts(5, {"a": value}) for value in ("1", "2")] == [False, True]
    assert filter_of(subscription) is None, "an expression that cannot be read filters nothing"
    for kind, text in (("SQL92", "a >"), ("XXX", "a > 1"), (None, "a")):
        with pytest.raises(ExpressionError):
            compiled_of(kind, text)


@pytest.mark.parametrize(
    ("expression", "wanted"),
    [
        (" * ", "*"),
        ("*||C", "*C"),
        ("|| ||", ""),
        (" ", ""),
        ("C||", "C"),
        ("|", "|"),
        ("Aa|||C", "Aa"),
        ("\u00a0C", ""),
        ("\tC\n", "C"),
    ],
)
def test_odd_expressions_as_rocketmq_reads_them(expression: str, wanted: str) -> None:
    """As Apache RocketMQ 4.9.7 delivers; see tests/interop/test_same_filters.py."""
    found = filter_of(parse_expression("T", expression))
    assert found is not None
    assert "".join(tag for tag in ("Aa", "*", "C", "|") if found.by_code(java_hash(tag))) == wanted


def test_an_empty_kind_chooses_by_tags_and_has_none() -> None:
    empty = parse_expression("T", "C", kind="")
    found = filter_of(empty)
    assert empty.by_tags
    assert found is not None
    assert not found.by_code(java_hash("C"))
    assert filter_of(parse_expression("T", "*", kind="")) is None
    for kind in ("", "SQL92", "XXX"):
        with pytest.raises(ValueError, match="needs an expression"):
            parse_expression("T", "", kind=kind)


def test_filters_in_java_are_no_filters() -> None:
    assert filter_of(Subscription("T", "C", frozenset({67}), whole=True)) is None


def seen(table: FilterTable, text: str, version: int, now_ms: int = 0, kind: str = "SQL92") -> str | None:
    table.register("G", [Subscription("T", text, version=version, kind=kind)], now_ms)
    data = table.get("G", "T")
    return None if data is None else f"{data.compiled.text} v{data.version}"


def test_a_younger_expression_replaces_an_older_one() -> None:
    table = FilterTable()
    assert seen(table, "a >", 1) is None
    assert seen(table, "a = 1", 5) == "a = 1 v5"
    assert seen(table, "a = 2", 5) == "a = 1 v5"
    assert seen(table, "a >", 4) == "a = 1 v5"
    assert seen(table, "", 6) == "a = 1 v5"
    assert seen(table, "C", 6, kind="TAG") == "a = 1 v5"
    assert seen(table, "a = 2", 6) == "a = 2 v6"
    assert seen(table, "a >", 7) is None, "what cannot be read removes what was there"
    assert seen(table, "a = 3", 1) == "a = 3 v1"
    assert seen(table, "a = 3", 8, kind="XXX") is None


def test_an_expression_is_kept_for_a_day_after_its_group() -> None:
    table = FilterTable()
    seen(table, "a = 1", 1)
    table.sweep(KEPT_MS, lambda group, topic: (group, topic) == ("G", "T"))
    table.sweep(2 * KEPT_MS - 1, lambda group, topic: False)
    assert table.get("G", "T") is not None
    table.sweep(2 * KEPT_MS, lambda group, topic: False)
    assert table.get("G", "T") is None
    assert not table.by_group
