"""Facts over small hand-made tables: fates, prefixes, ownership, what a group is owed."""

from __future__ import annotations

from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mqcheck.history.facts import NEVER, make_facts
from mqcheck.history.tables import TABLES, column_type


def empty() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(":memory:", config={"threads": 1})
    for table in TABLES.values():
        columns = ", ".join(f"{column} {column_type(column)}" for column in table.all_columns())
        connection.execute(f"CREATE TABLE {table.name} ({columns})")
    return connection


def add(connection: duckdb.DuckDBPyConnection, table: str, **columns: Any) -> None:
    names = ", ".join(columns)
    connection.execute(
        f"INSERT INTO {table} ({names}) VALUES ({', '.join('?' * len(columns))})", list(columns.values())
    )


def send(
    connection: duckdb.DuckDBPyConnection, message: int, *outcomes: tuple[str, int | None], **columns: Any
) -> None:
    """A send call and its attempts, each (outcome, code)."""
    base = {"op": message, "process": "kit", "invoked": 100 * message, "message": message, "topic": "T", "mode": "sync"}
    base |= {"delay_level": 0, "delay_ms": 0, "transactional": False, "returned": 100 * message + 50}
    add(connection, "sends", **{**base, **columns})
    for attempt, (outcome, code) in enumerate(outcomes):
        add(
            connection,
            "attempts",
            op=1000 * message + attempt,
            message=message,
            attempt=attempt,
            outcome=outcome,
            code=code,
            topic="T",
            node="broker-a",
            broker="broker-a",
            queue=0,
            queue_offset=message if outcome in ("ok", "kept") else None,
            invoked=100 * message + 10 * attempt,
            returned=None if outcome == "unknown" else 100 * message + 10 * attempt + 5,
        )


@pytest.mark.parametrize(
    ("outcomes", "fate", "copies_max"),
    [
        ([("ok", 0)], "acked", 1),
        ([("unknown", None), ("ok", 0)], "acked", 2),
        ([("kept", 10)], "kept", 1),
        ([("unknown", None), ("refused", 2)], "maybe", 1),
        ([("refused", 13), ("unsent", None)], "absent", 0),
        ([], "absent", 0),
        ([("refused", 1)], "absent", 0),
    ],
)
def test_the_fate_of_a_message(outcomes: list[tuple[str, int | None]], fate: str, copies_max: int) -> None:
    connection = empty()
    send(connection, 1, *outcomes)
    make_facts(connection)
    assert connection.execute("SELECT fate, attempts, copies_max FROM sent").fetchall() == [
        (fate, len(outcomes), copies_max)
    ]


def test_code_1_of_a_5_x_broker_may_have_stored() -> None:
    connection = empty()
    add(connection, "nodes", op=1, node="broker-a", role="broker", version="5.4.0", life=0)
    send(connection, 1, ("refused", 1))
    make_facts(connection)
    assert connection.execute("SELECT fate FROM sent").fetchall() == [("maybe",)]


def test_a_one_way_send_is_unknown_from_the_start() -> None:
    connection = empty()
    send(connection, 1, mode="oneway")
    make_facts(connection)
    assert connection.execute("SELECT fate FROM sent").fetchall() == [("maybe",)]


def cut(connection: duckdb.DuckDBPyConnection, *, looked: bool, left: tuple[int, ...] = ()) -> None:
    """broker-a loses its power at 1000, after messages 1 to 9; a survey finds what is left."""
    add(connection, "nodes", op=1, node="broker-a", broker="broker-a", life=0, how="power-cut", ending=1000, ended=1001)
    if looked:
        add(connection, "surveys", op=2, node="broker-a", broker="broker-a", life=0, outcome="ok")
    for message in left:
        add(connection, "surveyed", op=100 + message, parent=2, node="broker-a", broker="broker-a", message=message)


def survivals(connection: duckdb.DuckDBPyConnection) -> list[Any]:
    make_facts(connection)
    return connection.execute("SELECT message, on_disk, readable, trouble FROM survival ORDER BY message").fetchall()


def test_only_what_was_acknowledged_before_the_cut_has_to_survive_it() -> None:
    connection = empty()
    cut(connection, looked=True, left=(1, 3))
    send(connection, 1, ("ok", 0))
    send(connection, 2, ("ok", 0))
    send(connection, 3, ("kept", 10))
    send(connection, 4, ("ok", 0), delay_level=3)
    send(connection, 11, ("ok", 0))
    assert survivals(connection) == [(1, True, None, None), (2, False, None, None)]


def test_where_nobody_looked_at_the_bytes_only_a_complete_reading_says_something() -> None:
    connection = empty()
    cut(connection, looked=False)
    for message in (1, 2, 3):
        send(connection, message, ("ok", 0))
    place = {"reading": "final", "node": "broker-a", "broker": "broker-a", "topic": "T", "queue": 0}
    add(connection, "readings", op=3, master=True, complete=True, min_offset=2, max_offset=9, **place)
    add(connection, "final_log", op=4, message=3, queue_offset=3, **place)
    assert survivals(connection) == [(1, None, None, None), (2, None, False, None), (3, None, True, None)]


def test_the_disk_fault_under_which_it_was_acknowledged_is_named() -> None:
    connection = empty()
    cut(connection, looked=True)
    send(connection, 1, ("ok", 0))
    send(connection, 2, ("ok", 0))
    add(connection, "faults", op=3, kind="disk-full", node="broker-a", began=200, healed=2000, confirmed=True)
    assert survivals(connection) == [(1, False, None, None), (2, False, None, "disk-full")]


def deliver(connection: duckdb.DuckDBPyConnection, op: int, offset: int, t: int, **columns: Any) -> None:
    base = {"op": op, "t": t, "received": t, "consumer_group": "g", "member": "m", "session": 1, "message": offset}
    place = {"topic": "T", "broker": "broker-a", "queue": 0, "queue_offset": offset, "reconsume_times": 0}
    add(connection, "deliveries", **{**base, **place, **columns})


def result(
    connection: duckdb.DuckDBPyConnection, delivery: int, t: int, kind: str = "listener", said: str = "success"
) -> None:
    outcome = "ok" if said != "lost" else "unknown"
    add(
        connection,
        "results",
        op=delivery + 500,
        delivery=delivery,
        kind=kind,
        result=said,
        invoked=t,
        returned=t if outcome == "ok" else None,
        outcome=outcome,
    )


@settings(max_examples=25, deadline=None)
@given(st.lists(st.one_of(st.none(), st.integers(min_value=1, max_value=50)), min_size=1, max_size=12))
def test_a_prefix_is_done_when_its_slowest_message_is(done: list[int | None]) -> None:
    connection = empty()
    for offset, at in enumerate(done):
        deliver(connection, offset + 1, offset, t=0)
        if at is not None:
            result(connection, offset + 1, at)
    make_facts(connection)
    found = connection.execute(
        "SELECT queue_offset, done, held_up_by FROM prefix_done ORDER BY queue_offset"
    ).fetchall()
    connection.close()
    times = [NEVER if at is None else at for at in done]
    for offset, prefix, held_up_by in found:
        assert prefix == max(times[: offset + 1])
        assert held_up_by <= offset
        assert times[held_up_by] == prefix
    assert len(found) == len(done)


def test_a_send_back_finishes_a_message_only_when_it_was_answered() -> None:
    connection = empty()
    for op, said in ((1, "later"), (2, "lost")):
        deliver(connection, op, op, t=10)
        result(connection, op, 20, said="later")
        add(
            connection,
            "results",
            op=op + 900,
            delivery=op,
            kind="send-back",
            invoked=21,
            returned=25 if said == "later" else None,
            outcome="ok" if said == "later" else "unknown",
        )
    make_facts(connection)
    assert connection.execute("SELECT done_at FROM got_at ORDER BY queue_offset").fetchall() == [(25,), (None,)]


def test_ownership_ends_with_revoked_closed_or_never() -> None:
    connection = empty()
    place = {"consumer_group": "g", "topic": "T", "broker": "b", "queue": 0}
    steps = [("m1", "assigned", 10), ("m1", "revoked", 20), ("m2", "assigned", 21), ("m3", "assigned", 30)]
    for op, (member, kind, t) in enumerate(steps):
        add(connection, "members", op=op, member=member, kind=kind, t=t, **place)
    add(connection, "members", op=9, member="m2", kind="closed", t=40, consumer_group="g")
    make_facts(connection)
    found = connection.execute("SELECT member, began, ended, last_seen FROM owned ORDER BY member").fetchall()
    assert found == [("m1", 10, 20, 20), ("m2", 21, 40, 40), ("m3", 30, NEVER, 30)]


def test_a_group_is_owed_what_it_subscribed_to_before() -> None:
    connection = empty()
    subscription = {"topic": "T", "expression_type": "TAG", "mode": "clustering", "from_where": "first", "op": 1}
    add(connection, "subscriptions", consumer_group="all", expression="*", t=50, **subscription)
    add(connection, "subscriptions", consumer_group="some", expression="A || B", t=50, **subscription)
    add(connection, "subscriptions", consumer_group="late", expression="*", t=150, **subscription)
    add(
        connection,
        "subscriptions",
        consumer_group="end",
        expression="*",
        t=50,
        **{**subscription, "from_where": "last"},
    )
    add(connection, "pulls", op=7, consumer_group="end", topic="T", broker="broker-a", queue=0, invoked=150)
    for message, tag in ((1, "A"), (2, "C")):
        send(connection, message, ("ok", 0), tag=tag)
    send(connection, 3, ("unknown", None), tag="A")
    make_facts(connection)
    owed = connection.execute("SELECT consumer_group, message FROM expected ORDER BY ALL").fetchall()
    assert owed == [("all", 1), ("all", 2), ("end", 2), ("late", 2), ("some", 1)]


def test_a_changed_expression_owes_only_what_all_of_them_select() -> None:
    connection = empty()
    subscription = {"topic": "T", "expression_type": "TAG", "mode": "clustering", "from_where": "first"}
    for op, expression in enumerate(("A || B", "B || C")):
        add(connection, "subscriptions", op=op, consumer_group="g", expression=expression, t=op, **subscription)
    for message, tag in ((1, "A"), (2, "B"), (3, "C")):
        send(connection, message, ("ok", 0), tag=tag)
    make_facts(connection)
    assert connection.execute("SELECT message FROM selected").fetchall() == [(2,)]


def test_trouble_reaches_from_the_end_of_a_life_to_the_next_ready() -> None:
    connection = empty()
    node = {"node": "broker-a", "role": "broker", "broker": "broker-a", "broker_id": 0}
    add(connection, "nodes", op=1, life=0, ready=5, ending=100, ended=110, how="kill", **node)
    add(connection, "nodes", op=2, life=1, ready=200, **node)
    make_facts(connection)
    found = connection.execute("SELECT node, broker, kind, began, ended FROM node_trouble").fetchall()
    assert found == [("broker-a", "broker-a", "kill", 100, 200)]
