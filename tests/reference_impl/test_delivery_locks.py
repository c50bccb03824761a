"""Queue locks. Clauses: ord-queue-lock, ord-lock-expiry."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_impl.delivery import locks as module
from reference_impl.delivery.locks import QueueKey, QueueLocks

Q0: QueueKey = ("T", "b", 0)
Q1: QueueKey = ("T", "b", 1)


def test_one_owner_until_unlock() -> None:
    locks = QueueLocks(60_000)
    assert locks.lock("G", "a", [Q0, Q1], 0) == [Q0, Q1]
    assert locks.lock("G", "b", [Q0, Q1], 1) == []
    assert locks.lock("H", "b", [Q0], 1) == [Q0]
    locks.unlock("G", "b", [Q0])
    assert locks.lock("G", "b", [Q0], 2) == []
    locks.unlock("G", "a", [Q0])
    assert locks.lock("G", "b", [Q0, Q1], 3) == [Q0]


def test_expiry_is_strictly_after_the_last_renewal() -> None:
    locks = QueueLocks(60_000)
    locks.lock("G", "a", [Q0], 0)
    locks.lock("G", "a", [Q0], 1_000)
    assert locks.lock("G", "b", [Q0], 61_000) == []
    assert locks.lock("G", "b", [Q0], 61_001) == [Q0]
    assert locks.lock("G", "a", [Q0], 61_002) == []
    locks.reset()
    assert locks.lock("G", "a", [Q0], 61_003) == [Q0]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.booleans(), st.integers(0, 50)), max_size=60))
def test_never_two_owners_within_the_life_of_a_lock(steps: list[tuple[str, bool, int]]) -> None:
    locks = QueueLocks(100)
    now_ms = 0
    owner: tuple[str, int] | None = None
    for client, wants, pause_ms in steps:
        now_ms += pause_ms
        held = owner is not None and owner[0] != client and now_ms - owner[1] <= 100
        if wants:
            granted = locks.lock("G", client, [Q0], now_ms) == [Q0]
            assert granted is not held
            owner = (client, now_ms) if granted else owner
        else:
            locks.unlock("G", client, [Q0])
            owner = None if owner is not None and owner[0] == client else owner


def test_the_table_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOCKS_MAX", 10)
    locks = QueueLocks(100)
    locks.lock("G", "a", [("T", "b", queue) for queue in range(10)], 0)
    locks.lock("G", "a", [("T", "b", 99)], 500)
    assert set(locks.owners) == {("G", ("T", "b", 99))}
