"""A hundred small worlds, each an exact run: a failure names its seed, and ``-k "[17]"`` runs that one again.

Clauses: dur-ack-kill, dur-ack-power-sf, dur-body-intact, sto-offset-dense, sto-offset-unique, sto-fifo-queue,
sto-recover-no-ghost, con-alo, con-retry-alo, con-retry-delay, dly-not-early, dly-alo, ord-queue-lock.
"""

from __future__ import annotations

from collections import Counter

import pytest
from small_world import LEVELS_MS, QUEUES, SmallWorld, number_of, play

SEEDS = 100
LOCK_MS = 60_000
PLANTED_SEEDS_MAX = 20
LIVELY_SEEDS = 10
NOTICED_MIN = 3


def check(world: SmallWorld) -> None:
    """Raises AssertionError at the first promise that was not kept."""
    assert world.seen.sent, "nothing happened"
    check_order(world)
    check_stored(world)
    check_delivered(world)
    check_retries(world)
    check_locks(world)


def check_stored(world: SmallWorld) -> None:
    queues = [world.records(queue) for queue in range(QUEUES)]
    for queue, records in enumerate(queues):
        assert [record.queue_offset for record in records] == list(range(len(records))), f"not dense: queue {queue}"
        assert all(number_of(record.body) <= world.number for record in records), "a record that nobody sent"
    for one in world.seen.sent:
        copies = [record for record in queues[one.queue] if number_of(record.body) == one.number]
        assert copies, f"acknowledged and lost: {one}"
        assert all(record.body == one.body for record in copies), f"another body: {one}"
        if not one.delay_ms:
            assert [record.queue_offset for record in copies] == [one.offset], f"not where it was said to be: {one}"
        for copy in copies:
            assert copy.store_time_ms >= one.asked_ms + one.delay_ms - 1, f"early: {one}"


def check_order(world: SmallWorld) -> None:
    """What was asked for after an answer comes after it."""
    for queue in range(QUEUES):
        sent = [one for one in world.seen.sent if one.queue == queue and not one.delay_ms]
        for one in sent:
            for later in sent:
                if one.answered_ms < later.asked_ms:
                    assert one.offset < later.offset, f"out of order: {one}, then {later}"


def check_delivered(world: SmallWorld) -> None:
    assert not world.undelivered(), f"acknowledged and never delivered: {world.undelivered()}"
    for one in world.seen.sent:
        bodies = {record.body for record in world.seen.delivered[one.number]}
        assert bodies == {one.body}, f"delivered with another body: {one}"


def check_retries(world: SmallWorld) -> None:
    """Whatever was taken back comes again with a higher count, and not too early."""
    assert not world.unreturned(), f"taken back and never delivered again: {world.unreturned()}"
    for number, records in world.seen.delivered.items():
        for record in records:
            if record.reconsume_times:
                asked_ms = world.seen.given_back.get((number, record.reconsume_times - 1))
                assert asked_ms, f"retried, and nobody gave it back: {record}"
                assert record.store_time_ms >= min(asked_ms) + LEVELS_MS[0] - 1, f"retried early: {record}"


def check_locks(world: SmallWorld) -> None:
    """Nobody got a lock that somebody else had surely renewed less than its life before, in the same broker."""
    for one in world.seen.granted:
        for earlier in world.seen.granted:
            if earlier.client != one.client and one.life == earlier.life and earlier.answered_s < one.asked_s:
                apart_ms = (one.answered_s - earlier.asked_s) * 1000
                assert apart_ms > LOCK_MS, f"two owners: {earlier.client}, then {one.client}"


@pytest.mark.parametrize("seed", range(SEEDS))
def test_a_small_world_keeps_its_promises(seed: int) -> None:
    check(play(seed))


def test_in_these_worlds_much_happens() -> None:
    happened: Counter[str] = Counter()
    for seed in range(LIVELY_SEEDS):
        world = play(seed)
        happened += world.seen.happened
        stored = {number_of(record.body) for queue in range(QUEUES) for record in world.records(queue)}
        happened["unanswered"] += len(world.seen.unanswered)
        happened["unanswered and stored"] += len(stored & set(world.seen.unanswered))
        happened["redeliveries"] += sum(len(records) - 1 for records in world.seen.delivered.values())
        happened["retries"] += sum(bool(r.reconsume_times) for rs in world.seen.delivered.values() for r in rs)
        happened["locks"] += len(world.seen.granted)
    expected = ("kills", "power cuts", "cut connections", "unanswered", "unanswered and stored")
    for name in (*expected, "redeliveries", "retries", "locks"):
        assert happened[name] >= NOTICED_MIN, f"{name}: {happened[name]} in {LIVELY_SEEDS} worlds"


def noticed(words: str, **broken: str) -> int:
    """In how many worlds a check failed with these words; it looks no further than NOTICED_MIN."""
    count = 0
    for seed in range(PLANTED_SEEDS_MAX):
        try:
            check(play(seed, **broken))
        except AssertionError as error:
            count += words in str(error)
        if count == NOTICED_MIN:
            break
    return count


@pytest.mark.parametrize(
    ("planted", "words"),
    [
        ("ack-before-sync", "acknowledged and lost"),
        ("corrupt-body", "another body"),
        ("reorder-queue", "out of order"),
        ("no-redelivery", "taken back and never delivered again"),
        ("skip-message-on-rebalance", "never delivered"),
        ("two-lock-owners", "two owners"),
    ],
)
def test_a_planted_bug_is_noticed(planted: str, words: str) -> None:
    assert noticed(words, planted=planted) == NOTICED_MIN


def test_a_broker_that_does_not_wait_for_the_disk_is_noticed() -> None:
    assert noticed("acknowledged and lost", flush="ASYNC_FLUSH") == NOTICED_MIN
