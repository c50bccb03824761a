"""Order pictures: what came late and what came again is marked; nothing else is."""

from __future__ import annotations

from collections.abc import Callable
from itertools import accumulate
from typing import Any

import duckdb
import pytest

from mqcheck.timeline import orders as module
from mqcheck.timeline.orders import AGAIN, DISORDER, orders
from mqcheck.timeline.span import Span, span_of


def test_out_of_order_and_repeated_deliveries_are_marked(history: duckdb.DuckDBPyConnection, span: Span) -> None:
    (picture,), left_out = orders(history, span)
    assert list(accumulate(picture["offset"])) == [0, 1, 3, 2, 3]
    assert list(accumulate(picture["at"])) == [25, 26, 36, 37, 45]
    assert picture["mark"] == [[3, DISORDER], [4, AGAIN]]
    assert (picture["disorder"], picture["again"], picture["deliveries"]) == (1, 1, 5)
    assert picture["members"] == ["billing-1@7"]
    assert left_out == {}


def test_members_of_a_broadcasting_group_each_have_their_own_order(
    lines: Any, loaded: Callable[..., duckdb.DuckDBPyConnection]
) -> None:
    lines.point("subscriptions", 1, consumer_group="news", topic="t", mode="broadcasting")
    for at, member, offset in ((10, "a", 0), (11, "a", 1), (12, "b", 0), (13, "b", 1)):
        where = {"consumer_group": "news", "topic": "t", "broker": "broker-a", "queue": 0}
        lines.point("deliveries", at, member=member, queue_offset=offset, message=offset, **where)
    connection = loaded(lines)
    (picture,), _ = orders(connection, span_of(connection))
    assert picture["mark"] == []


def test_of_many_points_the_marked_ones_stay(
    history: duckdb.DuckDBPyConnection, span: Span, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "POINTS_MAX", 2)
    (picture,), left_out = orders(history, span)
    assert [mark for _, mark in picture["mark"]] == [DISORDER, AGAIN]
    assert left_out == {"deliveries in order pictures": 5 - len(picture["at"])}
    assert list(accumulate(picture["offset"]))[-1] == 3
