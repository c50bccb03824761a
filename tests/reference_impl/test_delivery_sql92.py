"""SQL92 filters give RocketMQ's answers, in its three-valued logic; nothing that is sent as one can do harm."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_impl.delivery.sql92 import DEPTH_MAX, EXPRESSION_CHARS_MAX, compile_expression
from reference_impl.errors import ExpressionError

RECORDED: dict[str, Any] = json.loads((Path(__file__).parents[1] / "golden" / "sql92.json").read_text())
LETTERS = {True: "T", False: "F", None: "-"}


def letter(expression: str, properties: dict[str, str]) -> str:
    """As in the recording: T true, F false, - NULL, X the evaluation fails."""
    try:
        value = compile_expression(expression).evaluate(properties)
    except (ValueError, TypeError):
        return "X"
    assert value is None or isinstance(value, bool)
    return LETTERS[value]


@pytest.mark.parametrize("expression", RECORDED["expressions"])
def test_rocketmq_answers_the_same(expression: str) -> None:
    wanted = RECORDED["expressions"][expression]
    if wanted is None:
        with pytest.raises(ExpressionError):
            compile_expression(expression)
        return
    assert "".join(letter(expression, properties) for properties in RECORDED["properties"]) == wanted
    accepted = [compile_expression(expression).accepts(properties) for properties in RECORDED["properties"]]
    assert accepted == [one == "T" for one in wanted], "only TRUE delivers"


def test_the_recording_has_both_kinds() -> None:
    answers = list(RECORDED["expressions"].values())
    assert answers.count(None) > 100
    assert len(answers) - answers.count(None) > 300


def test_long_and_deep_expressions_are_refused() -> None:
    with pytest.raises(ExpressionError, match="at most"):
        compile_expression("a = 1 OR " * EXPRESSION_CHARS_MAX + "a = 1")
    with pytest.raises(ExpressionError, match="nest deeper"):
        compile_expression("NOT " * DEPTH_MAX + "a")
    chain = " OR ".join(f"a = {number}" for number in range(1000))
    assert compile_expression(chain).accepts({"a": "999"})
    assert compile_expression("(" * 5000 + "a = 1" + ")" * 5000).accepts({"a": "1"}), "parentheses alone are no depth"


WORDS = ("a", "b", "TAGS", "5", "-3", "2147483648", "1.5", "'x'", "''", "TRUE", "null", "=", "<>", "<", ">=", "(", ")")
WORDS += ("and", "or", "not", "between", "in", "is", ",", "--", "/*", "*/", "'", "\n", ";", "é")


@given(st.lists(st.sampled_from(WORDS), max_size=30), st.dictionaries(st.sampled_from(["a", "b"]), st.text(max_size=5)))
def test_any_text_is_an_expression_or_an_error(words: list[str], properties: dict[str, str]) -> None:
    try:
        compiled = compile_expression(" ".join(words))
    except ExpressionError:
        return
    assert isinstance(compiled.accepts(properties), bool)


@given(st.text(max_size=40))
def test_any_characters_too(text: str) -> None:
    try:
        compile_expression(text)
    except ExpressionError:
        pass


@given(st.dictionaries(st.sampled_from(["a", "b"]), st.sampled_from(["1", "2", "x", ""])))
def test_laws_of_the_logic(properties: dict[str, str]) -> None:
    for left, right in (("a = '1'", "b = '2'"), ("a IS NULL", "b = 'x'"), ("a <> '2'", "b IN ('1', '')")):
        negated = letter(f"NOT ({left} AND {right})", properties)
        assert negated == letter(f"(NOT ({left})) OR (NOT ({right}))", properties)
        assert letter(f"{left} OR {right}", properties) == letter(f"{right} OR {left}", properties)
        assert letter(f"NOT (NOT ({left}))", properties) == letter(left, properties)
