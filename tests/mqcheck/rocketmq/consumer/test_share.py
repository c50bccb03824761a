"""mqcheck.rocketmq.consumer.share: what may be committed never passes what is unfinished."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from mqcheck.rocketmq.consumer.share import Held, Share
from mqcheck.rocketmq.message import StoredRecord
from mqcheck.rocketmq.models import ClientSettings, MessageQueue


def held(offset: int, body: bytes = b"x") -> Held:
    record = StoredRecord(
        topic="T",
        queue_id=0,
        queue_offset=offset,
        physical_offset=0,
        body=body,
        properties={},
        raw_properties=b"",
        flag=0,
        sys_flag=0,
        born_time_ms=0,
        born_host=("127.0.0.1", 1),
        store_time_ms=0,
        store_host=("127.0.0.1", 1),
        body_crc=0,
        reconsume_times=0,
        prepared_offset=0,
    )
    return Held(record, None, 0)


def share() -> Share:
    return Share(MessageQueue("T", "b", 0), 1)


@given(st.lists(st.integers(0, 3), min_size=1, max_size=12), st.randoms(use_true_random=False))
def test_commits_stay_below_the_lowest_unfinished(gaps: list[int], rng: object) -> None:
    offsets = [sum(gaps[: i + 1]) + i for i in range(len(gaps))]
    own = share()
    own.put([held(offset) for offset in offsets])
    own.skip_to(offsets[-1] + 5)
    assert own.committable is None
    order = sorted(offsets, key=lambda _: rng.random())  # type: ignore[attr-defined]
    left = set(offsets)
    last = 0
    for offset in order:
        own.finish(offset)
        left.discard(offset)
        assert own.committable == (min(left) if left else offsets[-1] + 5)
        assert own.committable >= last
        last = own.committable
    assert own.held_bytes == 0


def test_nothing_found_may_be_passed_when_nothing_is_held() -> None:
    own = share()
    own.skip_to(7)
    assert own.committable == 7
    own.put([held(7)])
    own.skip_to(9)
    assert own.committable == 7
    own.finish(7)
    assert own.committable == 9


def test_commits_never_go_back() -> None:
    own = share()
    own.advance(9)
    own.advance(3)
    assert own.committable == 9


def test_a_record_counts_once() -> None:
    own = share()
    own.put([held(1), held(1)])
    assert own.held_bytes == 1
    own.finish(1)
    own.finish(1)
    assert (own.held_bytes, own.committable) == (0, 2)


def test_full_by_count_size_and_span() -> None:
    settings = replace(ClientSettings(), threshold_messages=3, threshold_bytes=100, threshold_span=10)
    own = share()
    assert not own.full(settings, False)
    own.put([held(0), held(1), held(2)])
    assert not own.full(settings, False)
    own.put([held(3)])
    assert own.full(settings, False)
    own = share()
    own.put([held(0, bytes(101))])
    assert own.full(settings, True)
    own = share()
    own.put([held(0), held(11)])
    assert own.full(settings, False)
    assert not own.full(settings, True)
    assert own.first().offset == 0
