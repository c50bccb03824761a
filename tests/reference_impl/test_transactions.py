"""The pure part of transactions: forms of messages, one step of a check, and the table over any order of events."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_impl.disk import MemoryDisk
from reference_impl.message import Message, Record
from reference_impl.store import Store
from reference_impl.transactions import (
    Again,
    GivenUp,
    Rules,
    TransactionTable,
    Waits,
    asked_about,
    committed_message,
    half_message,
    next_step,
    op_message,
    origin_of,
)

HOST = ("127.0.0.1", 10911)
RULES = Rules(timeout_ms=6000, checks_max=15, reserved_ms=72 * 3_600_000)
BORN_MS = 1_700_000_000_000


def message(**properties: str) -> Message:
    return Message("T", 3, b"body", {"PGROUP": "P"} | properties, 7, 0x301 | 4, BORN_MS, ("10.0.0.1", 5))


def record(**properties: str) -> Record:
    half = half_message(message(**properties))
    values = {name: getattr(half, name) for name in half.__struct_fields__}
    place = {"queue_offset": 11, "physical_offset": 500, "store_time_ms": BORN_MS, "store_host": HOST}
    return Record(**values, **place, crc=0, size=100)


def test_forms_of_a_message() -> None:
    half = half_message(message())
    assert (half.topic, half.queue_id, half.sys_flag) == ("RMQ_SYS_TRANS_HALF_TOPIC", 0, 0x301)
    committed = committed_message(record())
    assert committed is not None
    assert (committed.topic, committed.queue_id, committed.sys_flag) == ("T", 3, 0x301 | 8)
    assert (committed.body, committed.flag, committed.prepared_offset) == (b"body", 7, 500)
    seen = asked_about(record())
    assert (seen.topic, seen.queue_id) == ("T", 3)


def test_a_record_without_a_real_topic_cannot_be_committed() -> None:
    bare = record()
    del bare.properties["REAL_TOPIC"]
    assert committed_message(bare) is None


@pytest.mark.parametrize(
    ("age_ms", "properties", "wanted"),
    [
        (0, {}, Waits),
        (5999, {}, Waits),
        (6000, {}, Again),
        (-1, {}, Again),
        (6000, {"TRANSACTION_CHECK_TIMES": "14"}, Again),
        (0, {"TRANSACTION_CHECK_TIMES": "15"}, GivenUp),
        (72 * 3_600_000 + 1, {}, GivenUp),
        (6000, {"TRANSACTION_CHECK_TIMES": "many"}, Again),
        (5999, {"CHECK_IMMUNITY_TIME_IN_SECONDS": "-1"}, Again),
        (6000, {"CHECK_IMMUNITY_TIME_IN_SECONDS": "6"}, Again),
    ],
)
def test_one_step(age_ms: int, properties: dict[str, str], wanted: type) -> None:
    assert type(next_step(record(**properties), RULES, BORN_MS + age_ms)) is wanted


@pytest.mark.parametrize(("age_ms", "ask"), [(0, False), (9999, False), (10_000, True)])
def test_immunity_is_not_asked_about(age_ms: int, ask: bool) -> None:
    step = next_step(record(CHECK_IMMUNITY_TIME_IN_SECONDS="10"), RULES, BORN_MS + age_ms)
    assert isinstance(step, Again)
    assert step.ask is ask
    assert step.message.properties["TRANSACTION_CHECK_TIMES"] == "1"
    assert step.message.properties.get("TRAN_PREPARED_QUEUE_OFFSET") == (None if ask else "11")


def test_the_origin_of_a_copy() -> None:
    assert origin_of(record(), 11) == 11
    assert origin_of(record(TRAN_PREPARED_QUEUE_OFFSET="4"), 11) == 4
    assert origin_of(record(TRAN_PREPARED_QUEUE_OFFSET="x"), 11) == 11


KINDS = ("send", "settle", "again", "immune", "commit progress")
EVENTS = st.lists(st.tuples(st.sampled_from(KINDS), st.integers(0, 9)))


@given(EVENTS)
def test_after_a_start_the_log_says_what_is_open(events: list[tuple[str, int]]) -> None:
    """Whatever happened, and wherever progress was saved: the same half messages are open as before the end.

    But a message that was asked about, and that saved progress has not passed, is open twice: as its copy and itself.
    """
    store = Store.open(MemoryDisk())
    table = TransactionTable()
    saved = (0, 0)
    twice: set[int] = set()

    def put(half: Message) -> int:
        offset = store.append(half, BORN_MS, HOST).queue_offset
        table.half_stored(half, offset)
        return offset

    def at(offset: int) -> Any:
        from reference_impl.message import decode_record

        return decode_record(store.read("RMQ_SYS_TRANS_HALF_TOPIC", 0, offset, 1).records)

    for what, which in events:
        chosen = list(table.open.items())[which % len(table.open)] if table.open else None
        if what == "send":
            put(half_message(message()))
        elif what == "commit progress":
            saved = table.progress()
            twice = {origin for origin in twice if origin >= saved[0]}
        elif chosen is not None:
            origin, found = chosen
            half = at(found.offset)
            if what == "settle":
                op = store.append(op_message(found.offset, HOST, BORN_MS), BORN_MS, HOST)
                table.op_stored(op.queue_offset, origin)
                continue
            age_ms = 10_000 if what == "again" else 0
            immune = half.properties | ({} if what == "again" else {"CHECK_IMMUNITY_TIME_IN_SECONDS": "5"})
            step = next_step(record(**immune), Rules(6000, 1 << 30, 1 << 60), BORN_MS + age_ms)
            assert isinstance(step, Again)
            properties = step.message.properties
            if not step.ask:
                properties["TRAN_PREPARED_QUEUE_OFFSET"] = str(origin)
            offset = put(half_message(message(**properties)))
            if origin_of(step.message, offset) != origin:
                table.given_up(origin)
                twice.add(origin)
    again = TransactionTable()
    again.resume(store, *saved)
    found_again = {origin: found.offset for origin, found in again.open.items() if origin not in twice}
    assert found_again == {origin: found.offset for origin, found in table.open.items()}
    assert (again.half_end, again.op_end) == (table.half_end, table.op_end)
    assert [origin for origin in again.open if origin not in twice] == list(table.open)
