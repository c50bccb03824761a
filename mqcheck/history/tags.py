"""The kit's own evaluator of a subscription's expression: SQL cannot evaluate one that is held in a column. Pure.

Source: RocketMQ's FilterAPI: empty or ``*`` is everything; else tags separated by ``||``, compared exactly. What an
SQL92 expression selects is said by `sql92`.
"""

from __future__ import annotations

from collections.abc import Mapping

from mqcheck.history.sql92 import evaluate


def selects(
    expression_type: str | None,
    expression: str | None,
    tag: str | None,
    properties: Mapping[str, str] | None = None,
) -> bool | None:
    """Whether a subscription's expression is true for a message; None when it cannot be said."""
    if (expression_type or "TAG") == "SQL92":
        own = {} if tag is None else {"TAGS": tag}
        return evaluate(expression or "", {**(properties or {}), **own})
    if (expression_type or "TAG") != "TAG":
        return None
    text = (expression or "*").strip()
    if text in ("", "*"):
        return True
    wanted = {part.strip() for part in text.split("||")} - {""}
    return tag is not None and tag in wanted
