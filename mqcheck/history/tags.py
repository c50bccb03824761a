"""The kit's own evaluator of tag expressions (``*``, ``A || B``): SQL cannot evaluate an expression held in a column.

Source: RocketMQ's FilterAPI: empty or ``*`` is everything; else tags separated by ``||``, compared exactly.
"""

from __future__ import annotations


def selects(expression_type: str | None, expression: str | None, tag: str | None) -> bool | None:
    """Whether a subscription's expression is true for a tag; None when it cannot be said (not a tag expression)."""
    if (expression_type or "TAG") != "TAG":
        return None
    text = (expression or "*").strip()
    if text in ("", "*"):
        return True
    wanted = {part.strip() for part in text.split("||")} - {""}
    return tag is not None and tag in wanted
